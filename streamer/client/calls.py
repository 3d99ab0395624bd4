"""HTTP calls of the client, and what can go wrong on the way to a server."""

import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any

from engine.api import AvatarError

CALL_WITHIN_S = 10.0
_SCHEMES = {"http": "ws", "https": "wss"}


class ServerAbsentError(AvatarError):
    """Nobody answers there."""


class RefusedError(AvatarError):
    """The server said no; `code` is its reason for programs, the text is for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where it is, and what opens its door."""

    url: str = "http://127.0.0.1:8010"
    token: str | None = None

    def __post_init__(self) -> None:
        parts = urllib.parse.urlsplit(self.url)
        if parts.scheme not in _SCHEMES or not parts.hostname:
            raise ServerAbsentError(f"server {self.url!r}: expected http://host:port or https://")

    @property
    def headers(self) -> dict[str, str]:
        """Of every request."""
        return {} if self.token is None else {"Authorization": f"Bearer {self.token}"}

    def websocket_url(self, path: str) -> str:
        """The address of a websocket."""
        scheme, _, rest = self.url.partition("://")
        return f"{_SCHEMES[scheme]}://{rest.rstrip('/')}{path}"

    def get(self, path: str) -> Any:
        """GET JSON. Blocks; raises `ServerAbsentError` and `RefusedError`."""
        request = urllib.request.Request(self.url.rstrip("/") + path, headers=self.headers)
        try:
            with urllib.request.urlopen(request, timeout=CALL_WITHIN_S) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise refusal(error.read(), f"{path}: status {error.code}") from error
        except (OSError, ValueError) as error:
            raise absent(self.url, error) from error


def absent(url: str, error: Exception) -> ServerAbsentError:
    """Say that nobody answers."""
    reason = getattr(error, "reason", None) or error
    return ServerAbsentError(f"no avatar server answers at {url} ({reason}): is it running?")


def refusal(body: bytes | str, otherwise: str) -> RefusedError:
    """What a server's error object says."""
    try:
        told = json.loads(body)["error"]
        return RefusedError(str(told["code"]), str(told["message"]))
    except (ValueError, TypeError, LookupError):
        return RefusedError("unknown", otherwise)
