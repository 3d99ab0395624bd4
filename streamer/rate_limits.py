"""So many requests per address and no more: token buckets in bounded memory."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from http import HTTPStatus

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streamer.client_address import client_address, is_loopback
from streamer.errors import error_response
from streamer.refusing import refuse
from streamer.web_settings import Rate, WebSettings

MAX_ADDRESSES = 10_000
_OPENINGS = ("/v1/sessions", "/v1/whip", "/v1/whep", "/v1/avatars")


class Buckets:
    """One bucket per address, which fills with time and is emptied by use."""

    def __init__(self, rate: Rate, now_s: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._now_s = now_s
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()  # level, when

    def wait_s(self, address: str) -> float:
        """How long until the bucket holds a token; 0 if it does."""
        return max(0.0, (1 - self._level(address)) / self._rate.per_s)

    def take(self, address: str) -> None:
        """Take one token; a bucket that is empty stays empty."""
        level = max(0.0, self._level(address) - 1)
        self._levels[address] = (level, self._now_s())
        self._levels.move_to_end(address)
        if len(self._levels) > MAX_ADDRESSES:
            self._levels.popitem(last=False)  # untouched for longest, so fullest by now

    def _level(self, address: str) -> float:
        level, then_s = self._levels.get(address, (float(self._rate.burst), self._now_s()))
        gained = (self._now_s() - then_s) * self._rate.per_s
        return min(float(self._rate.burst), level + gained)


class RateLimits:
    """Answers 429 with Retry-After to an address that asks too often.

    This machine's own programs are not limited, unless a proxy speaks for others.
    """

    def __init__(self, app: ASGIApp, settings: WebSettings) -> None:
        self._app = app
        self._trust_proxy = settings.trust_proxy
        self._requests = Buckets(settings.rates.requests)
        self._openings = Buckets(settings.rates.openings)
        self._failures = Buckets(settings.rates.failures)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve or refuse one request."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        address = client_address(scope, self._trust_proxy)
        if is_loopback(address) and not self._trust_proxy:
            await self._app(scope, receive, send)
            return
        buckets = [self._requests, *([self._openings] if _opens(scope) else [])]
        wait_s = max(each.wait_s(address) for each in [*buckets, self._failures])
        if wait_s:
            await refuse(_too_many(wait_s), scope, receive, send)
            return
        for each in buckets:
            each.take(address)

        async def send_watched(message: Message) -> None:
            if message.get("status") == HTTPStatus.UNAUTHORIZED:
                self._failures.take(address)
            await send(message)

        await self._app(scope, receive, send_watched)


def _opens(scope: Scope) -> bool:
    """Whether a request makes something that costs: a session, a websocket, a portrait."""
    if scope["type"] == "websocket":
        return True
    return scope["method"] == "POST" and scope["path"].rstrip("/") in _OPENINGS


def _too_many(wait_s: float) -> JSONResponse:
    seconds = max(1, math.ceil(wait_s))
    message = f"too many requests from this address: try again in {seconds} s"
    return error_response(
        HTTPStatus.TOO_MANY_REQUESTS, "too_many_requests", message, {"Retry-After": str(seconds)}
    )
