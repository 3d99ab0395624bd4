"""The page that checks a connection, in front of the real server."""

import os
from pathlib import Path

import pytest

from tests.web.conftest import Visit, Visits

pytestmark = [pytest.mark.browser, pytest.mark.slow]
NEEDLESS = {"reflexive", "relay"}


async def checked(visits: Visits, script: str = "") -> tuple[Visit, dict[str, str], str]:
    """The page after its checks: each one's result, and the verdict."""
    visit = await visits("preflight.html", portraits=0, script=script)
    await visit.page.click("#start")
    await visit.page.wait_for_selector("#verdict[data-result]")
    results = await visit.page.evaluate(
        "() => Object.fromEntries([...document.querySelectorAll('#checks li')]"
        ".map(row => [row.id.replace('check-', ''), row.dataset.result]))"
    )
    return visit, results, await visit.text_of("verdict")


async def test_all_legs_work(visits: Visits, tmp_path: Path) -> None:
    visit, results, verdict = await checked(visits)
    shots = Path(os.environ.get("SCREENSHOTS", tmp_path))
    await visit.page.screenshot(path=shots / "preflight.png", full_page=True)
    skipped = {name for name, result in results.items() if result == "skipped"}
    assert skipped == NEEDLESS
    assert {result for name, result in results.items() if name not in NEEDLESS} == {"done"}
    assert verdict == "Everything works: you can call."
    assert visit.problems == []


@pytest.mark.parametrize(
    ("script", "leg", "words"),
    [
        (
            "navigator.mediaDevices.getUserMedia = () =>"
            " Promise.reject(new DOMException('no', 'NotAllowedError'));",
            "microphone",
            "Microphone: ",
        ),
        (
            "WebSocket = class extends EventTarget {"
            " constructor() { super(); setTimeout(() => this.dispatchEvent(new Event('error'))); }"
            " close() {} };",
            "websocket",
            "does not pass websockets on",
        ),
        (
            "const set = RTCPeerConnection.prototype.setRemoteDescription;"
            "RTCPeerConnection.prototype.setRemoteDescription = function (answer) {"
            " const sdp = answer.sdp.replace(/a=candidate.*\\r\\n/g, '')"
            ".replace(/a=ice-pwd:./, 'a=ice-pwd:x');"
            " return set.call(this, { type: answer.type, sdp }); };",
            "media",
            "UDP is blocked",
        ),
    ],
)
async def test_the_leg_that_fails_is_named(
    visits: Visits, script: str, leg: str, words: str
) -> None:
    _, results, verdict = await checked(visits, script)
    assert results[leg] == "failed"
    assert results["server"] == "done"
    assert words in verdict
