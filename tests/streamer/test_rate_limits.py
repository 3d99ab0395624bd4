from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer import rate_limits
from streamer.app import build_app
from streamer.client_address import client_address, is_loopback
from streamer.rate_limits import Buckets
from streamer.service import EngineParts, Service, ServiceSettings
from streamer.tokens import Role, Tokens
from streamer.web_settings import Rate, Rates, WebSettings
from tests.streamer.refusals import assert_error

STRANGER = "203.0.113.5"
FEW = Rates(requests=Rate(0.01, 5), openings=Rate(0.01, 2), failures=Rate(0.01, 2))


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_a_bucket_empties_and_fills() -> None:
    clock = Clock()
    buckets = Buckets(Rate(per_s=2, burst=3), clock)
    for _ in range(3):
        assert buckets.wait_s("a") == 0
        buckets.take("a")
    assert buckets.wait_s("a") == pytest.approx(0.5)
    assert buckets.wait_s("b") == 0
    clock.now_s = 0.5
    assert buckets.wait_s("a") == 0
    clock.now_s = 100.0
    for _ in range(3):
        buckets.take("a")
    assert buckets.wait_s("a") > 0


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 2)), max_size=80))
def test_never_more_than_the_burst_and_the_rate(calls: list[tuple[str, float]]) -> None:
    clock, rate = Clock(), Rate(per_s=1, burst=4)
    buckets, taken = Buckets(rate, clock), dict.fromkeys("abc", 0)
    for address, pause_s in calls:
        clock.now_s += pause_s
        if buckets.wait_s(address) == 0:
            buckets.take(address)
            taken[address] += 1
        assert taken[address] <= rate.burst + clock.now_s * rate.per_s + 1e-6


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "MAX_ADDRESSES", 10)
    buckets = Buckets(Rate(1, 1), Clock())
    for number in range(100):
        buckets.take(str(number))
    assert len(buckets._levels) == 10
    assert buckets.wait_s("99") > 0


@pytest.mark.parametrize(
    ("client", "forwarded", "trust", "address"),
    [
        ("192.0.2.1", [], False, "192.0.2.1"),
        ("192.0.2.1", ["198.51.100.7"], False, "192.0.2.1"),
        ("127.0.0.1", ["198.51.100.7"], True, "198.51.100.7"),
        ("127.0.0.1", ["6.6.6.6, 198.51.100.7"], True, "198.51.100.7"),
        ("127.0.0.1", ["6.6.6.6", "198.51.100.7"], True, "198.51.100.7"),
        ("127.0.0.1", [], True, "127.0.0.1"),
        ("127.0.0.1", ["nonsense"], True, "unknown"),
        ("2001:db8:1:2:3:4:5:6", [], False, "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", [], False, "192.0.2.1"),
        ("::1", [], False, "::1"),
    ],
)
def test_whose_address_counts(client: str, forwarded: list[str], trust: bool, address: str) -> None:
    headers = [(b"x-forwarded-for", each.encode()) for each in forwarded]
    scope = {"type": "http", "client": (client, 1), "headers": headers}
    assert client_address(scope, trust) == address


def test_what_is_this_machine() -> None:
    assert is_loopback("127.0.0.1")
    assert is_loopback("::1")
    assert is_loopback("localhost")
    assert not is_loopback("0.0.0.0")
    assert not is_loopback("example.com")


@asynccontextmanager
async def client_of(
    service: Service, folder: Path, address: str = STRANGER
) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(build_app(service, folder), client=(address, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        yield http


def limited(settings: ServiceSettings, parts: EngineParts, **web: object) -> Service:
    chosen = WebSettings(rates=FEW, **web)  # type: ignore[arg-type]
    return Service(replace(settings, web=chosen), parts)


async def test_too_many_requests_are_put_off(
    settings: ServiceSettings, parts: EngineParts, tmp_path: Path
) -> None:
    async with client_of(limited(settings, parts), tmp_path) as http:
        codes = [(await http.get("/healthz")).status_code for _ in range(6)]
        assert codes == [200] * 5 + [429]
        answer = await http.get("/healthz")
        assert_error(answer, 429, "too_many_requests")
        assert 0 < int(answer.headers["retry-after"]) <= 100


async def test_sessions_are_counted_apart(
    settings: ServiceSettings, parts: EngineParts, tmp_path: Path
) -> None:
    async with client_of(limited(settings, parts), tmp_path) as http:
        codes = [(await http.post("/v1/sessions")).status_code for _ in range(3)]
        assert codes == [415, 415, 429]
        assert (await http.get("/healthz")).status_code == 200


async def test_guessing_tokens_is_slow(
    settings: ServiceSettings, parts: EngineParts, tmp_path: Path
) -> None:
    service = limited(settings, parts, tokens=Tokens({"00": Role.WATCH}))
    async with client_of(service, tmp_path) as http:
        codes = [(await http.get("/v1/avatars")).status_code for _ in range(3)]
    assert codes == [401, 401, 429]


async def test_own_programs_are_not_limited_but_a_proxy_is(
    settings: ServiceSettings, parts: EngineParts, tmp_path: Path
) -> None:
    async with client_of(limited(settings, parts), tmp_path, "127.0.0.1") as http:
        assert {(await http.get("/healthz")).status_code for _ in range(20)} == {200}
    behind = limited(settings, parts, trust_proxy=True)
    async with client_of(behind, tmp_path, "127.0.0.1") as http:
        for _ in range(5):
            await http.get("/healthz", headers={"x-forwarded-for": STRANGER})
        late = await http.get("/healthz", headers={"x-forwarded-for": STRANGER})
        other = await http.get("/healthz", headers={"x-forwarded-for": "198.51.100.7"})
    assert (late.status_code, other.status_code) == (429, 200)
