"""Every error leaves as `{"error": {"code", "message"}}` with the status that fits."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from engine.api import (
    AvatarError,
    BadPictureError,
    CannotDirectError,
    EngineFullError,
    FaceTooSmallError,
    FaceTurnedError,
    NoFaceError,
    SeveralFacesError,
    StreamClosedError,
    UnknownEmotionError,
    UnknownGestureError,
)
from engine.avatar_store import (
    BadNameError,
    NameTakenError,
    SameAvatarError,
    StoreError,
    UnknownAvatarError,
)
from engine.looks import BadLookError
from streamer.admission import ServerFullError
from streamer.audience import SessionEndedError
from streamer.avatars import BuiltInAvatarError, TooManyAvatarsError, UnreadablePictureError
from streamer.connection import BadOfferError
from streamer.director import CODES
from streamer.hello import BadHelloError
from streamer.pcm_socket import BadSpeechError
from streamer.remote.messages import EngineFaultError, EngineGoneError
from streamer.remote.pictures import NoRoomError
from streamer.request_ids import REQUEST_ID_HEADER, request_id_of
from streamer.sessions import DrainingError, UnknownSessionError
from streamer.studio import NotReadyError
from streamer.trickle import BadFragmentError, IceRestartError, TooManyCandidatesError
from streamer.udp_ports import NoUdpPortError
from streamer.viewers import AudienceFullError, NothingToWatchError
from streamer.worker import WorkerFullError

log = logging.getLogger(__name__)
RETRY_AFTER_S = 5
ANYTHING_ELSE = "anything else"  # name of the route that takes every path nobody else knows
# The first that fits counts, so the special ones come before their base.
_OUR_ERRORS: tuple[tuple[type[AvatarError], HTTPStatus, str], ...] = (
    (BadHelloError, HTTPStatus.BAD_REQUEST, "bad_hello"),
    (BadSpeechError, HTTPStatus.BAD_REQUEST, "bad_speech"),
    (BadOfferError, HTTPStatus.BAD_REQUEST, "bad_offer"),
    (BadFragmentError, HTTPStatus.BAD_REQUEST, "bad_fragment"),
    (TooManyCandidatesError, HTTPStatus.BAD_REQUEST, "too_many_candidates"),
    (IceRestartError, HTTPStatus.UNPROCESSABLE_ENTITY, "no_ice_restart"),
    (BuiltInAvatarError, HTTPStatus.FORBIDDEN, "built_in_avatar"),
    (UnknownAvatarError, HTTPStatus.NOT_FOUND, "unknown_avatar"),
    (UnknownSessionError, HTTPStatus.NOT_FOUND, "unknown_session"),
    (SessionEndedError, HTTPStatus.NOT_FOUND, "unknown_session"),
    (BadNameError, HTTPStatus.BAD_REQUEST, "bad_name"),
    (BadLookError, HTTPStatus.BAD_REQUEST, "bad_look"),
    (NameTakenError, HTTPStatus.CONFLICT, "name_taken"),
    (SameAvatarError, HTTPStatus.CONFLICT, "same_avatar"),
    (TooManyAvatarsError, HTTPStatus.CONFLICT, "too_many_avatars"),
    (UnreadablePictureError, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not_a_picture"),
    (NoFaceError, HTTPStatus.UNPROCESSABLE_ENTITY, "no_face"),
    (SeveralFacesError, HTTPStatus.UNPROCESSABLE_ENTITY, "several_faces"),
    (FaceTooSmallError, HTTPStatus.UNPROCESSABLE_ENTITY, "face_too_small"),
    (FaceTurnedError, HTTPStatus.UNPROCESSABLE_ENTITY, "face_turned"),
    (BadPictureError, HTTPStatus.UNPROCESSABLE_ENTITY, "bad_picture"),
    (UnknownGestureError, HTTPStatus.UNPROCESSABLE_ENTITY, CODES[UnknownGestureError]),
    (UnknownEmotionError, HTTPStatus.UNPROCESSABLE_ENTITY, CODES[UnknownEmotionError]),
    (CannotDirectError, HTTPStatus.CONFLICT, CODES[CannotDirectError]),
    (StreamClosedError, HTTPStatus.GONE, CODES[StreamClosedError]),
    (ServerFullError, HTTPStatus.SERVICE_UNAVAILABLE, "server_full"),
    (StoreError, HTTPStatus.INSUFFICIENT_STORAGE, "cannot_store"),
    (NoRoomError, HTTPStatus.INSUFFICIENT_STORAGE, "cannot_store"),
    (DrainingError, HTTPStatus.SERVICE_UNAVAILABLE, "draining"),
    (EngineFullError, HTTPStatus.SERVICE_UNAVAILABLE, "engine_full"),
    (NoUdpPortError, HTTPStatus.SERVICE_UNAVAILABLE, "no_udp_port"),
    (WorkerFullError, HTTPStatus.SERVICE_UNAVAILABLE, "busy"),
    (AudienceFullError, HTTPStatus.SERVICE_UNAVAILABLE, "audience_full"),
    (NothingToWatchError, HTTPStatus.CONFLICT, "nothing_to_watch"),
    (NotReadyError, HTTPStatus.SERVICE_UNAVAILABLE, "not_ready"),
    (EngineGoneError, HTTPStatus.SERVICE_UNAVAILABLE, "engine_restarts"),
)


class RefusedError(Exception):
    """A request that is refused for its form."""

    def __init__(self, status: HTTPStatus, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def error_response(
    status: int, code: str, message: str, extra: Mapping[str, str] | None = None
) -> JSONResponse:
    """The one shape of an error, with `extra` headers."""
    headers = dict(extra or {})
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_AFTER_S)
    return JSONResponse({"error": {"code": code, "message": message}}, status, headers)


def response_for(error: AvatarError) -> JSONResponse:
    """What one of our own errors looks like from outside."""
    if isinstance(error, EngineFaultError):  # its text is a traceback, for the log only
        log.error("the engine failed: %s", error)
        message = "the engine failed; the server's log holds the details"
        return error_response(HTTPStatus.INTERNAL_SERVER_ERROR, "engine_failed", message)
    later = {"Retry-After": str(RETRY_AFTER_S)} if isinstance(error, NothingToWatchError) else {}
    for kind, status, code in _OUR_ERRORS:
        if isinstance(error, kind):
            return error_response(status, code, str(error), later)
    return error_response(HTTPStatus.BAD_REQUEST, "bad_request", str(error))


def install_error_handlers(app: FastAPI) -> None:
    """Replace the framework's error bodies by ours."""
    app.add_exception_handler(AvatarError, _our_error)
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _unexpected)


