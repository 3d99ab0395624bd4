"""The first message on `/v1/stream`: what the client wants."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.api import MAX_SIZE, MIN_SIZE, AvatarError

MAX_HELLO_CHARACTERS = 2048


class BadHelloError(AvatarError):
    """A first message that asks for nothing that there is."""


class Hello(BaseModel):
    """All may be left out but the type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    type: Literal["hello"]
    avatar: str | None = Field(default=None, max_length=200)
    audio: Literal["pcm", "opus"] = "pcm"
    video: Literal["jpeg", "h264"] = "jpeg"
    size: int | None = Field(default=None, ge=MIN_SIZE, le=MAX_SIZE)  # longest side; the avatar's
    pace: Literal["realtime", "fast"] = "realtime"
    input: Literal["queue", "live"] = "queue"  # speech that may run ahead, or a microphone
    reclaim_token: str | None = Field(default=None, max_length=200)


def parse_hello(text: str) -> Hello:
    """Read it. Raises `BadHelloError`."""
    if len(text) > MAX_HELLO_CHARACTERS:
        raise BadHelloError(
            f"hello of {len(text)} characters: expected at most {MAX_HELLO_CHARACTERS}"
        )
    try:
        return Hello.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "message"
        raise BadHelloError(f"hello, {place}: {first['msg'].lower()}") from error
    except RecursionError as error:
        raise BadHelloError("hello: expected a flat JSON object") from error
