"""Calls as the page leads them, with the real server at the other end."""

import httpx
import pytest
from playwright.async_api import Response

from tests.web.conftest import Visit, Visits

pytestmark = [pytest.mark.browser, pytest.mark.slow]
ALL_DONE = ["done"] * 5


async def open_sessions(visit: Visit) -> int:
    async with httpx.AsyncClient(base_url=visit.url) as http:
        lines = (await http.get("/metrics")).text.splitlines()
    return int(float(next(x.split()[1] for x in lines if x.startswith("vexpress_sessions "))))


async def wait_until_empty(visit: Visit) -> None:
    for _ in range(50):
        if await open_sessions(visit) == 0:
            return
        await visit.page.wait_for_timeout(100)
    pytest.fail("the session outlived its visitor")


async def test_a_call_from_connect_to_disconnect(visits: Visits) -> None:
    visit = await visits()
    page = visit.page
    await visit.connect()
    assert await visit.steps() == ALL_DONE
    await page.wait_for_function("() => document.getElementById('mic-level').value > 0.3")
    for name in ("fps", "rtt", "mic-to-lips", "skew", "drops"):
        await page.wait_for_function(
            "name => /\\d/.test(document.getElementById('readout-' + name).textContent)", arg=name
        )
    await page.click("#interrupt")
    await visit.wait_for_status("Interrupted after")
    assert await open_sessions(visit) == 1
    await page.click("#disconnect")
    await visit.wait_for_status("Disconnected")
    assert await page.evaluate("document.activeElement.id") == "connect"
    assert await visit.steps() == ["pending"] * 5
    await page.wait_for_function("() => document.getElementById('mic-level').value === 0")
    await wait_until_empty(visit)
    assert visit.problems == []


async def test_the_offer_waits_for_no_candidate_and_all_of_them_follow(visits: Visits) -> None:
    visit = await visits()
    sent: list[Response] = []

    def note(response: Response) -> None:
        sent.append(response)

    visit.page.on("response", note)
    await visit.connect()
    fragment = ""
    while "a=end-of-candidates" not in fragment:
        await visit.page.wait_for_timeout(50)
        patches = [each for each in sent if each.request.method == "PATCH"]
        assert {each.status for each in patches} <= {204}
        fragment = "".join(each.request.post_data or "" for each in patches)
    assert "a=mid:0" in fragment
    assert "a=candidate:" in fragment
    await visit.page.click("#disconnect")
    await visit.wait_for_status("Disconnected")
    assert visit.problems == []


async def test_the_next_call_waits_for_the_end_of_the_former(visits: Visits) -> None:
    visit = await visits()  # the server has room for one
    for _ in range(2):
        await visit.connect()
        await visit.page.click("#disconnect")
    await visit.connect()
    assert await visit.steps() == ALL_DONE
    assert visit.problems == []


async def test_muting_silences_the_microphone_only(visits: Visits) -> None:
    visit = await visits()
    await visit.connect()
    await visit.page.click("#mute")
    assert await visit.page.get_attribute("#mute", "aria-pressed") == "true"
    await visit.page.wait_for_function("() => document.getElementById('mic-level').value === 0")
    await visit.page.click("#mute")
    await visit.page.wait_for_function("() => document.getElementById('mic-level').value > 0.3")
    assert await visit.steps() == ALL_DONE


async def test_without_a_microphone_one_can_still_watch(deaf_visits: Visits) -> None:
    visit = await deaf_visits()
    await visit.connect()
    assert await visit.steps() == ["failed", *["done"] * 4]
    assert "may not use" in await visit.page.inner_text("#step-microphone .note")
    assert "without a microphone" in await visit.text_of("status")
    assert await visit.page.is_disabled("#mute")


async def test_a_full_server_says_when_to_come_back(visits: Visits) -> None:
    first, second = await visits(), await visits()
    await first.connect()
    await second.page.click("#connect")
    await second.wait_for_status("Try again in 5 s")
    assert await second.steps() == ["done", "failed", "pending", "pending", "pending"]
    await first.page.click("#disconnect")
    await wait_until_empty(first)
    await second.connect()
    assert await second.steps() == ALL_DONE


async def test_the_server_may_end_a_call(visits: Visits) -> None:
    visit = await visits()
    places: list[str] = []

    def note(response: Response) -> None:
        places.append(response.headers.get("location", ""))

    visit.page.on("response", note)
    await visit.connect()
    async with httpx.AsyncClient(base_url=visit.url) as http:
        await http.delete(next(filter(None, places)))
    await visit.wait_for_status("The server ended the session")
    assert await visit.page.is_visible("#connect")
    assert visit.problems == []


async def test_leaving_the_page_leaves_the_session_for_a_while_only(visits: Visits) -> None:
    visit = await visits()
    await visit.connect()
    await visit.page.goto("about:blank")
    async with httpx.AsyncClient(base_url=visit.url) as http:
        for _ in range(50):
            text = (await http.get("/metrics")).text
            if 'vexpress_sessions_by_state{state="live"} 0.0' in text:
                return
            await visit.page.wait_for_timeout(100)
    pytest.fail("a session without its visitor counts as live")


async def test_hanging_up_early_gives_the_microphone_back(visits: Visits) -> None:
    slow = """
      const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = async (wanted) => {
        await new Promise((resolve) => setTimeout(resolve, 500));
        return (window.microphone = await open(wanted));
      };"""
    visit = await visits(script=slow)
    await visit.page.click("#connect")
    assert await visit.text_of("disconnect") == "Cancel"
    await visit.page.click("#disconnect")
    await visit.page.wait_for_function(
        "() => window.microphone?.getTracks().every((track) => track.readyState === 'ended')"
    )
    assert await visit.steps() == ["pending"] * 5
    assert await visit.page.is_visible("#connect")


async def test_a_browser_without_webrtc_is_told(visits: Visits) -> None:
    visit = await visits(script="delete window.RTCPeerConnection")
    assert "WebRTC" in await visit.text_of("status")
    assert await visit.page.is_disabled("#connect")
