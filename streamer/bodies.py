"""Reading request bodies without letting them grow."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from fastapi import Request
from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from streamer.errors import RefusedError

BODY_WITHIN_S = 60.0
_MAX_FORM_FIELDS = 16


def media_type(request: Request) -> str:
    """The content type without its parameters."""
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


def require_media_type(request: Request, expected: str) -> None:
    """Refuse a body of another type."""
    given = media_type(request)
    if given != expected:
        raise RefusedError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "wrong_content_type",
            f"content type {given[:80] or 'missing'!r}: expected {expected}",
        )


async def limited(request: Request, limit_bytes: int) -> AsyncGenerator[bytes, None]:
    """The body in pieces; more than `limit_bytes` is refused as soon as it is known."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit_bytes:
        raise _too_large(int(declared), limit_bytes)
    count = 0
    async for piece in request.stream():
        count += len(piece)
        if count > limit_bytes:
            raise _too_large(count, limit_bytes)
        yield piece


async def read_body(request: Request, limit_bytes: int) -> bytes:
    """The whole body."""
    async with _in_time():
        return b"".join([piece async for piece in limited(request, limit_bytes)])


async def read_form(request: Request, limit_bytes: int, max_files: int = 1) -> FormData:
    """A multipart form; its files must be closed by the caller."""
    pieces = limited(request, limit_bytes)
    parser = MultiPartParser(
        request.headers, pieces, max_files=max_files, max_fields=_MAX_FORM_FIELDS
    )
    try:
        async with _in_time():
            return await parser.parse()
    except (MultiPartException, KeyError) as error:
        message = f"not a multipart form: {error}"
        raise RefusedError(HTTPStatus.BAD_REQUEST, "bad_form", message) from error


@asynccontextmanager
async def _in_time() -> AsyncIterator[None]:
    """A client may neither hold a request open for ever nor, by leaving, be taken for a fault."""
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            yield
    except TimeoutError as error:
        raise RefusedError(
            HTTPStatus.REQUEST_TIMEOUT,
            "too_slow",
            f"body not complete: expected all of it within {BODY_WITHIN_S:.0f} s",
        ) from error
    except ClientDisconnect as error:
        message = "body not complete: the client left"
        raise RefusedError(HTTPStatus.BAD_REQUEST, "incomplete_body", message) from error


def _too_large(count_bytes: int, limit_bytes: int) -> RefusedError:
    return RefusedError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "too_large",
        f"body of {count_bytes} bytes or more: expected at most {limit_bytes}",
    )
