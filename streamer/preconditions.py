"""Conditions that a request makes in its headers (RFC 9110)."""

import re
from hashlib import sha256
from http import HTTPStatus

from fastapi import Request

from streamer.errors import RefusedError

_TAG_CHARACTERS = 16
_TAGS = re.compile(r'(?:W/)?"[^"]*"')


def ice_tag(resource_id: str) -> str:
    """The strong entity tag of the one ICE session that a resource ever has."""
    digest = sha256(f"ice {resource_id}".encode()).hexdigest()
    return f'"{digest[:_TAG_CHARACTERS]}"'


def require_match(request: Request, tag: str) -> None:
    """Refuse a request that was not made for the present state: 428 unguarded, 412 stale."""
    given = request.headers.get("if-match")
    if given is None:
        raise RefusedError(
            HTTPStatus.PRECONDITION_REQUIRED,
            "if_match_required",
            f"{request.method} without If-Match: expected the ETag of the answer",
        )
    if given.strip() != "*" and tag not in _TAGS.findall(given):
        raise RefusedError(
            HTTPStatus.PRECONDITION_FAILED,
            "stale",
            f"If-Match {given[:40]!r}: expected {tag}",
        )


def require_acceptable(request: Request, media_type: str) -> None:
    """Refuse a client that cannot read the only thing that it can get."""
    given = request.headers.get("accept", "*/*")
    kind = media_type.partition("/")[0]
    readable = {media_type, f"{kind}/*", "*/*"}
    for part in given.split(","):
        name, _, parameters = part.strip().partition(";")
        if name.strip().lower() in readable and not _is_refused(parameters):
            return
    raise RefusedError(
        HTTPStatus.NOT_ACCEPTABLE,
        "not_acceptable",
        f"Accept {given[:60]!r}: expected one that allows {media_type}",
    )


def _is_refused(parameters: str) -> bool:
    """A weight of zero, as in `q=0.0`."""
    return re.search(r"(?:^|;)\s*q=0(\.0*)?\s*(;|$)", parameters) is not None
