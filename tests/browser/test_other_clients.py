"""WHIP and WHEP with clients that nobody here wrote, from a page of another origin."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from benchmarks.server_process import ServerProcess, running_server
from benchmarks.web import request
from tests.browser.filming import LOUD, film

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(120)]
BUNDLE = Path(__file__).with_name("clients") / "node_modules/.built/clients.js"
PAGE = (
    '<!doctype html><link rel="icon" href="data:,">'
    '<video id="stage-video" autoplay></video><script src="clients.js"></script>'
)
TOKENS = {"SPEAK": "speaking-with-many-characters", "WATCH": "watching-with-many-characters"}
STILL = 1.0  # of 255: what coding alone changes between pictures
_PUBLISH = """
async ({ endpoint, authkey }) => {
  const client = new clients.WHIPClient({ endpoint, opts: { authkey, iceServers: [] } });
  await client.ingest(await navigator.mediaDevices.getUserMedia({ audio: true }));
  window.publisher = client;
}
"""
_PUBLISHES = "() => window.publisher.peer?.connectionState === 'connected'"
_WATCH = """
async ({ endpoint, authkey }) => {
  const video = document.getElementById("stage-video");
  window.player = new clients.WebRTCPlayer({ video, type: "whep", iceServers: [] });
  await player.load(new URL(endpoint), authkey);
}
"""
_WATCHES = "() => document.getElementById('stage-video').videoWidth > 0"


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves a folder and keeps silent about it."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[str]:
    """A page with the clients, of an origin of its own."""
    if not BUNDLE.exists():
        pytest.skip("no other clients: `make check-web` fetches and bundles them, with npm")
    (tmp_path / "index.html").write_text(PAGE)
    (tmp_path / "clients.js").write_bytes(BUNDLE.read_bytes())
    handler = partial(QuietHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def guarded(elsewhere: str, tmp_path: Path) -> Iterator[ServerProcess]:
    """A server that asks for tokens and lets that page in."""
    flags = ["--data-dir", str(tmp_path / "data"), "--seed", "1", "--cors-origin", elsewhere]
    surroundings = {f"VEXPRESS_TOKEN_{role}": token for role, token in TOKENS.items()}
    with running_server([*flags, "--log-level", "debug"], surroundings=surroundings) as running:
        yield running


@pytest.fixture
def stranger(browser: Browser, elsewhere: str) -> Iterator[Page]:
    """The loaded page; the test fails when it has logged an error."""
    context = browser.new_context()
    page, errors = context.new_page(), list[str]()
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    page.goto(elsewhere)
    yield page
    context.close()
    assert errors == []


def test_they_publish_and_watch(stranger: Page, guarded: ServerProcess) -> None:
    def place(name: str) -> str:
        return f"{guarded.url}/v1/{name}"

    # The one client adds "Bearer" by itself, the other sends what it is given.
    stranger.evaluate(_PUBLISH, {"endpoint": place("whip"), "authkey": TOKENS["SPEAK"]})
    stranger.wait_for_function(_PUBLISHES)
    watching = {"endpoint": place("whep"), "authkey": f"Bearer {TOKENS['WATCH']}"}
    stranger.evaluate(_WATCH, watching)
    stranger.wait_for_function(_WATCHES)
    seen = film(stranger, 5.0, pixels=128)
    assert len(seen.pictures) > 40
    pictures = np.stack(seen.pictures).astype(np.int16)
    moved = np.abs(np.diff(pictures, axis=0)).mean(axis=(1, 2, 3))
    assert moved.max() > STILL or len(np.unique(moved)) > 10, "the picture stands still"
    assert seen.level.max() > LOUD, "nothing is heard"
    stranger.evaluate("() => window.player.unload()")
    stranger.evaluate("() => window.publisher.destroy()")
    assert request("GET", place("avatars")).status == 401
    log = guarded.log.read_text()
    assert not [token for token in TOKENS.values() if token in log]
