"""The soak finds growth and drift that a test has made."""

from collections import deque
from dataclasses import dataclass, field

import numpy as np
import pytest

from benchmarks.soak import EngineRun, Memory, soak_engine
from engine.api import Samples, StreamOptions, Unit
from tests.fakes import FakeAvatar, FakeEngine, FakeStream


def test_memory_that_grows_is_reported() -> None:
    readings_mb = iter([100.0, 101.0, 102.0, 104.0, 106.0])
    memory = Memory(lambda: next(readings_mb))
    for second in range(5):
        memory.note(second * 30.0)
    values = memory.values("x")
    assert values["x_rss_growth_mb"] == pytest.approx(6.0)
    assert values["x_rss_mid_mb"] == 102.0
    assert values["x_rss_late_mb_per_minute"] == pytest.approx(4.0)


@dataclass
class LateStream(FakeStream):
    """Shows what was said three frames ago."""

    heard: deque[Samples] = field(default_factory=lambda: deque(maxlen=4))

    def _unit(self, samples: Samples) -> Unit:
        self.heard.append(samples)
        unit = super()._unit(self.heard[0])
        return Unit(unit.frame_index, unit.epoch, unit.picture, samples)


def test_lips_that_lag_are_reported() -> None:
    avatar = FakeAvatar("grey", np.full((64, 64, 3), 90, np.uint8))
    offsets_ms = []
    for kind in (FakeStream, LateStream):
        run = EngineRun(kind(avatar, StreamOptions()), Memory(lambda: 0.0))
        offset_ms = run.offset_ms(20.0)
        assert offset_ms is not None
        offsets_ms.append(offset_ms)
    assert offsets_ms == [pytest.approx(0, abs=5), pytest.approx(120, abs=5)]


@pytest.mark.slow
def test_an_engine_passes_through_the_whole_soak() -> None:
    values = soak_engine(FakeEngine(), 2.0)
    assert values["engine_frames"] == 2 * 60 * 25 - 2
    assert values["engine_longest_lag_frames"] == values["engine_look_ahead_frames"] == 2
    assert values["engine_offset_first_ms"] == pytest.approx(0, abs=5)
    assert values["engine_offset_last_ms"] == pytest.approx(0, abs=5)
