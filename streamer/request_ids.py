"""Every response names its request."""

import re
import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streamer.logs import REQUEST_ID

REQUEST_ID_HEADER = "X-Request-Id"
_STATE_KEY = "request_id"
_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ID_BYTES = 8


def request_id_of(scope: Scope) -> str:
    """The name that a request was given."""
    return str(scope.get("state", {}).get(_STATE_KEY, "-"))


class RequestIds:
    """Keeps the caller's request id, or makes one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
        request_id = given if _ACCEPTED.fullmatch(given) else secrets.token_hex(_ID_BYTES)
        scope.setdefault("state", {})[_STATE_KEY] = request_id
        REQUEST_ID.set(request_id)  # each request is served in a context of its own

        async def send_named(message: Message) -> None:
            if message["type"].endswith("response.start"):
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = request_id
            await send(message)

        await self._app(scope, receive, send_named)
