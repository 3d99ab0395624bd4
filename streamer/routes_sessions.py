"""HTTP and websocket of sessions."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response, WebSocket
from starlette.responses import PlainTextResponse

from streamer.access import Serving
from streamer.bodies import read_body, require_media_type
from streamer.errors import RefusedError, response_for
from streamer.pcm_socket import feed_speech
from streamer.session import Description
from streamer.sessions import UnknownSessionError
from streamer.studio import NotReadyError

SDP = "application/sdp"
MAX_OFFER_BYTES = 64 * 1024
router = APIRouter(prefix="/v1/sessions", tags=["sessions"])
_SDP_BODY = {"required": True, "content": {SDP: {"schema": {"type": "string"}}}}


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    summary="Start a session",
    response_class=PlainTextResponse,
    openapi_extra={"requestBody": _SDP_BODY},
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
    require_media_type(request, SDP)
    body = await read_body(request, MAX_OFFER_BYTES)
    if not service.ready:
        raise NotReadyError("the engine is still being loaded: try again in a few seconds")
    entry = service.avatars.get(avatar)
    session, answer = await service.sessions.open(entry.avatar, _to_text(body))
    location = f"/v1/sessions/{session.session_id}"
    headers = {"Location": location}
    return Response(answer, HTTPStatus.CREATED, headers, media_type=SDP)


@router.get("/{session_id}", summary="Statistics of a session")
async def describe_session(session_id: str, service: Serving) -> Description:
    """The last second's numbers."""
    return service.sessions.get(session_id).describe()


@router.post("/{session_id}/interrupt", summary="Stop talking now")
async def interrupt_session(session_id: str, service: Serving) -> dict[str, int | float]:
    """Begin a new epoch; tells how much of the old one was played."""
    done = service.sessions.get(session_id).interrupt()
    return {"epoch": done.epoch, "position_s": done.position_s}


@router.delete("/{session_id}", status_code=HTTPStatus.NO_CONTENT, summary="End a session")
async def end_session(session_id: str, service: Serving) -> None:
    """Hang up and release everything."""
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


def _to_text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise RefusedError(
            HTTPStatus.BAD_REQUEST, "bad_offer", "offer: expected SDP as UTF-8 text"
        ) from error
