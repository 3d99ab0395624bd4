"""Lets in who has a token of the right role. A call that no rule knows needs the highest."""

import re
from http import HTTPStatus
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from streamer.errors import error_response
from streamer.refusing import refuse
from streamer.tokens import Role, Tokens

_REALM = 'Bearer realm="vexpress-live"'
_QUERY_NAME = "token"
_OPEN_TO_ALL = re.compile(r"/v1/config|(?!/v1/|/metrics).*", re.DOTALL)
# Method, path, and the least role; the first that fits counts.
_RULES: tuple[tuple[re.Pattern[str], Role], ...] = (
    (re.compile(r"(GET|HEAD) /v1/avatars(/[^/]+/picture)?"), Role.WATCH),
    (re.compile(r"GET /v1/(ice-servers|directions)"), Role.WATCH),
    (re.compile(r"\w+ /v1/whep(/.*)?"), Role.WATCH),
    (re.compile(r"\w+ /v1/(sessions|whip)(/.*)?|GET /v1/stream"), Role.SPEAK),
    (re.compile(r"POST /v1/avatars"), Role.SPEAK),
)


def role_for(method: str, path: str) -> Role | None:
    """The least role that a call needs; None when it is open to all."""
    if method == "OPTIONS" or _OPEN_TO_ALL.fullmatch(path):
        return None
    call = f"{method} {path}"
    return next((role for rule, role in _RULES if rule.fullmatch(call)), Role.ADMIN)


class Guard:
    """Answers 401 to strangers and 403 to the wrong role. Without any token all doors are open."""

    def __init__(self, app: ASGIApp, tokens: Tokens) -> None:
        self._app = app
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve or refuse one request."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        token = _token_in(scope)
        needed = role_for(str(scope.get("method", "GET")), str(scope["path"]))
        if needed is not None and self._tokens.roles:
            refusal = self._refusal(token, needed)
            if refusal is not None:
                await refuse(refusal, scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, token: str, needed: Role) -> JSONResponse | None:
        role = self._tokens.role_of(token)
        if role is None:
            what = "a token that nobody has" if token else "no token"
            return _refusal(
                HTTPStatus.UNAUTHORIZED,
                "unauthorized",
                f"{what}: expected 'Authorization: Bearer' with one of role {_name(needed)}",
                f'{_REALM}, error="invalid_token"' if token else _REALM,
            )
        if role < needed:
            return _refusal(
                HTTPStatus.FORBIDDEN,
                "wrong_role",
                f"a token of role {_name(role)}: expected {_name(needed)}",
                f'{_REALM}, error="insufficient_scope", scope="{_name(needed)}"',
            )
        return None


def _name(role: Role) -> str:
    return role.name.lower()


def _refusal(status: HTTPStatus, code: str, message: str, challenge: str) -> JSONResponse:
    return error_response(status, code, message, {"WWW-Authenticate": challenge})


def _token_in(scope: Scope) -> str:
    """From the Authorization header; browsers cannot set it on a websocket, so there a query too.

    The query loses the token here: nothing behind this place can write it down.
    """
    scheme, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
    found = token.strip() if scheme.lower() == "bearer" else ""
    if scope["type"] == "websocket":
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        found = found or dict(query).get(_QUERY_NAME, "")
        kept = [(name, value) for name, value in query if name != _QUERY_NAME]
        scope["query_string"] = urlencode(kept).encode()
    return found
