"""The portrait directed from the page, with the real engine, measured on the pictures it sends."""

import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from benchmarks.curves import Floats
from benchmarks.tracking import watched
from engine.api import Picture
from tests.browser.cameras import write_camera
from tests.browser.conftest import ARGUMENTS
from tests.browser.filming import Film, film

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240)]

CLIP = Path(__file__).parents[3] / "shared" / "corpus" / "ship_hdtf_WDA_KatieHill_0020.mp4"
CLIP_S = 8.0
PATIENCE_MS = 40_000
PATIENCE_S = 40
YAW = 0
LONGEST_LAG_S = 4.0  # on a busy machine
SMALL_PIXELS, ENOUGH_PICTURES = 256, 150  # which a busy machine films in 40 s


def connect(page: Page) -> None:
    page.click("#connect")
    done = page.locator("#step-first-frame")
    expect(done).to_have_attribute("data-state", "done", timeout=PATIENCE_MS)
    expect(page.locator("input[name=yaw]")).to_be_enabled(timeout=PATIENCE_MS)


def yaw_of(page: Page, seconds: float) -> Floats:
    """The head's turn in radians in what the page shows."""
    return watched(film(page, seconds).pictures).angles[:, YAW]


@pytest.fixture(scope="module")
def browser(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser whose camera sees a person who talks and turns her head, if the film is there."""
    camera = tmp_path_factory.mktemp("camera") / "camera.y4m"
    arguments = list(ARGUMENTS)
    if CLIP.is_file():
        write_camera(camera, pictures_of(CLIP))
        arguments.append(f"--use-file-for-fake-video-capture={camera}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield browser
        browser.close()


def pictures_of(path: Path) -> Iterator[Picture]:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)


def test_a_slider_turns_the_head(page: Page) -> None:
    connect(page)
    turned = []
    for value in (-9, 9):
        page.fill("input[name=yaw]", str(value))
        begun_s = time.monotonic()
        while True:  # until it is seen; a busy machine takes longer
            turned.append(float(np.degrees(np.median(yaw_of(page, 1.5)))))
            if value < 0 or turned[-1] - turned[0] > 9 or time.monotonic() - begun_s > PATIENCE_S:
                break
    page.click("#disconnect")
    assert turned[-1] - turned[0] > 9, turned


@pytest.mark.skipif(not CLIP.is_file(), reason=f"no film of a person at {CLIP}")
def test_a_head_before_the_camera_turns_the_portrait(page: Page) -> None:
    connect(page)
    page.click("#camera-switch")
    expect(page.locator("#camera-state")).to_have_text("Driving", timeout=PATIENCE_MS)
    page.wait_for_timeout(1500)
    seen = film(page, CLIP_S + 2, SMALL_PIXELS, with_camera=True, least=ENOUGH_PICTURES)
    page.click("#camera-switch")
    expect(page.locator("#camera-state")).to_have_text("Off", timeout=PATIENCE_MS)
    page.click("#disconnect")
    assert follows(seen) > 0.5


def follows(seen: Film) -> float:
    """Best correlation of the portrait's yaw with that of the person at the same moments or before.

    What the camera showed is filmed too: a busy machine plays a made-up camera unevenly.
    """
    yaw, own = (watched(pictures).angles[:, YAW] for pictures in (seen.pictures, seen.camera))
    own = np.clip(own - np.median(own), -0.2, 0.2)
    found = {
        lag_s: float(np.corrcoef(yaw, np.interp(seen.at_s - lag_s, seen.at_s, own))[0, 1])
        for lag_s in np.arange(0, LONGEST_LAG_S, 1 / 25)
    }
    best_s = max(found, key=lambda lag_s: found[lag_s])
    print(  # noqa: T201
        f"yaw follows the person with correlation {found[best_s]:.3f} after {best_s:.2f} s, "
        f"{len(yaw)} pictures"
    )
    return found[best_s]
