"""HTTP and websocket of sessions."""

import time
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response, WebSocket
from starlette.responses import PlainTextResponse

from streamer.access import Serving
from streamer.errors import response_for
from streamer.pcm_socket import feed_speech
from streamer.session import Description
from streamer.sessions import UnknownSessionError
from streamer.signalling import (
    FRAGMENT_BODY,
    RECLAIM_HEADER,
    SDP,
    SDP_BODY,
    created,
    ice_servers,
    options,
    read_fragment,
    read_offer,
)

MAX_GRACE_S = 15.0
router = APIRouter(prefix="/v1/sessions", tags=["sessions"])


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    summary="Start a session",
    response_class=PlainTextResponse,
    openapi_extra=SDP_BODY,
    responses={201: {"content": {SDP: {}}, "description": "The SDP answer."}},
)
async def start_session(
    request: Request,
    service: Serving,
    avatar: Annotated[
        str | None, Query(description="Who talks; the default avatar if left out.")
    ] = None,
) -> Response:
    """Answer an SDP offer; the session lives until it is deleted or the peer is gone."""
    offer = await read_offer(request, service)
    token = request.headers.get(RECLAIM_HEADER)
    if token is None:
        entry = await service.avatars.find(avatar)
        session, answer = await service.sessions.open(entry.avatar, offer)
    else:
        session, answer = await service.sessions.reclaim(token, offer)
    servers = ice_servers(service, session.session_id)
    response = created(answer, f"/v1/sessions/{session.session_id}", servers)
    response.headers[RECLAIM_HEADER] = session.reclaim_token
    return response


@router.options("", status_code=HTTPStatus.NO_CONTENT, summary="What an offer must be")
async def ask_before_offer() -> Response:
    """Accept-Post names the type of an offer."""
    return options("POST, OPTIONS", [])


@router.patch(
    "/{session_id}",
    status_code=HTTPStatus.NO_CONTENT,
    summary="Add ICE candidates",
    openapi_extra=FRAGMENT_BODY,
)
async def trickle(session_id: str, request: Request, service: Serving) -> None:
    """Take candidates found after the offer; If-Match holds the ETag of the answer."""
    session = service.sessions.get(session_id)
    await session.add_candidates(await read_fragment(request, session_id))


@router.get("/{session_id}", summary="Statistics of a session")
async def describe_session(session_id: str, service: Serving) -> Description:
    """The last second's numbers."""
    return service.sessions.get(session_id).describe()


@router.get("/{session_id}/stats", summary="All numbers of a session")
async def describe_session_more(session_id: str, service: Serving) -> Description:
    """The last second's numbers, queues, line and what was left out so far."""
    return service.sessions.get(session_id).describe_more()


@router.post("/{session_id}/interrupt", summary="Stop talking now")
async def interrupt_session(session_id: str, service: Serving) -> dict[str, int | float]:
    """Begin a new epoch; tells how much of the old one was played."""
    done = service.sessions.get(session_id).interrupt()
    return {"epoch": done.epoch, "position_s": done.position_s}


@router.delete("/{session_id}", status_code=HTTPStatus.NO_CONTENT, summary="End a session")
async def end_session(
    session_id: str,
    service: Serving,
    grace_s: Annotated[
        float, Query(ge=0, le=MAX_GRACE_S, description="Wait so long for the visitor's return.")
    ] = 0,
) -> None:
    """Hang up and release everything; with a grace only if nobody takes the session back."""
    if grace_s:
        service.sessions.get(session_id).lease.leave(grace_s, time.monotonic())
    else:
        await service.sessions.close(session_id, "ended by request")


@router.websocket("/{session_id}/audio")
async def speak(websocket: WebSocket, session_id: str, service: Serving) -> None:
    """Take speech as PCM16 at 16 kHz, ahead of time if the sender likes."""
    try:
        session = service.sessions.get(session_id)
    except UnknownSessionError as error:
        await websocket.send_denial_response(response_for(error))
        return
    await websocket.accept()
    await feed_speech(websocket, session)
