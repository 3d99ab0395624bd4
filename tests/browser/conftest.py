"""A real server in a process of its own, and a real browser with made-up speech as microphone.

CHROMIUM names the browser, SERVER_PROGRAM another server program to try (it must take the same
flags), SCREENSHOTS a folder for pictures of the page.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.server_process import SERVER, ServerProcess, running_server
from tests.speech import Pace, syllables, write_wav

USUAL_PLACE = "/usr/bin/chromium"
SPEECH = Pace((4, 9), (1.0, 1.6))
SPEECH_S = 20.0
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's path; skips, saying why, where there is none."""
    path = os.environ.get("CHROMIUM", USUAL_PLACE)
    if shutil.which(path) is None:
        pytest.skip(f"no browser test: no Chromium at {path} (CHROMIUM may name another place)")
    return path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("server")
    program = Path(os.environ.get("SERVER_PROGRAM", SERVER))
    flags = ["--data-dir", str(folder / "data"), "--seed", "1"]
    surroundings = {"VEXPRESS_CACHE_DIR": str(folder / "cache")}
    with running_server(flags, program, surroundings) as running:
        yield running


@pytest.fixture(scope="module")
def browser(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    speech = tmp_path_factory.mktemp("speech") / "speech.wav"
    write_wav(speech, syllables(SPEECH_S, 7, SPEECH)[0])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=[*ARGUMENTS, f"--use-file-for-fake-audio-capture={speech}"],
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, server: ServerProcess) -> Iterator[Page]:
    """The loaded page; the test fails when the page has logged an error."""
    context = browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 900})
    page, errors = context.new_page(), list[str]()
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(server.url)
    page.locator("#avatar-list input").first.wait_for(state="attached")
    yield page
    context.close()
    assert errors == []


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """Where pictures for people go."""
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def screenshot(page: Page, shots: Path) -> Callable[[str], None]:
    """Keep a picture of the page under a name."""

    def shoot(name: str) -> None:
        page.screenshot(path=shots / f"{name}.png", full_page=True)

    return shoot
