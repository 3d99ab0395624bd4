"""The whole product as a visitor meets it: page, microphone, WebRTC, engine, page."""

import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import FilePayload, Page, expect

from benchmarks.server_process import ServerProcess
from engine.portraits import bundled_portraits
from tests.browser.filming import film

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240)]

PATIENCE_MS = 30_000
STEPS = ("microphone", "signalling", "ice", "dtls", "first-frame")
FILM_S = 12.0


def connect(page: Page) -> None:
    page.click("#connect")
    for step in STEPS:
        place = page.locator(f"#step-{step}")
        expect(place).to_have_attribute("data-state", "done", timeout=PATIENCE_MS)


def disconnect(page: Page) -> None:
    page.click("#disconnect")
    expect(page.locator("#connect")).to_be_visible()
    expect(page.locator("#stage")).to_have_attribute("data-live", "false")


def test_the_portrait_speaks_with_the_visitor_and_rests_in_silence(
    page: Page, screenshot: Callable[[str], None], shots: Path
) -> None:
    screenshot("1-page")
    connect(page)
    seen = film(page, FILM_S)
    expect(page.locator("#stage")).to_have_attribute("data-speaking", "true")
    screenshot("2-live")
    mouth, speaking, silent = seen.mouth(), seen.speaking(), seen.silent()
    by_opening = np.argsort(mouth)[[0, len(mouth) // 2, -len(mouth) // 8, -1]]
    strip = np.hstack([seen.pictures[index] for index in by_opening])
    cv2.imwrite(str(shots / "2-lips.png"), strip[:, :, ::-1])
    assert speaking.sum() >= 20, f"{speaking.sum()} pictures of speech in {len(mouth)}"
    assert silent.sum() >= 10, f"{silent.sum()} pictures of silence in {len(mouth)}"
    talking, rest = float(np.median(mouth[speaking])), float(np.median(mouth[silent]))
    assert talking > np.percentile(mouth[silent], 95), "the mouth opens no wider than at rest"
    stray = np.percentile(np.abs(mouth[silent] - rest), 90)
    assert stray < 0.35 * (talking - rest), "the mouth is not closed in silence"
    for name in ("fps", "rtt", "mic-to-lips", "skew", "drops"):
        expect(page.locator(f"#readout-{name}")).to_have_text(re.compile(r"\d"), timeout=5000)
    disconnect(page)
    screenshot("3-ended")


def test_pictures_keep_coming_while_nobody_speaks(page: Page) -> None:
    connect(page)
    page.click("#mute")
    page.wait_for_timeout(1500)
    seen = film(page, 4.0)
    assert len(seen.pictures) > 25
    assert seen.level[-10:].max() < 0.02
    changed = [
        not np.array_equal(a, b) for a, b in zip(seen.pictures[:-1], seen.pictures[1:], strict=True)
    ]
    assert any(changed)
    disconnect(page)


def test_an_interrupt_is_acknowledged(page: Page, screenshot: Callable[[str], None]) -> None:
    connect(page)
    page.wait_for_timeout(2500)
    page.click("#interrupt")
    expect(page.locator("#status")).to_have_text(re.compile(r"Interrupted after [\d.]+ s"))
    screenshot("4-interrupted")
    assert len(film(page, 2.0).pictures) > 12, "the call goes on after an interrupt"
    disconnect(page)


def test_a_portrait_is_made_only_with_consent(
    page: Page, server: ServerProcess, tmp_path: Path, screenshot: Callable[[str], None]
) -> None:
    mirrored = bundled_portraits()["astronaut"][:, ::-1, ::-1] * 0.8  # darker, and BGR for OpenCV
    picture = tmp_path / "someone.png"
    cv2.imwrite(str(picture), mirrored.astype(np.uint8))
    posts = list[str]()
    page.on("request", lambda sent: posts.append(sent.url) if sent.method == "POST" else None)
    portraits = page.locator("#avatar-list input")
    page.wait_for_timeout(3500)  # the shelf of bundled portraits fills in the meantime
    before = portraits.count()

    page.set_input_files("#upload-file", picture)
    page.click("#upload-submit")
    message = page.locator("#upload-message")
    expect(message).to_have_attribute("data-kind", "problem")
    expect(message).not_to_be_empty()
    assert posts == []
    screenshot("5-no-consent")

    page.check("#upload-consent")
    page.click("#upload-submit")
    expect(message).to_have_text("someone is ready.", timeout=PATIENCE_MS)
    expect(portraits).to_have_count(before + 1)
    expect(page.locator("#avatar-list input:checked + img + .name")).to_have_text("someone")
    connect(page)
    page.wait_for_timeout(1500)
    screenshot("6-own-portrait")
    disconnect(page)


def test_the_server_itself_refuses_without_consent(page: Page, server: ServerProcess) -> None:
    still = np.full((64, 64, 3), 90, np.uint8)
    encoded = cv2.imencode(".png", still)[1].tobytes()
    part: FilePayload = {"name": "x.png", "mimeType": "image/png", "buffer": encoded}
    reply = page.request.post(
        f"{server.url}/v1/avatars", multipart={"picture": part, "name": "x", "consent": "false"}
    )
    assert reply.status == 400
    assert "consent" in reply.json()["error"]["message"]
