"""Sessions that are cut, taken back, limited and drained, over real WebRTC."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from typing import Any

import httpx
import pytest
from aiortc.exceptions import InvalidStateError

from streamer.lease import LeaseTerms
from streamer.service import EngineParts, ServiceSettings
from tests.streamer.conftest import running_server
from tests.streamer.visitor import SDP_HEADERS, Visitor, visit

pytestmark = pytest.mark.slow
TOKEN = "reclaim-token"


@asynccontextmanager
async def serving(
    settings: ServiceSettings, parts: EngineParts, **terms: float
) -> AsyncIterator[str]:
    rules = replace(settings.sessions, terms=LeaseTerms(**terms))
    async with running_server(replace(settings, sessions=rules, drain_s=3.0), parts) as url:
        yield url


@contextmanager
def unplugged(visitor: Visitor) -> Iterator[None]:
    """Let no packet through, in either direction."""
    connection: Any = visitor.connection.sctp
    protocols = connection.transport.transport._connection._protocols
    kept = [(each, each.transport.sendto, each.datagram_received) for each in protocols]

    def lose(*_: object) -> None: ...

    for protocol, _, _ in kept:
        protocol.transport.sendto = lose
        protocol.datagram_received = lose
    try:
        yield
    finally:
        for protocol, sendto, receive in kept:
            protocol.transport.sendto = sendto
            protocol.datagram_received = receive


async def take_back(visitor: Visitor, token: str) -> httpx.Response:
    await visitor.connection.setLocalDescription(await visitor.connection.createOffer())
    return await visitor.http.post(
        "/v1/sessions",
        content=visitor.connection.localDescription.sdp,
        headers={**SDP_HEADERS, TOKEN: token},
    )


async def test_a_visitor_on_another_connection_goes_on_where_the_first_was(server: str) -> None:
    async with visit(server) as first, visit(server) as second, visit(server) as third:
        await first.connect()
        await first.wait_for(lambda: len(first.video) > 10)
        first.say(type="interrupt")
        await first.wait_for(lambda: first.heard("interrupted"))
        session = (await first.http.get(first.location)).json()
        assert session["state"] == "live"
        answer = await take_back(third, "guessed")
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "unknown_session"
        answer = await take_back(second, first.reclaim_token)
        assert answer.status_code == 201
        assert answer.headers["location"] == first.location
        await second.accept(answer)
        await second.wait_for(lambda: len(second.video) > 10)
        await first.wait_for(lambda: first.heard("closing"))
        assert first.heard("closing")[0]["reason"] == "another connection took over"
        await second.wait_for(lambda: second.heard("stats"))
        described = (await second.http.get(second.location)).json()
        assert (described["state"], described["epoch"]) == ("live", 1)
        assert second.heard("stats")[0]["shown_frames"] > session["shown_frames"]
        await second.wait_for(lambda: any(each.strength > 0.1 for each in second.audio))
        await first.connection.close()  # its end is nobody's business any more
        count = len(second.video)
        await second.wait_for(lambda: len(second.video) > count + 25)


async def test_who_leaves_for_a_moment_finds_the_session_again(server: str) -> None:
    async with visit(server) as first, visit(server) as second:
        await first.connect()
        await first.wait_for(lambda: first.video)
        for grace_s, status in ((99, 422), (-1, 422), (8, 204)):
            answer = await first.http.delete(first.location, params={"grace_s": grace_s})
            assert answer.status_code == status
        assert await state_of(first) == "away"
        await first.connection.close()  # a page that goes away takes its connection along
        await second.accept(await take_back(second, first.reclaim_token))
        assert second.location == first.location
        await second.wait_for(lambda: second.video)
        assert await state_of(second) == "live"


async def test_a_cut_of_the_network_is_survived(
    settings: ServiceSettings, parts: EngineParts
) -> None:
    async with serving(settings, parts, silent_s=1.0, away_s=20) as url, visit(url) as visitor:
        await visitor.connect()
        await visitor.wait_for(lambda: len(visitor.video) > 10 and visitor.heard("stats"))
        pinging = asyncio.create_task(ping(visitor))
        with unplugged(visitor):
            await asyncio.sleep(3.0)
            described = (await visitor.http.get(visitor.location)).json()
            assert described["state"] == "away"
            count = len(visitor.video)
        await visitor.wait_for(lambda: len(visitor.video) > count + 25)
        async with asyncio.timeout(20):  # the data channel repeats itself at growing intervals
            while await state_of(visitor) != "live":  # noqa: ASYNC110  HTTP
                await asyncio.sleep(0.1)
        assert not visitor.heard("closing")
        pinging.cancel()


async def state_of(visitor: Visitor) -> str:
    return str((await visitor.http.get(visitor.location)).json()["state"])


async def ping(visitor: Visitor) -> None:
    with suppress(InvalidStateError):
        while True:
            visitor.say(type="ping", id=1)
            await asyncio.sleep(0.2)


async def test_the_time_limit_is_told_and_kept(
    settings: ServiceSettings, parts: EngineParts
) -> None:
    async with serving(settings, parts, limit_s=3) as url, visit(url) as visitor:
        await visitor.connect()
        await visitor.wait_for(lambda: visitor.heard("closing"))
        (ending,) = visitor.heard("ending")
        assert 0 < ending["in_s"] <= 3
        assert ending["reason"] == visitor.heard("closing")[0]["reason"]
        await visitor.wait_until_gone()


async def test_a_server_told_to_stop_lets_visitors_finish(
    settings: ServiceSettings, parts: EngineParts
) -> None:
    async with serving(settings, parts) as url, visit(url) as inside, visit(url) as outside:
        await inside.connect()
        await inside.wait_for(lambda: inside.video)
        os.kill(os.getpid(), signal.SIGTERM)
        await inside.wait_for(lambda: inside.heard("ending"))
        assert inside.heard("ending")[0] == {
            "type": "ending",
            "in_s": 3.0,
            "reason": "the server stops",
        }
        refused = await outside.offer()
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "draining"
        assert int(refused.headers["retry-after"]) > 0
        assert (await outside.http.get("/readyz")).status_code == 503
        assert (await outside.http.get("/healthz")).status_code == 200
        count = len(inside.video)
        await inside.wait_for(lambda: len(inside.video) > count + 10)
        await inside.wait_for(lambda: inside.heard("closing"))
        await gone(outside)


async def test_a_second_signal_does_not_wait(settings: ServiceSettings, parts: EngineParts) -> None:
    async with (
        running_server(replace(settings, drain_s=600.0), parts) as url,
        visit(url) as inside,
    ):
        await inside.connect()
        await inside.wait_for(lambda: inside.video)
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0.1)
        await inside.wait_for(lambda: inside.heard("closing"))
        await gone(inside)


async def gone(visitor: Visitor) -> None:
    """Wait until the server does not answer any more."""
    with suppress(httpx.TransportError):
        async with asyncio.timeout(20):
            while (await visitor.http.get("/healthz")).is_success:  # noqa: ASYNC110  HTTP
                await asyncio.sleep(0.1)
