"""The few HTTP requests that measurements make, with nothing but the standard library."""

import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_good(self) -> bool:
        """Whether the server did what it was asked."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES


def request(method: str, url: str, body: bytes = b"", content_type: str = "") -> Reply:
    """Ask and wait. A refusal is a reply too; raises `OSError` when nobody answers."""
    headers = {"Content-Type": content_type} if content_type else {}
    asked = urllib.request.Request(url, data=body or None, headers=headers, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=_TIMEOUT_S) as answer:
            lower = {name.lower(): value for name, value in answer.headers.items()}
            return Reply(answer.status, lower, answer.read())
    except urllib.error.HTTPError as refusal:
        with refusal:
            return Reply(refusal.code, {}, refusal.read())
