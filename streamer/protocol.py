"""Messages on the data channel. The golden file tests this and the web client alike."""

import json
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from engine.api import AvatarError
from streamer.direction_changes import DirectionChanges, GestureWish, complaint

M = TypeVar("M", bound=BaseModel)
MAX_MESSAGE_CHARACTERS = 1024


class BadMessageError(AvatarError):
    """A message that is not part of the protocol."""


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Browser to server: stop talking now."""


@dataclass(frozen=True, slots=True)
class Ping:
    """Browser to server: still here."""

    id: int


@dataclass(frozen=True, slots=True)
class Direct:
    """Browser to server: act like this from now on."""

    direction: DirectionChanges


@dataclass(frozen=True, slots=True)
class Gesture:
    """Browser to server: make a movement."""

    name: str


@dataclass(frozen=True, slots=True)
class Pong:
    """Server to browser: answer to the ping of the same number."""

    id: int


@dataclass(frozen=True, slots=True)
class Interrupted:
    """Server to browser: an interrupt took effect."""

    epoch: int
    position_s: float


@dataclass(frozen=True, slots=True)
class Stats:
    """Server to browser, once a second."""

    shown_frames: int
    repeated_frames: int
    dropped_frames: int
    dropped_samples: int
    fps: float
    mic_to_lips_ms: float | None
    skew_ms: float
    speaking: bool


@dataclass(frozen=True, slots=True)
class Ending:
    """Server to browser: the session will end soon."""

    in_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class Directed:
    """Server to browser: the whole direction after a change, however that came."""

    direction: dict[str, Any]  # the fields of `engine.direction.Direction`
    notes: list[str]  # one for each value that was limited


@dataclass(frozen=True, slots=True)
class Gestured:
    """Server to browser: a gesture begins."""

    name: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Server to browser: a message could not be followed."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Camera:
    """Server to browser: what the browser's camera does here, whenever that changes."""

    state: str  # off, looking for a face, driving the portrait
    faces: int  # seen when last looked for; one is followed


@dataclass(frozen=True, slots=True)
class Closing:
    """Server to browser: the session is about to end."""

    reason: str


Message: TypeAlias = (
    Interrupt
    | Ping
    | Direct
    | Gesture
    | Pong
    | Interrupted
    | Stats
    | Directed
    | Gestured
    | Refused
    | Camera
    | Ending
    | Closing
)
_KINDS: tuple[type[Message], ...] = get_args(Message)
_TYPES: dict[str, type[Message]] = {kind.__name__.lower(): kind for kind in _KINDS}


def encode(message: Message) -> str:
    """One message as JSON text."""
    fields = {"type": type(message).__name__.lower(), **asdict(message)}
    return json.dumps(fields, default=_given)


def decode(text: str) -> Message:
    """JSON text as a message; anything unexpected raises `BadMessageError`."""
    if len(text) > MAX_MESSAGE_CHARACTERS:
        raise BadMessageError(
            f"message of {len(text)} characters: expected at most {MAX_MESSAGE_CHARACTERS}"
        )
    try:
        fields = json.loads(text)
        message = _TYPES[fields.pop("type")](**fields)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BadMessageError(f"not a message: {text[:80]!r}") from error
    return _checked(message)


def _checked(message: Message) -> Message:
    """The message, if what a visitor may send is of the right kind."""
    match message:
        case Ping() if type(message.id) is not int:
            raise BadMessageError(f"ping id {message.id!r}: expected a whole number")
        case Direct():
            return Direct(_model(DirectionChanges, message.direction))
        case Gesture():
            return Gesture(_model(GestureWish, {"name": message.name}).name)
    return message


def _model(kind: type[M], fields: object) -> M:
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise BadMessageError(complaint(error, kind)) from error


def _given(model: BaseModel) -> dict[str, Any]:
    return model.model_dump(exclude_unset=True)
