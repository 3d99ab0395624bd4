"""Pages of other origins: let in by name, or kept out.

Same origin only is the default. A page elsewhere must not be able to use a server that happens to
run on its visitor's machine, so what could change something is refused for its Origin header, not
just hidden from the page.
"""

from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streamer.errors import error_response
from streamer.refusing import refuse
from streamer.web_settings import WebSettings

_READING = ("GET", "HEAD", "OPTIONS")
_METHODS = "GET, POST, PATCH, DELETE, OPTIONS"
# ETag is no request header, but a WHIP client in use sends it, and would fail without.
_HEADERS = "Authorization, Content-Type, ETag, If-Match, Reclaim-Token, X-Request-Id"
_EXPOSED = (
    "Location, ETag, Link, Accept-Patch, Accept-Post, Reclaim-Token, Retry-After, X-Request-Id"
)
_PREFLIGHT_LASTS_S = 600


class Cors:
    """Adds the headers that browsers ask for, and answers their preflights."""

    def __init__(self, app: ASGIApp, settings: WebSettings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve or refuse one request."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin", "")
        if not origin or self._is_ours(origin, headers):
            await self._app(scope, receive, send)
        elif self._settings.allows_origin(origin):
            await self._serve_other(origin, scope, receive, send)
        elif scope["type"] == "http" and scope["method"] in _READING:
            await self._app(scope, receive, send)  # the browser hides the answer from the page
        else:
            message = f"a page of {origin[:80]}: expected one of this server, see --cors-origin"
            response = error_response(HTTPStatus.FORBIDDEN, "foreign_origin", message)
            await refuse(response, scope, receive, send)

    def _is_ours(self, origin: str, headers: Headers) -> bool:
        host = headers.get("host", "")
        if self._settings.trust_proxy:
            host = headers.get("x-forwarded-host", host)
        return _place(origin) == host.lower()

    async def _serve_other(self, origin: str, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_shared(message: Message) -> None:
            if message["type"].endswith("response.start"):
                headers = MutableHeaders(scope=message)
                headers["Access-Control-Allow-Origin"] = origin
                headers["Access-Control-Expose-Headers"] = _EXPOSED
                headers.add_vary_header("Origin")
            await send(message)

        asked = Headers(scope=scope).get("access-control-request-method")
        if scope["type"] == "http" and scope["method"] == "OPTIONS" and asked:
            await _allowed()(scope, receive, send_shared)
        else:
            await self._app(scope, receive, send_shared)


def _place(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _allowed() -> Response:
    headers = {
        "Access-Control-Allow-Methods": _METHODS,
        "Access-Control-Allow-Headers": _HEADERS,
        "Access-Control-Max-Age": str(_PREFLIGHT_LASTS_S),
    }
    return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)
