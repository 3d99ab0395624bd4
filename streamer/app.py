"""The HTTP application: routers, errors, request ids, the web client."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse
from starlette.staticfiles import StaticFiles

from streamer import (
    routes_avatars,
    routes_direction,
    routes_health,
    routes_sessions,
    routes_standards,
    routes_stream,
)
from streamer.cors import Cors
from streamer.errors import ANYTHING_ELSE, install_error_handlers
from streamer.guard import Guard
from streamer.hosts import Hosts
from streamer.rate_limits import RateLimits
from streamer.request_ids import RequestIds
from streamer.routes_health import program_version
from streamer.security_headers import SecurityHeaders
from streamer.service import Service

_API_PAGE = Path(__file__).with_name("api_page.html")
_API_PREFIX = "v1/"
_PAGE_ENDINGS = (".html", ".css", ".js", ".svg")


def build_app(service: Service, web_folder: Path) -> FastAPI:
    """Make the application; the service runs from its start-up to its shut-down."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with service:
            yield

    app = FastAPI(
        title="vexpress-live",
        version=program_version(),
        description="Speech in, a talking portrait out, live over WebRTC.",
        lifespan=lifespan,
        docs_url=None,  # ours loads nothing from elsewhere
        redoc_url=None,
    )
    app.state.service = service
    web = service.settings.web
    app.add_middleware(Guard, tokens=web.tokens)  # the innermost
    app.add_middleware(RateLimits, settings=web)
    app.add_middleware(Cors, settings=web)
    app.add_middleware(Hosts, names=web.host_names)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestIds)
    install_error_handlers(app)
    app.include_router(routes_sessions.router)
    app.include_router(routes_direction.router)
    app.include_router(routes_stream.router)
    app.include_router(routes_standards.router)
    app.include_router(routes_avatars.router)
    app.include_router(routes_health.router)
    _serve_pages(app, web_folder)
    return app


def _is_page(path: str) -> bool:
    """The page's own files lie in one folder; tests and tools beside them are nobody's business."""
    own = "/" not in path and path.endswith(_PAGE_ENDINGS) and not path.endswith(".test.js")
    return own or path in ("", ".")


def _serve_pages(app: FastAPI, web_folder: Path) -> None:
    files = StaticFiles(directory=web_folder, html=True, check_dir=False)

    @app.get("/docs", include_in_schema=False)
    async def api_page() -> Response:
        return FileResponse(_API_PAGE)

    @app.api_route(
        "/{path:path}", methods=["GET", "HEAD"], name=ANYTHING_ELSE, include_in_schema=False
    )
    async def web_client(path: str, request: Request) -> Response:
        if path.startswith(_API_PREFIX) or not _is_page(path):
            raise HTTPException(HTTPStatus.NOT_FOUND)
        response = await files.get_response(path or ".", request.scope)
        response.headers["Cache-Control"] = "no-cache"
        return response
