"""The command measures a real server, with the fake engine behind it, over real WebRTC."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.harness import Value
from benchmarks.latency import Options, main, measure
from benchmarks.server_process import SERVER
from engine.api import Picture, PortraitOptions
from engine.picture import read_picture
from streamer.serve import Address, serve
from streamer.service import EngineParts, ServiceSettings
from tests.fakes import FakeEngine

START_S = 20
SPEECH_S = 5.0
PROMISED = {
    "mic_to_lips_p50_ms",
    "mic_to_lips_p95_ms",
    "skew_mean_ms",
    "first_frame_ms",
    "freezes",
    "fps",
}


def portraits() -> dict[str, Picture]:
    return {"grey": np.full((64, 64, 3), 90, np.uint8)}


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    parts = EngineParts(
        name="fake", load=FakeEngine, read_picture=read_picture, portraits=portraits
    )
    settings = ServiceSettings(data_folder=tmp_path, portrait=PortraitOptions(size=128), seed=1)
    urls: asyncio.Queue[str] = asyncio.Queue()
    serving = asyncio.create_task(serve(Address(port=0), settings, parts, urls.put_nowait))
    try:
        async with asyncio.timeout(START_S):
            yield await urls.get()
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


OPTIONS = Options(None, SERVER, SPEECH_S, None, 3, only_json=False, record=False)


@pytest.mark.slow
async def test_a_call_is_measured(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert await measure(OPTIONS, url) == 0
    values: dict[str, Value] = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert values.keys() >= PROMISED
    assert all(values[name] is not None for name in PROMISED)
    seen = values["words_seen"]
    assert isinstance(seen, int)
    assert seen >= 1
    assert values["interrupt_to_silence_ms"] is not None
    assert values["interrupt_to_acknowledged_ms"] is not None
    assert values["mouth_read_by"] == "difference"


@pytest.mark.slow
async def test_too_little_speech_is_no_measurement(url: str) -> None:
    assert await measure(replace(OPTIONS, seconds=0.5), url) == 1


def test_nobody_there_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["latency", "--url", "http://127.0.0.1:9"])
    assert main() == 1
    said = capsys.readouterr().err.strip()
    assert said.startswith("nothing measured: ")
    assert "\n" not in said
