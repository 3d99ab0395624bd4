"""How peers find a way to us: STUN and TURN servers, and credentials that soon expire."""

import base64
import hmac
import re
from dataclasses import dataclass, field
from hashlib import sha1
from pathlib import Path
from typing import TypeAlias

from aiortc import RTCConfiguration, RTCIceServer, RTCIceTransportPolicy

CREDENTIALS_LAST_S = 6 * 3600  # TURN asks for them again at each refresh, so longer than a call
_STUN_URL = re.compile(r"stun:[^:?\s,;<>\"]+(:\d{1,5})?")
_TURN_URL = re.compile(r"turns?:[^:?\s,;<>\"]+(:\d{1,5})?(\?transport=(udp|tcp))?")
_LOWEST_PORT, _PORTS = 1024, 1 << 16
_PORT_RANGE = re.compile(r"(\d{1,5})-(\d{1,5})")

ServerDescription: TypeAlias = dict[str, str]


@dataclass(frozen=True, slots=True)
class IceServer:
    """One STUN or TURN server, as a peer is told of it."""

    url: str
    username: str = ""
    credential: str = field(default="", repr=False)

    def describe(self) -> ServerDescription:
        """As browsers want it in `RTCConfiguration.iceServers`."""
        if not self.username:
            return {"urls": self.url}
        return {"urls": self.url, "username": self.username, "credential": self.credential}

    def link(self) -> str:
        """As a value of the `Link` header, RFC 9725 section 4.6."""
        if not self.username:
            return f'<{self.url}>; rel="ice-server"'
        return (
            f'<{self.url}>; rel="ice-server"; username="{self.username}"; '
            f'credential="{self.credential}"; credential-type="password"'
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class IceSettings:
    """What an operator chose. Raises `ValueError` where the parts do not fit together."""

    stun: tuple[str, ...] = ()
    turn: tuple[str, ...] = ()
    turn_secret: str = field(default="", repr=False)  # shared with the TURN server
    udp_ports: range | None = None  # None: any port
    relay_only: bool = False

    def __post_init__(self) -> None:
        for url in self.stun:
            if not _STUN_URL.fullmatch(url):
                raise ValueError(f"STUN server {url!r}: expected stun:host or stun:host:port")
        for url in self.turn:
            if not _TURN_URL.fullmatch(url):
                raise ValueError(f"TURN server {url!r}: expected turn:host:port?transport=udp")
        if self.turn and not self.turn_secret:
            raise ValueError("--turn without --turn-secret-file: expected the server's secret")
        if self.relay_only and not self.turn:
            raise ValueError("--relay-only without --turn: expected a server that relays")

    def servers(self, name: str, now_s: float) -> list[IceServer]:
        """All servers, with credentials for `name` that are made at `now_s`, seconds since 1970.

        The scheme is the one called "TURN REST API" in coturn (draft-uberti-behave-turn-rest-00):
        the user name tells when it expires, the password is an HMAC-SHA1 over it.
        """
        username = f"{int(now_s) + CREDENTIALS_LAST_S}:{name}"
        mac = hmac.new(self.turn_secret.encode(), username.encode(), sha1)
        credential = base64.b64encode(mac.digest()).decode()
        relays = [IceServer(url, username, credential) for url in self.turn]
        return [IceServer(url) for url in self.stun] + relays

    def configuration(self, name: str, now_s: float) -> RTCConfiguration:
        """The same for our own end. Never empty-handed: aiortc would ask a server of its choice."""
        servers = [
            RTCIceServer(server.url, server.username or None, server.credential or None)
            for server in self.servers(name, now_s)
        ]
        policy = RTCIceTransportPolicy.RELAY if self.relay_only else RTCIceTransportPolicy.ALL
        return RTCConfiguration(iceServers=servers, iceTransportPolicy=policy)


def read_secret(path: Path | None) -> str:
    """A secret from a file, without the line's end; none from no file. Raises `ValueError`."""
    if path is None:
        return ""
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"secret file {path}: cannot be read, expected one line") from error
    if not secret:
        raise ValueError(f"secret file {path}: empty, expected one line")
    return secret


def port_range(text: str) -> range:
    """`first-last`, both included. Raises `ValueError`."""
    match = _PORT_RANGE.fullmatch(text)
    first, last = (int(part) for part in match.groups()) if match else (0, 0)
    if not _LOWEST_PORT <= first <= last < _PORTS:
        raise ValueError(f"--udp-ports {text!r}: expected first-last, such as 50000-50100")
    return range(first, last + 1)
