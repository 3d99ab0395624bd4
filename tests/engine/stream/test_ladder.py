"""Noise levels: where they stand, where a step leads, and what makes no ladder."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.stream.ladder import (
    WHOLE_SIGNAL,
    Ladder,
    LadderError,
    Rung,
    cosine_signals,
    spread_timesteps,
)
from engine.vexpress.presets import PRESETS, Preset
from engine.vexpress.scheduler import Scheduler

SIGNALS = cosine_signals(1000)


def test_a_step_leads_to_the_next_level_and_the_last_one_to_a_clean_frame() -> None:
    ladder = Ladder.climb((0.9, 0.5, 0.2, 0.0), (3, 1))
    assert ladder.rungs == (Rung(3, 0.0, 0.5), Rung(1, 0.5, 1.0))
    assert ladder.rest == ladder.rung(2) == Rung(0, 0.9, 0.9)
    assert ladder.rung(0) == ladder.rungs[0]
    assert ladder.steps == 2


def test_a_stride_leads_so_many_training_steps_down() -> None:
    ladder = Ladder.climb((0.9, 0.7, 0.5, 0.2, 0.0), (4, 2), stride=1)
    assert ladder.rungs == (Rung(4, 0.0, 0.2), Rung(2, 0.5, 0.7))
    assert Ladder.climb((0.9, 0.5), (1,), stride=2).rungs == (Rung(1, 0.5, WHOLE_SIGNAL),)
    assert Ladder.climb((0.9, 0.5), (1,), stride=1).rungs == (Rung(1, 0.5, 0.9),)


@given(count=st.integers(1, 1000), data=st.data())
def test_steps_are_spread_evenly_from_the_highest_level(count: int, data: st.DataObject) -> None:
    steps = data.draw(st.integers(1, count))
    levels = spread_timesteps(count, steps)
    assert levels[0] == count - 1
    assert len(levels) == steps
    gaps = [high - low for high, low in pairwise(levels)]
    assert all(math.floor(count / steps) <= gap <= math.ceil(count / steps) for gap in gaps)


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 6, 8, 10, 20, 25, 30, 50])
def test_steps_are_spread_as_the_published_schedule_spreads_them(steps: int) -> None:
    assert spread_timesteps(1000, steps) == Scheduler().timesteps(steps)


@given(st.integers(2, 2000))
def test_the_cosine_signals_fall_from_all_but_whole_to_exactly_nothing(count: int) -> None:
    signals = cosine_signals(count)
    assert len(signals) == count
    assert signals[0] == 1.0
    assert signals[-1] == 0.0
    assert all(high > low for high, low in pairwise(signals))


def test_the_cosine_signals_are_those_of_the_formula() -> None:
    def square(share: float) -> float:
        return math.cos((share + 0.008) / 1.008 * math.pi / 2) ** 2

    assert SIGNALS[499] == pytest.approx(square(0.5) / square(0.001))


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_every_preset_begins_at_nothing_but_noise(preset: Preset) -> None:
    ladder = preset.ladder(Scheduler())
    assert (ladder.rungs[0].timestep, ladder.rungs[0].signal) == (999, 0.0)
    assert ladder.steps == preset.schedule.steps
    signals = [rung.signal for rung in ladder.rungs]
    assert all(rung.next_signal > rung.signal for rung in ladder.rungs)
    if preset.needs_mixed_levels:  # what a frame leads to is what its neighbour is shown as
        assert [rung.next_signal for rung in ladder.rungs] == [*signals[1:], WHOLE_SIGNAL]


@pytest.mark.parametrize("levels", [(), (5, 5), (3, 5)])
def test_levels_that_do_not_fall_are_refused(levels: tuple[int, ...]) -> None:
    with pytest.raises(LadderError, match=r"noise levels \[.*\]: expected falling"):
        Ladder.climb(SIGNALS, levels)


@pytest.mark.parametrize("level", [-1, 1000])
def test_a_level_that_was_never_trained_is_named(level: int) -> None:
    with pytest.raises(LadderError, match=rf"noise levels \[{level}\]: expected 0 to 999"):
        Ladder.climb(SIGNALS, (level,))


@pytest.mark.parametrize("steps", [0, -1, 11])
def test_more_steps_than_levels_are_refused(steps: int) -> None:
    with pytest.raises(LadderError, match=f"{steps} steps: expected 1 to 10"):
        spread_timesteps(10, steps)