async def _our_error(request: Request, error: Exception) -> Response:
    return response_for(cast(AvatarError, error))


async def _refused(request: Request, error: Exception) -> Response:
    refused = cast(RefusedError, error)
    return error_response(refused.status, refused.code, str(refused))


async def _http_error(request: Request, error: Exception) -> Response:
    http = cast(HTTPException, error)
    if http.status_code == HTTPStatus.METHOD_NOT_ALLOWED and _is_unknown(request):
        http = HTTPException(HTTPStatus.NOT_FOUND)  # no method would help
    phrase = HTTPStatus(http.status_code).phrase
    code = phrase.lower().replace(" ", "_").replace("-", "_")
    what = f"{request.method} {request.url.path}"
    message = f"{what}: {phrase.lower()}" if http.detail == phrase else f"{what}: {http.detail}"
    response = error_response(http.status_code, code, message)
    response.headers.update(http.headers or {})
    return response


def _is_unknown(request: Request) -> bool:
    return getattr(request.scope.get("route"), "name", None) == ANYTHING_ELSE


async def _invalid(request: Request, error: Exception) -> Response:
    first = cast(RequestValidationError, error).errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    message = f"{place}: {first['msg']}"
    return error_response(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request", message)


async def _unexpected(request: Request, error: Exception) -> Response:
    log.error("request %s failed", request_id_of(request.scope), exc_info=error)
    message = "the server failed; its log holds the details under this request id"
    response = error_response(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", message)
    # This handler runs outside the middleware that numbers all other responses.
    response.headers[REQUEST_ID_HEADER] = request_id_of(request.scope)
    return response
