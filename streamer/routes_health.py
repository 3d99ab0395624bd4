"""What operators and the web client want to know about the server."""

import secrets
import time
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from engine.config import TIMING
from streamer.access import Serving

router = APIRouter(tags=["server"])
_NAME_BYTES = 8
_PROJECT_FILE = Path(__file__).parents[1] / "pyproject.toml"


@cache
def program_version() -> str:
    """The version in the project file: the one place where it stands."""
    project = tomllib.loads(_PROJECT_FILE.read_text(encoding="utf-8"))["project"]
    return str(project["version"])


@router.get("/healthz", summary="Is the process alive?")
async def health() -> dict[str, str]:
    """Always yes, if this comes back."""
    return {"status": "alive"}


@router.get("/readyz", summary="Are the models warm?")
async def readiness(service: Serving) -> dict[str, str]:
    """503 until the default avatar can be talked to."""
    service.check_ready()
    return {"status": "ready"}


@router.get("/metrics", summary="Numbers for Prometheus", response_class=Response)
async def metrics(service: Serving) -> Response:
    """Text exposition."""
    return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)


@router.get("/v1/config", summary="What a client needs to know")
async def config(service: Serving) -> dict[str, Any]:
    """Constant while the server runs."""
    settings = service.settings
    return {
        "version": program_version(),
        "engine": service.parts.name,
        "frame_rate_hz": TIMING.frame_rate_hz,
        "size": settings.portrait.size,
        "badge": settings.badge,
        "max_sessions": settings.sessions.max_sessions,
        "needs_token": bool(settings.web.tokens.roles),
    }


@router.get("/v1/ice-servers", summary="STUN and TURN for a client")
async def ice_servers(service: Serving) -> dict[str, Any]:
    """For `RTCPeerConnection`; credentials are made for this answer and soon expire."""
    ice = service.settings.ice
    servers = ice.servers(secrets.token_hex(_NAME_BYTES), time.time())
    return {
        "ice_servers": [server.describe() for server in servers],
        "ice_transport_policy": "relay" if ice.relay_only else "all",
    }
