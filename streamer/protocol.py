"""Messages on the data channel. The golden file tests this and the web client alike."""

import json
from dataclasses import asdict, dataclass
from typing import TypeAlias

from engine.api import AvatarError

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
class Closing:
    """Server to browser: the session is about to end."""

    reason: str


Message: TypeAlias = Interrupt | Ping | Pong | Interrupted | Stats | Ending | Closing
_KINDS: tuple[type[Message], ...] = (
    Interrupt,
    Ping,
    Pong,
    Interrupted,
    Stats,
    Ending,
    Closing,
)
_TYPES: dict[str, type[Message]] = {kind.__name__.lower(): kind for kind in _KINDS}


def encode(message: Message) -> str:
    """One message as JSON text."""
    return json.dumps({"type": type(message).__name__.lower(), **asdict(message)})


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
    if isinstance(message, Ping) and type(message.id) is not int:
        raise BadMessageError(f"ping id {message.id!r}: expected a whole number")
    return message
