"""What a visitor may change of a direction; all that is not named stays as it is."""

from dataclasses import replace

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.direction import Direction, Pose

MAX_NAME_CHARACTERS = 40
_STRICT = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
_NO_FIELD = "extra_forbidden"


class PoseChanges(BaseModel):
    """Degrees, face widths and the head's scale, as in `engine.direction.Pose`."""

    model_config = _STRICT

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    x: float = 0.0
    y: float = 0.0
    scale: float = 1.0


class DirectionChanges(BaseModel):
    """Pose, emotion and strengths, as in `engine.direction.Direction`."""

    model_config = _STRICT

    pose: PoseChanges = PoseChanges()
    emotion: str = Field(default="neutral", max_length=MAX_NAME_CHARACTERS)
    emotion_strength: float = 1.0
    strength: float = 1.0
    mouth: float = 1.0
    brows: float = 1.0
    eyes: float = 1.0

    def applied_to(self, direction: Direction) -> Direction:
        """The same direction with these changes."""
        given = self.model_dump(exclude_unset=True)
        pose: Pose = replace(direction.pose, **given.pop("pose", {}))
        return replace(direction, pose=pose, **given)


class GestureWish(BaseModel):
    """A gesture by its name."""

    model_config = _STRICT

    name: str = Field(max_length=MAX_NAME_CHARACTERS)


def complaint(error: ValidationError, model: type[BaseModel]) -> str:
    """One line: where the first mistake is, what was given, what is expected."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"]) or "body"
    if first["type"] == _NO_FIELD:
        inner = PoseChanges if first["loc"][0] == "pose" else model
        return f"{place}: expected only {', '.join(inner.model_fields)}"
    return f"{place} {str(first['input'])[:MAX_NAME_CHARACTERS]!r}: {first['msg']}"
