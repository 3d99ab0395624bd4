"""The names that this server answers to.

A page can let its own name point at this machine once it is loaded (DNS rebinding); a browser then
takes the server for that page's own, and no rule about origins holds. Its requests still carry the
page's name. An address instead of a name cannot be turned like that.
"""

import ipaddress
import socket
from collections.abc import Sequence
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from streamer.client_address import is_loopback
from streamer.errors import error_response
from streamer.refusing import refuse
from streamer.web_settings import ANY_HOST

_PROBES = ("/healthz", "/readyz")  # asked by machines that know no name, and telling nothing
_MAX_TOLD = 80


def own_names(bound: str, more: Sequence[str] = ()) -> tuple[str, ...]:
    """What a server that is bound to an address is called, and what else it may be called."""
    machine = socket.gethostname().lower()
    reachable = () if is_loopback(bound) else (machine, f"{machine}.local")
    return ("localhost", bound.lower(), *reachable, *(name.lower() for name in more))


def name_in(host: str) -> str:
    """The name or address in a Host header, without port and brackets."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].rstrip(".")


class Hosts:
    """Answers 421 to requests that are meant for somebody else."""

    def __init__(self, app: ASGIApp, names: tuple[str, ...]) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve or refuse one request."""
        if scope["type"] not in ("http", "websocket") or scope["path"] in _PROBES:
            await self._app(scope, receive, send)
            return
        host = Headers(scope=scope).get("host", "")
        if self._knows(name_in(host)):
            await self._app(scope, receive, send)
            return
        message = f"a request for {host[:_MAX_TOLD]!r}: expected a name of this server"
        status = HTTPStatus.MISDIRECTED_REQUEST
        response = error_response(status, "unknown_host", f"{message}, see --allowed-host")
        await refuse(response, scope, receive, send)

    def _knows(self, name: str) -> bool:
        # Browsers always name a host; who names none is no page.
        return not name or _is_address(name) or any(_fits(name, each) for each in self._names)


def _fits(name: str, allowed: str) -> bool:
    if allowed.startswith("*."):
        return name.endswith(allowed[1:])
    return allowed in (ANY_HOST, name) or name.endswith(".localhost")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
