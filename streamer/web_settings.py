"""Whom the server lets in by HTTP, and how often; frozen, read once at the edge."""

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from streamer.tokens import Tokens

ANY_ORIGIN = ANY_HOST = "*"
_HOST_NAME = re.compile(r"\*|(\*\.)?[\w.-]+|[0-9A-Fa-f:.%]+")  # the last for IPv6


@dataclass(frozen=True, slots=True)
class Rate:
    """How often one address may do something: `burst` at once, then `per_s`."""

    per_s: float
    burst: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What is counted."""

    requests: Rate = Rate(50, 300)
    openings: Rate = Rate(1, 30)  # of sessions, websockets and uploads, which cost more
    failures: Rate = Rate(0.1, 10)  # wrong tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """The edge of the server. Raises `ValueError` for what is no origin or no host."""

    tokens: Tokens = field(default_factory=Tokens)
    cors_origins: tuple[str, ...] = ()  # beside our own
    host_names: tuple[str, ...] = (ANY_HOST,)  # that requests may be meant for
    trust_proxy: bool = False  # believe X-Forwarded-For and X-Forwarded-Host
    rates: Rates = Rates()

    def __post_init__(self) -> None:
        for origin in self.cors_origins:
            parts = urlsplit(origin)
            if origin not in {ANY_ORIGIN, f"{parts.scheme}://{parts.netloc}"}:
                raise ValueError(f"--cors-origin {origin!r}: expected https://host or *")

        for name in self.host_names:
            if not _HOST_NAME.fullmatch(name):
                raise ValueError(f"--allowed-host {name!r}: expected a name without port, or *")

    def allows_origin(self, origin: str) -> bool:
        """Whether pages of an origin other than ours may use the server."""
        return origin in self.cors_origins or ANY_ORIGIN in self.cors_origins
