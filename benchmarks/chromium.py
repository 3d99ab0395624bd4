"""What a real browser says of a call: Chromium's own statistics, on the shipped page.

    python -m benchmarks.chromium [--seconds 20] [--program run_server.py]

The page is opened, its button pressed, and made-up speech is the microphone. `skew_ms` compares the
browser's estimates of which moment of the server's media clock is being heard and which is being
seen: it depends on the sender reports, so it shows whether browsers can align lips with them.
CHROMIUM names the browser.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Error as BrowserError
from playwright.sync_api import Page, sync_playwright

from benchmarks.harness import Value, finish, result
from benchmarks.server_process import SERVER, ServerError, running_server
from tests.speech import syllables, write_wav

_USUAL_PLACE = "/usr/bin/chromium"
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)
_SPEECH_S = 20.0
_WITHIN_MS = 30_000
_SETTLE_S = 3.0
_EVERY_S = 0.5
_KEEP_CONNECTIONS = """
  const Connection = window.RTCPeerConnection;
  window.connections = [];
  window.RTCPeerConnection = class extends Connection {
    constructor(...given) { super(...given); window.connections.push(this); }
  };
"""
_READ = """async () => {
  const found = {};
  for (const connection of window.connections)
    for (const entry of (await connection.getStats()).values())
      if (entry.type === "inbound-rtp") found[entry.kind] = entry;
  return found;
}"""


def measure(page: Page, url: str, seconds: float) -> dict[str, Value]:
    """Call from the page and read for so long."""
    page.add_init_script(_KEEP_CONNECTIONS)
    page.goto(url)
    page.locator("#avatar-list input").first.wait_for(state="attached")
    begun_s = time.monotonic()
    page.click("#connect")
    page.locator("#step-first-frame[data-state=done]").wait_for(timeout=_WITHIN_MS)
    first_frame_ms = 1000 * (time.monotonic() - begun_s)
    page.wait_for_timeout(_SETTLE_S * 1000)
    first, skews_ms = page.evaluate(_READ), list[float]()
    for _ in range(round(seconds / _EVERY_S)):
        page.wait_for_timeout(_EVERY_S * 1000)
        skews_ms += _skew_ms(page.evaluate(_READ))
    last = page.evaluate(_READ)
    page.click("#disconnect")
    return {"first_frame_ms": first_frame_ms, **_between(first, last), **_spread(skews_ms)}


def _skew_ms(stats: dict[str, Any]) -> list[float]:
    """How much the picture is later than the sound, if the browser has an opinion."""
    played = [
        stats.get(kind, {}).get("estimatedPlayoutTimestamp", 0) for kind in ("audio", "video")
    ]
    return [played[0] - played[1]] if all(played) else []


def _between(first: dict[str, Any], last: dict[str, Any]) -> dict[str, Value]:
    """What happened between two looks."""

    def grew(kind: str, name: str) -> float:
        return float(last[kind].get(name, 0)) - float(first[kind].get(name, 0))

    spent_s = (last["video"]["timestamp"] - first["video"]["timestamp"]) / 1000
    return {
        "fps": grew("video", "framesDecoded") / spent_s,
        "freezes": int(grew("video", "freezeCount")),
        "frames_dropped": int(grew("video", "framesDropped")),
        "audio_concealed_share": grew("audio", "concealedSamples")
        / max(1.0, grew("audio", "totalSamplesReceived")),
        **{
            f"{kind}_jitter_buffer_ms": 1000
            * grew(kind, "jitterBufferDelay")
            / max(1.0, grew(kind, "jitterBufferEmittedCount"))
            for kind in ("audio", "video")
        },
    }


def _spread(skews_ms: list[float]) -> dict[str, Value]:
    if not skews_ms:
        return {"skew_mean_ms": None, "skew_p95_ms": None}
    return {
        "skew_mean_ms": float(np.mean(skews_ms)),
        "skew_p95_ms": float(np.percentile(np.abs(skews_ms), 95)),
    }


def main() -> int:
    """Call and print; 1 when nothing could be measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chromium", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--program", type=Path, default=SERVER, help="the server to start")
    parser.add_argument("--record", action="store_true", help="append to benchmarks/results/")
    given = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder, running_server((), given.program) as server:
            speech = Path(folder) / "speech.wav"
            write_wav(speech, syllables(_SPEECH_S, 7)[0])
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=os.environ.get("CHROMIUM", _USUAL_PLACE),
                    args=[*_ARGUMENTS, f"--use-file-for-fake-audio-capture={speech}"],
                )
                values = measure(browser.new_page(), server.url, given.seconds)
                browser.close()
    except (BrowserError, ServerError) as error:
        print(f"nothing measured: {error}", file=sys.stderr)
        return 1
    for name, value in values.items():
        print(f"{name:24} {value if not isinstance(value, float) else round(value, 2)}")
    finish(result("chromium", values), record=given.record)
    return 0


if __name__ == "__main__":
    sys.exit(main())
