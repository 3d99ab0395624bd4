"""Calls that outlive the page's connection, and the page itself."""

from typing import Any

import httpx
import pytest
from aiortc import RTCPeerConnection
from playwright.async_api import Response

from streamer import connection
from tests.web.conftest import Visit, Visits

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> list[RTCPeerConnection]:
    """The server's ends of all calls, in their order."""
    made: list[RTCPeerConnection] = []

    class Remembered(RTCPeerConnection):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            made.append(self)

    monkeypatch.setattr(connection, "RTCPeerConnection", Remembered)
    return made


def unplug(end: RTCPeerConnection) -> None:
    """Let no packet through any more, in either direction."""
    transport: Any = end.sctp
    for protocol in transport.transport.transport._connection._protocols:
        protocol.transport.sendto = lambda *_: None
        protocol.datagram_received = lambda *_: None


def sessions_of(visit: Visit) -> list[str]:
    """Where the page's calls live, as they are opened."""
    places: list[str] = []

    def note(response: Response) -> None:
        if response.status == 201:
            places.append(response.headers["location"])

    visit.page.on("response", note)
    return places


async def described(visit: Visit, place: str) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=visit.url) as http:
        return dict((await http.get(place)).json())


async def test_a_broken_connection_is_replaced(
    visits: Visits, ends: list[RTCPeerConnection]
) -> None:
    visit = await visits()
    places = sessions_of(visit)
    await visit.connect()
    await visit.page.click("#interrupt")
    await visit.wait_for_status("Interrupted")
    unplug(ends[0])
    await visit.wait_for_status("Reconnecting")
    assert await visit.text_of("disconnect") == "Cancel"
    await visit.wait_for_status("Connected again")
    await visit.page.wait_for_selector("#step-first-frame[data-state=done]")
    assert places == [places[0]] * 2
    now = await described(visit, places[0])
    assert (now["state"], now["epoch"]) == ("live", 1)
    assert await visit.steps() == ["done"] * 5
    await visit.page.click("#disconnect")
    await visit.wait_for_status("Disconnected")
    assert visit.problems == []


async def test_a_page_that_is_loaded_again_goes_on(visits: Visits) -> None:
    visit = await visits()
    places = sessions_of(visit)
    await visit.connect()
    await visit.page.click("#mute")
    await visit.page.click("#interrupt")
    await visit.wait_for_status("Interrupted")
    for _ in range(2):
        await visit.page.reload()
        await visit.page.wait_for_selector("#step-first-frame[data-state=done]")
    await visit.wait_for_status("Connected. Speak")
    assert places == [places[0]] * 3
    now = await described(visit, places[0])
    assert (now["state"], now["epoch"]) == ("live", 1)
    assert await visit.page.get_attribute("#mute", "aria-pressed") == "true"
    await visit.page.click("#disconnect")
    await visit.wait_for_status("Disconnected")
    await visit.page.reload()
    assert await visit.page.is_visible("#connect")
    assert visit.problems == []
    stale = '{"ticket": "stale", "isMuted": false, "until_ms": 1e15}'
    await visit.page.evaluate("kept => sessionStorage.setItem('vexpress-call', kept)", stale)
    await visit.page.reload()
    await visit.wait_for_status("The connection was lost")
    assert await visit.page.is_visible("#connect")
