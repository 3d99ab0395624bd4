"""The live engine on a GPU: what only a GPU can prove. CPU twins are in `test_stream.py`."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.api import EngineFullError, Framing, Picture, PortraitOptions, StreamOptions, Unit
from engine.stream.backends import Backend, survey_backends
from engine.stream.machine import this_machine
from engine.vexpress.live.avatar import VExpressAvatar
from engine.vexpress.live.engine import VExpressEngine
from engine.vexpress.live.loading import load_live_engine
from engine.vexpress.live.stream import VExpressStream
from engine.vexpress.presets import PRESETS, Preset, choose_preset
from tests.engine.vexpress.live.conftest import (
    GUIDED,
    PILE,
    SIZE,
    live_settings,
    perform,
    speech,
)

MACHINE = this_machine()
MISSING = {item.name: item.reason for item in survey_backends(MACHINE) if not item.available}
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(MACHINE.gpu is None, reason=MISSING.get(Backend.CUDA_GRAPH, "")),
    pytest.mark.timeout(600),
]
ALL = [PILE, GUIDED, *(choose_preset(preset.name, SIZE) for preset in PRESETS)]
# Graphs may pick other convolutions than plain calls, and frames of a stream build on each other:
# in bytes, the most that a pixel may differ and the most that all may on average.
WORST, MEAN = 8, 0.5
SETTLED_CHUNKS = 12  # after which every width has been asked and every pool has grown


def load(models: Path, preset: Preset, backend: str) -> VExpressEngine:
    settings = live_settings(models, preset)
    return load_live_engine(replace(settings, device=torch.device("cuda"), backend=backend))


def show(engine: VExpressEngine, avatar: VExpressAvatar, frames: int) -> list[Unit]:
    return perform(engine.open(avatar, StreamOptions()), speech(frames))


def check_close(shown: list[Unit], wanted: list[Unit]) -> None:
    assert [unit.frame_index for unit in shown] == [unit.frame_index for unit in wanted]
    for ours, theirs in zip(shown, wanted, strict=True):
        assert np.array_equal(ours.samples, theirs.samples)
        apart = np.abs(ours.picture.astype(int) - theirs.picture)
        assert apart.max() <= WORST
        assert apart.mean() <= MEAN


def crowd(engine: VExpressEngine, avatar: VExpressAvatar, newcomers: list[VExpressStream]) -> None:
    """Open streams until none fits; there is an end in any case."""
    newcomers.extend(engine.open(avatar, StreamOptions()) for _ in range(100_000))


@pytest.fixture(autouse=True)
def exact_products() -> Iterator[None]:
    """No TF32: it differs from backend to backend by far more than rounding."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


@pytest.mark.parametrize("preset", ALL, ids=lambda preset: preset.name)
def test_graphs_show_what_plain_calls_show(models: Path, portrait: Picture, preset: Preset) -> None:
    plain, graphs = (
        load(models, preset, backend) for backend in (Backend.EAGER, Backend.CUDA_GRAPH)
    )
    assert {runner.report.used for runner in graphs.runners} == {Backend.CUDA_GRAPH}
    for framing in Framing:
        options = PortraitOptions(size=SIZE, framing=framing)
        wanted, shown = (
            show(engine, engine.prepare(portrait, options), 40) for engine in (plain, graphs)
        )
        check_close(shown, wanted)


@pytest.fixture
def engine(request: pytest.FixtureRequest, models: Path) -> VExpressEngine:
    return load(models, request.param, Backend.CUDA_GRAPH)


@pytest.fixture
def avatar(engine: VExpressEngine, portrait: Picture) -> VExpressAvatar:
    return engine.prepare(portrait, PortraitOptions(size=SIZE))


def push_chunk(engine: VExpressEngine, stream: VExpressStream, seed: int) -> None:
    stream.push(speech(engine.model.preset.schedule.chunk_frames, seed))
    torch.cuda.synchronize()


@pytest.mark.parametrize("engine", [PILE, GUIDED], indirect=True, ids=["pile", "guided"])
def test_a_chunk_takes_no_new_memory(engine: VExpressEngine, avatar: VExpressAvatar) -> None:
    """Nothing is taken from the device, all is given back, and every chunk asks as often."""
    stream = engine.open(avatar, StreamOptions())
    for seed in range(SETTLED_CHUNKS):
        push_chunk(engine, stream, seed)
    counts = []
    for seed in range(SETTLED_CHUNKS):
        before = torch.cuda.memory_stats()
        push_chunk(engine, stream, seed)
        after = torch.cuda.memory_stats()
        for counter in ("segment.all.allocated", "num_device_alloc", "allocated_bytes.all.current"):
            assert after[counter] == before[counter], counter
        counts.append(after["allocation.all.allocated"] - before["allocation.all.allocated"])
    assert len(set(counts)) == 1


@pytest.mark.parametrize("engine", [PILE], indirect=True, ids=["pile"])
def test_a_full_device_refuses_the_newcomer_only(
    engine: VExpressEngine, avatar: VExpressAvatar
) -> None:
    wanted = show(engine, avatar, 20)
    inside = engine.open(avatar, StreamOptions())
    early = inside.push(speech(20)[: 640 * 10])
    newcomers: list[VExpressStream] = []
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(torch.cuda.memory_reserved() / total)
    try:
        with pytest.raises(EngineFullError, match="no memory left"):
            crowd(engine, avatar, newcomers)
        newcomers.clear()  # what computes needs room of its own for a moment
        late = inside.push(speech(20)[640 * 10 :]) + inside.flush()
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    check_close(early + late, wanted)
    assert len(show(engine, avatar, 9)) == 9
