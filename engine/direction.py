"""What a person may ask of a performance: pose, emotion, strengths, and a camera to follow.

Plain values, no torch. What lies beyond a limit is brought back to it, and a note says so.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from math import isfinite
from typing import TypeVar

MAX_STRENGTH = 2.0
# Beyond these a still has nothing to show. Angles in degrees, shifts in face widths.
LIMITS = {
    "yaw": (-10.0, 10.0),
    "pitch": (-7.0, 7.0),
    "roll": (-14.0, 14.0),
    "x": (-0.15, 0.15),
    "y": (-0.15, 0.15),
    "scale": (0.85, 1.2),
}
_STRENGTHS = ("emotion_strength", "strength", "mouth", "brows", "eyes")


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the head is, apart from how it is in the portrait."""

    yaw: float = 0.0  # degrees, turned to the person's left, which is right in the picture
    pitch: float = 0.0  # degrees, up
    roll: float = 0.0  # degrees, tilted to the person's right shoulder
    x: float = 0.0  # face widths to the right in the picture
    y: float = 0.0  # face widths up
    scale: float = 1.0  # of the head's size

    def __post_init__(self) -> None:
        _check_finite(self)

    def limited(self) -> tuple["Pose", tuple[str, ...]]:
        """The nearest pose inside `LIMITS`, and a note for every value that was brought back."""
        return _limited(self, LIMITS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Direction:
    """How to act from now on. Strengths are 0 to 2: 0 is a neutral face, 1 is as trained."""

    pose: Pose = field(default_factory=Pose)  # is added to the head's own small motion
    emotion: str = "neutral"  # a name of `engine.repertoire`
    emotion_strength: float = 1.0
    strength: float = 1.0  # of all expression; multiplies the three that follow
    mouth: float = 1.0
    brows: float = 1.0
    eyes: float = 1.0  # glances, and how an emotion holds the lids; blinks stay

    def __post_init__(self) -> None:
        _check_finite(self)

    def limited(self) -> tuple["Direction", tuple[str, ...]]:
        """The nearest direction inside all limits, and a note for every value brought back."""
        pose, notes = self.pose.limited()
        bounds = dict.fromkeys(_STRENGTHS, (0.0, MAX_STRENGTH))
        inside, more = _limited(self, bounds)
        return replace(inside, pose=pose), (*notes, *more)


@dataclass(frozen=True, slots=True, kw_only=True)
class PuppetFrame:
    """What a camera saw of a person: head and upper face, as differences from their own rest."""

    pose: Pose = field(default_factory=Pose)
    brows_up: float = 0.0  # centimetres of a face of usual size
    blink_right: float = 0.0  # 0 as open as at rest, 1 closed; the person's right eye
    blink_left: float = 0.0
    gaze_left: float = 0.0  # radians, towards the person's left
    gaze_up: float = 0.0

    def __post_init__(self) -> None:
        _check_finite(self)


_Bounded = TypeVar("_Bounded", Pose, Direction)


def _limited(
    value: _Bounded, bounds: dict[str, tuple[float, float]]
) -> tuple[_Bounded, tuple[str, ...]]:
    changes, notes = dict[str, float](), list[str]()
    for name, (low, high) in bounds.items():
        given = float(getattr(value, name))
        inside = min(max(given, low), high)
        if inside != given:
            changes[name] = inside
            notes.append(f"{name} {given:g}: limited to {inside:g} ({low:g} to {high:g})")
    return replace(value, **changes), tuple(notes)  # type: ignore[arg-type]


def _check_finite(value: Pose | Direction | PuppetFrame) -> None:
    for name, number in _numbers(value):
        if not isfinite(number):
            raise ValueError(f"{name} {number}: expected a finite number")


def _numbers(value: Pose | Direction | PuppetFrame) -> Iterator[tuple[str, float]]:
    for item in fields(value):
        given = getattr(value, item.name)
        if isinstance(given, int | float):
            yield item.name, given
