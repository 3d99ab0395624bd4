"""WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep): calls that go one way.

What speaks through WHIP is seen through WHEP. The grammar is that of `/v1/sessions`.
"""

import time
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from streamer.access import Serving
from streamer.service import Service
from streamer.session import Session
from streamer.signalling import (
    FRAGMENT_BODY,
    SDP_BODY,
    created,
    ice_servers,
    options,
    read_fragment,
    read_offer,
)
from streamer.viewers import NothingToWatchError

router = APIRouter(prefix="/v1", tags=["standards"])
_ALLOWED = "POST, OPTIONS"


@router.options("/whip", status_code=HTTPStatus.NO_CONTENT, summary="What an offer must be")
@router.options("/whep", status_code=HTTPStatus.NO_CONTENT, summary="What an offer must be")
async def ask_before_offer() -> Response:
    """Accept-Post names the type of an offer."""
    return options(_ALLOWED, [])


@router.post(
    "/whip", status_code=HTTPStatus.CREATED, summary="Speak by WHIP", openapi_extra=SDP_BODY
)
async def publish(
    request: Request,
    service: Serving,
    avatar: Annotated[str | None, Query(description="Who talks.")] = None,
) -> Response:
    """Start a session that others watch; sound comes in, nothing goes back."""
    offer = await read_offer(request, service)
    entry = await service.avatars.find(avatar)
    session, answer = await service.sessions.open(entry.avatar, offer, publishes=True)
    servers = ice_servers(service, session.session_id)
    return created(answer, f"/v1/whip/{session.session_id}", servers)


@router.patch(
    "/whip/{session_id}",
    status_code=HTTPStatus.NO_CONTENT,
    summary="Add ICE candidates",
    openapi_extra=FRAGMENT_BODY,
)
async def trickle_publisher(session_id: str, request: Request, service: Serving) -> None:
    """If-Match holds the ETag of the answer."""
    session = service.sessions.get(session_id)
    await session.add_candidates(await read_fragment(request, session_id))


@router.delete("/whip/{session_id}", status_code=HTTPStatus.OK, summary="Stop speaking")
async def unpublish(session_id: str, service: Serving) -> Response:
    """The session ends, and all who watch it are hung up on."""
    await service.sessions.close(session_id, "ended by request")
    return Response(status_code=HTTPStatus.OK)


@router.post(
    "/whep", status_code=HTTPStatus.CREATED, summary="Watch by WHEP", openapi_extra=SDP_BODY
)
async def watch(
    request: Request,
    service: Serving,
    session: Annotated[
        str | None, Query(description="Its id; the newest published by WHIP if left out.")
    ] = None,
) -> Response:
    """Sound and picture of a running session; nothing goes in."""
    offer = await read_offer(request, service)
    network = service.settings.ice.configuration("viewer", time.time())
    watched = _watched(service, session)
    viewer_id, answer = await service.viewers.open(watched, offer, network)
    return created(answer, f"/v1/whep/{viewer_id}", ice_servers(service, viewer_id))


@router.patch(
    "/whep/{viewer_id}",
    status_code=HTTPStatus.NO_CONTENT,
    summary="Add ICE candidates",
    openapi_extra=FRAGMENT_BODY,
)
async def trickle_viewer(viewer_id: str, request: Request, service: Serving) -> None:
    """If-Match holds the ETag of the answer."""
    viewer = service.viewers.get(viewer_id)
    await viewer.add_candidates(await read_fragment(request, viewer_id))


@router.delete("/whep/{viewer_id}", status_code=HTTPStatus.OK, summary="Stop watching")
async def unwatch(viewer_id: str, service: Serving) -> Response:
    """The session goes on."""
    await service.viewers.close(viewer_id)
    return Response(status_code=HTTPStatus.OK)


def _watched(service: Service, session_id: str | None) -> Session:
    if session_id is not None:
        return service.sessions.get(session_id)
    # What was opened otherwise is a private call: it is watched by those who know its id.
    newest = service.sessions.newest_published()
    if newest is None:
        raise NothingToWatchError("nobody publishes by WHIP: expected one, or a session's id")
    return newest
