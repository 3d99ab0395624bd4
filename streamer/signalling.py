"""The HTTP grammar of WHIP (RFC 9725), shared by all calls that open a WebRTC session."""

import time
from http import HTTPStatus

from fastapi import Request, Response

from streamer.bodies import read_body, require_media_type
from streamer.errors import RefusedError
from streamer.ice import IceServer
from streamer.preconditions import ice_tag, require_acceptable, require_match
from streamer.service import Service
from streamer.trickle import MAX_FRAGMENT_BYTES, Fragment, parse_fragment

SDP = "application/sdp"
RECLAIM_HEADER = "Reclaim-Token"
SDP_FRAGMENT = "application/trickle-ice-sdpfrag"
MAX_OFFER_BYTES = 64 * 1024
SDP_BODY = {"requestBody": {"required": True, "content": {SDP: {"schema": {"type": "string"}}}}}
FRAGMENT_BODY = {
    "requestBody": {"required": True, "content": {SDP_FRAGMENT: {"schema": {"type": "string"}}}}
}


async def read_offer(request: Request, service: Service) -> str:
    """The offer in a request, once the server could answer it. Raises `RefusedError`."""
    require_media_type(request, SDP)
    require_acceptable(request, SDP)
    body = await read_body(request, MAX_OFFER_BYTES)
    if RECLAIM_HEADER not in request.headers:  # those inside may come back at any time
        service.check_ready()
    return _to_text(body, "offer")


async def read_fragment(request: Request, resource_id: str) -> Fragment:
    """Candidates in a PATCH request that knows what it changes. Raises `RefusedError`."""
    require_media_type(request, SDP_FRAGMENT)
    require_match(request, ice_tag(resource_id))
    return parse_fragment(_to_text(await read_body(request, MAX_FRAGMENT_BYTES), "fragment"))


def created(answer: str, location: str, ice_servers: list[IceServer]) -> Response:
    """201 with the answer, where the session lives, and how peers find a way."""
    response = Response(answer, HTTPStatus.CREATED, media_type=SDP)
    response.headers["Location"] = location
    response.headers["ETag"] = ice_tag(location.rsplit("/", 1)[-1])
    response.headers["Accept-Patch"] = SDP_FRAGMENT
    for server in ice_servers:
        response.headers.append("Link", server.link())
    return response


def options(allowed: str, ice_servers: list[IceServer]) -> Response:
    """What a place takes; clients ask for it before they know any session."""
    response = Response(status_code=HTTPStatus.NO_CONTENT)
    response.headers["Allow"] = allowed
    response.headers["Accept-Post"] = SDP
    for server in ice_servers:
        response.headers.append("Link", server.link())
    return response


def ice_servers(service: Service, name: str) -> list[IceServer]:
    """With credentials that begin to age now."""
    return service.settings.ice.servers(name, time.time())


def _to_text(body: bytes, what: str) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise RefusedError(
            HTTPStatus.BAD_REQUEST, f"bad_{what}", f"{what}: expected SDP as UTF-8 text"
        ) from error
