"""Directing from the page: sliders, buttons, presets, and a camera (the browser's test picture)."""

from typing import Any

import pytest
from playwright.async_api import expect

from engine.direction import LIMITS, Direction, Pose
from tests.fakes import FakeStream
from tests.web.conftest import Visit, Visits

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def stream_of(visit: Visit) -> FakeStream:
    return visit.engine.streams[-1]


async def until(visit: Visit, condition: Any) -> None:
    for _ in range(200):
        if condition():
            return
        await visit.page.wait_for_timeout(25)
    pytest.fail("it never came true")


async def test_sliders_buttons_presets_and_reset_reach_the_stream(visits: Visits) -> None:
    visit = await visits()
    page = visit.page
    assert await page.is_disabled("input[name=yaw]")
    await visit.connect()
    await expect(page.locator("input[name=yaw]")).to_be_enabled()
    for value in ("3", "5", "7"):
        await page.fill("input[name=yaw]", value)
    await until(visit, lambda: stream_of(visit).direction.pose.yaw == 7)
    assert await page.text_content("input[name=yaw] + output") == "7°"
    await page.focus("input[name=yaw]")
    await page.keyboard.press("ArrowRight")
    await until(visit, lambda: stream_of(visit).direction.pose.yaw == 7.5)
    await page.click("#emotions button[value=smile]")
    await expect(page.locator("#emotions button[value=smile]")).to_have_attribute(
        "aria-pressed", "true"
    )
    await page.click("#gestures button[value=nod]")
    await until(visit, lambda: stream_of(visit).gestures == ["nod"])
    wanted = Direction(pose=Pose(yaw=7.5), emotion="smile")
    await until(visit, lambda: stream_of(visit).direction == wanted)
    assert await page.input_value("#direction-preset") == ""
    await page.select_option("#direction-preset", "lively")
    await until(visit, lambda: stream_of(visit).direction.strength == 1.3)
    assert stream_of(visit).direction.pose == Pose()
    await page.click("#direction-reset")
    await until(visit, lambda: stream_of(visit).direction == Direction())
    assert await page.input_value("#direction-preset") == "natural"
    assert visit.problems == []


async def test_the_page_follows_what_is_asked_elsewhere(visits: Visits) -> None:
    visit = await visits()
    page = visit.page
    async with page.expect_response(lambda answer: "/v1/sessions?" in answer.url) as opened:
        await visit.connect()
    place = (await (await opened.value).header_value("location")) or ""
    changes = {"pose": {"roll": 30}, "emotion": "serious"}
    await page.request.patch(f"{visit.url}{place}/direction", data=changes)
    low, high = LIMITS["roll"]
    await expect(page.locator("input[name=roll]")).to_have_value(f"{high:g}")
    await expect(page.locator("#emotions button[value=serious]")).to_have_attribute(
        "aria-pressed", "true"
    )
    await expect(page.locator("#direction-message")).to_have_text(
        f"roll 30: limited to {high:g} ({low:g} to {high:g})"
    )
    await page.click("#disconnect")
    assert await page.input_value("input[name=roll]") == "0"


async def test_the_camera_is_switched_on_seen_and_switched_off(visits: Visits) -> None:
    visit = await visits()
    page = visit.page
    await visit.connect()
    await page.focus("#camera-switch")
    await page.keyboard.press("Space")
    await expect(page.locator("#camera-state")).to_have_text("Driving", timeout=20_000)
    assert await page.get_attribute("#camera-switch", "aria-checked") == "true"
    await page.wait_for_function("() => document.getElementById('camera-self').videoWidth > 0")
    await until(visit, lambda: stream_of(visit).puppet_frame)
    await page.click("#camera-switch")
    await expect(page.locator("#camera-state")).to_have_text("Off")
    assert not await page.is_visible("#camera-self")
    await until(visit, lambda: stream_of(visit).puppet_frame is None)
    assert visit.problems == []


async def test_a_camera_that_is_refused_is_explained(deaf_visits: Visits) -> None:
    visit = await deaf_visits()
    await visit.connect()
    await visit.page.click("#camera-switch")
    await expect(visit.page.locator("#camera-message")).to_contain_text("may not use the camera")
    assert await visit.page.get_attribute("#camera-switch", "aria-checked") == "false"
