"""The page in a real browser, in front of the real server with the fake engine behind it."""

import asyncio
import shutil
import threading
import wave
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright

from engine.api import Avatar, Picture, PortraitOptions, StreamOptions
from engine.picture import read_picture
from streamer.serve import Address, serve
from streamer.service import EngineParts, ServiceSettings
from streamer.sessions import SessionRules
from streamer.web_settings import WebSettings
from tests.fakes import FakeAvatar, FakeEngine, FakeStream
from tests.sounds import chirps

START_S = 20
RATE_HZ = 48_000
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture(autouse=True)
def own_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """What aioice keeps for looking up browsers' local names belongs to one event loop only."""
    monkeypatch.setattr("aioice.ice._mdns", threading.local())


@dataclass
class RecordingEngine(FakeEngine):
    """Remembers what it was given, and the streams that it opened."""

    pictures: list[Picture] = field(default_factory=list)
    options: list[PortraitOptions] = field(default_factory=list)
    streams: list[FakeStream] = field(default_factory=list)

    def open(self, avatar: Avatar, options: StreamOptions) -> FakeStream:
        self.streams.append(super().open(avatar, options))
        return self.streams[-1]

    def prepare(self, picture: Picture, options: PortraitOptions) -> FakeAvatar:
        self.pictures.append(picture)
        self.options.append(options)
        return super().prepare(picture, options)


def portraits() -> dict[str, Picture]:
    return {
        name: np.full((64, 64, 3), level, np.uint8) for name, level in (("Ada", 10), ("Bo", 20))
    }


@dataclass
class Visit:
    """One visitor's browser window, and what went wrong in it."""

    page: Page
    url: str
    engine: RecordingEngine
    problems: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)

    async def open(self, query: str = "", portraits: int = 2) -> None:
        """Load the page and wait for so many portraits."""
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", lambda request: self.addresses.append(request.url))
        await self.page.goto(f"{self.url}/{query}")
        await self.page.wait_for_function(
            "count => document.querySelectorAll('.avatar').length >= count", arg=portraits
        )

    def _note(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.problems.append(message.text)

    async def text_of(self, name: str) -> str:
        return await self.page.inner_text(f"#{name}")

    async def connect(self) -> None:
        """Start a call and see its first frame."""
        await self.page.click("#connect")
        await self.page.wait_for_selector("#step-first-frame[data-state=done]")

    async def steps(self) -> list[str | None]:
        """The states of the connection steps, from the microphone to the first frame."""
        items = await self.page.query_selector_all(".steps li")
        return [await item.get_attribute("data-state") for item in items]

    async def wait_for_status(self, part: str) -> None:
        await self.page.wait_for_function(
            "part => document.getElementById('status').textContent.includes(part)", arg=part
        )


@pytest.fixture
def engine() -> RecordingEngine:
    return RecordingEngine()


@pytest.fixture
def web() -> WebSettings:
    """Open to everybody; tests of tokens have their own."""
    return WebSettings()


@pytest.fixture
async def server(tmp_path: Path, engine: RecordingEngine, web: WebSettings) -> AsyncIterator[str]:
    """A server with room for one visitor; its address."""
    urls: asyncio.Queue[str] = asyncio.Queue()
    options = PortraitOptions(size=128)
    settings = ServiceSettings(
        data_folder=tmp_path,
        portrait=options,
        sessions=SessionRules(max_sessions=1, by_cost=False),
        seed=1,
        web=web,
    )
    parts = EngineParts(
        name="fake", load=lambda: engine, read_picture=read_picture, portraits=portraits
    )
    serving = asyncio.create_task(serve(Address(port=0), settings, parts, urls.put_nowait))
    try:
        async with asyncio.timeout(START_S):
            url = await urls.get()
        yield url
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


@asynccontextmanager
async def _browser(*options: str) -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium: install it with the system's package manager")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*QUIET, *options]
        )
        yield browser
        await browser.close()


@dataclass
class Visits:
    """Opens windows of one browser."""

    browser: Browser
    url: str
    engine: RecordingEngine
    owned: AsyncExitStack

    async def __call__(
        self, query: str = "", width: int = 1280, script: str = "", portraits: int = 2
    ) -> Visit:
        context: BrowserContext = await self.browser.new_context(
            viewport={"width": width, "height": 800}, locale="en-GB"
        )
        self.owned.push_async_callback(context.close)
        if script:
            await context.add_init_script(script)
        visit = Visit(await context.new_page(), self.url, self.engine)
        await visit.open(query, portraits)
        return visit


@pytest.fixture
def voice_file(tmp_path: Path) -> Path:
    """What the browser takes for its microphone: noise in bursts, four seconds, repeated."""
    path = tmp_path / "voice.wav"
    samples = (chirps(RATE_HZ, 4.0)[0] * np.iinfo(np.int16).max).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(samples.tobytes())
    return path


@pytest.fixture
async def visits(server: str, engine: RecordingEngine, voice_file: Path) -> AsyncIterator[Visits]:
    """Windows of a browser that has a microphone and may use it."""
    microphone = (
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={voice_file}",
    )
    async with _browser(*microphone) as browser, AsyncExitStack() as owned:
        yield Visits(browser, server, engine, owned)


@pytest.fixture
async def deaf_visits(server: str, engine: RecordingEngine) -> AsyncIterator[Visits]:
    """Windows of a browser that refuses its microphone."""
    async with (
        _browser("--use-fake-device-for-media-stream") as browser,
        AsyncExitStack() as owned,
    ):
        yield Visits(browser, server, engine, owned)
