"""The command measures a real server, with the fake engine behind it, over real WebRTC."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.call import CallError
from benchmarks.latency import ROW, Options, main, measure
from benchmarks.scenarios import SCENARIOS, Plan
from benchmarks.server_process import SERVER
from engine.api import Engine, Picture, PortraitOptions
from engine.picture import read_picture
from streamer.serve import Address, serve
from streamer.service import EngineParts, ServiceSettings
from streamer.stamped import loading_stamped
from tests.fakes import FakeEngine

START_S = 20
PLAN = Plan(seconds=3.0, fair_s=0.2, seed=3, avatar=None, keeps_film=True)


def portraits() -> dict[str, Picture]:
    return {"grey": np.full((64, 64, 3), 90, np.uint8)}


@asynccontextmanager
async def serving_url(folder: Path, load: Callable[[], Engine]) -> AsyncIterator[str]:
    parts = EngineParts(name="fake", load=load, read_picture=read_picture, portraits=portraits)
    settings = ServiceSettings(data_folder=folder, portrait=PortraitOptions(size=128), seed=1)
    urls: asyncio.Queue[str] = asyncio.Queue()
    serving = asyncio.create_task(serve(Address(port=0), settings, parts, urls.put_nowait))
    try:
        async with asyncio.timeout(START_S):
            yield await urls.get()
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    stamped = loading_stamped(FakeEngine, is_benchmark=True)
    async with serving_url(tmp_path, stamped) as address:
        yield address


@pytest.fixture
async def plain_url(tmp_path: Path) -> AsyncIterator[str]:
    async with serving_url(tmp_path, FakeEngine) as address:
        yield address


def options(**changes: Any) -> Options:
    return replace(Options(None, SERVER, PLAN, ("loss_3",), None, False, False), **changes)


@pytest.mark.slow
async def test_a_call_in_bad_weather_is_measured(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await measure(options(plots=tmp_path / "plots", lips=True), url) == 0
    said = capsys.readouterr().out
    rows = json.loads(said.splitlines()[-1])
    assert list(rows) == [scenario.name for scenario in SCENARIOS]
    assert all(tuple(row) == ROW for row in rows.values())
    row = rows["loss_3"]
    assert 60 < row["mic_to_lips_p50_ms"] < 600
    assert abs(row["skew_mean_ms"]) < 100
    assert row["interrupt_to_silence_ms"] is not None
    assert row["freezes"] is not None
    assert set(rows["clean"].values()) == {None}
    assert "loss_3, aiortc" in said
    assert len(list((tmp_path / "plots").glob("*.png"))) == 2


@pytest.mark.slow
async def test_a_server_without_a_time_code_is_no_measurement(plain_url: str) -> None:
    short = replace(PLAN, seconds=0.1, fair_s=0.0)
    with pytest.raises(CallError, match="--benchmark --timecode"):
        await measure(options(plan=short, only=("clean",)), plain_url)


def test_nobody_there_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["latency", "--url", "http://127.0.0.1:9"])
    assert main() == 1
    said = capsys.readouterr().err.strip()
    assert said.startswith("nothing measured: ")
    assert "\n" not in said
