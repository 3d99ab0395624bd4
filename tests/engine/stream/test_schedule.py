"""Schedules as a ledger: what every frame goes through, told from the calls alone."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.stream.schedule import (
    Burst,
    Call,
    Diagonal,
    Schedule,
    ScheduleError,
    Window,
    evaluations_per_frame,
)

windows = st.builds(
    Window,
    chunk_frames=st.integers(1, 5),
    history_frames=st.integers(0, 5),
    steps=st.integers(1, 5),
    future_frames=st.integers(0, 5),
    clean_history=st.booleans(),
)
diagonals = st.builds(
    Diagonal,
    chunk_frames=st.integers(1, 5),
    steps=st.integers(1, 5),
    history_frames=st.integers(0, 4),
)


@st.composite
def bursts(draw: st.DrawFn) -> Burst:
    diagonal = draw(diagonals)
    room = diagonal.window_frames - diagonal.chunk_frames
    return Burst(
        diagonal=diagonal,
        chunks=draw(st.integers(1, 4)),
        history_frames=draw(st.integers(0, min(4, room))),
    )


schedules = st.one_of(windows, diagonals, bursts())
CHUNKS = 24


@dataclass
class Ledger:
    """Where every frame stands, kept by hand."""

    schedule: Schedule
    level: dict[int, int] = field(default_factory=dict)  # frames before the first are finished
    left: list[int] = field(default_factory=list)
    left_in_chunk: list[int] = field(default_factory=list)
    again: int = 0  # frames that were begun anew, which only future frames are

    def take(self, chunk: int) -> None:
        calls = self.schedule.calls(chunk)
        for index, call in enumerate(calls):
            self._take(call, index == 0)
            for frame in call.leaving:
                if frame >= 0:
                    self.left.append(frame)
                    self.left_in_chunk.append(chunk)

    def _take(self, call: Call, begins: bool) -> None:
        steps = self.schedule.steps
        for place, frame in enumerate(call.frames):
            stands = self.level.get(frame, steps if frame < 0 else 0)
            if place < call.clamped:
                assert stands == steps, f"frame {frame} is shown as finished at {stands}"
                continue
            told = call.levels[place]
            if begins and told == 0 and frame not in self.left:
                self.again += stands not in (0,)
                stands = 0
            if frame >= 0:
                assert stands == told, f"frame {frame} stands at {stands}, told {told}"
            self.level[frame] = told + 1
        for frame in call.leaving:
            if frame >= 0:
                assert self.level[frame] == steps


@given(schedules)
def test_every_frame_goes_down_all_levels_one_at_a_time_and_leaves_clean(
    schedule: Schedule,
) -> None:
    ledger = Ledger(schedule)
    for chunk in range(CHUNKS):
        ledger.take(chunk)
    assert ledger.left == list(range(len(ledger.left)))  # in order, each once, none left out
    if not isinstance(schedule, Window) or not schedule.future_frames:
        assert ledger.again == 0


@given(schedules)
def test_the_longest_wait_is_the_delay_that_is_stated(schedule: Schedule) -> None:
    ledger = Ledger(schedule)
    for chunk in range(CHUNKS):
        ledger.take(chunk)
    size = schedule.chunk_frames
    waits = [
        (chunk + 1) * size - 1 - frame
        for frame, chunk in zip(ledger.left, ledger.left_in_chunk, strict=True)
    ]
    assert max(waits[len(waits) // 2 :]) <= schedule.delay_frames
    future = schedule.future_frames if isinstance(schedule, Window) else 0
    if future % size == 0 or not isinstance(schedule, Window):
        assert max(waits[len(waits) // 2 :]) == schedule.delay_frames


@given(schedules, st.integers(0, 40))
def test_a_call_is_whole(schedule: Schedule, chunk: int) -> None:
    calls = schedule.calls(chunk)
    end = (chunk + 1) * schedule.chunk_frames
    for call in calls:
        assert call.frames.stop == end
        begins = [place >= call.clamped and level == 0 for place, level in enumerate(call.levels)]
        assert call.entering == sum(begins) == sum(begins[len(begins) - call.entering :])
        assert len(call.frames) == len(call.levels) <= schedule.window_frames
        assert 0 <= call.clamped <= len(call.levels) - schedule.chunk_frames
        assert set(call.levels) <= set(range(schedule.steps + 1))
        assert list(call.levels) == sorted(call.levels, reverse=True)  # the oldest are cleanest
        assert set(call.leaving) <= set(call.frames[call.clamped :])
    assert calls[0].entering >= schedule.chunk_frames
    assert all(len(call.leaving) == 0 for call in calls[:-1])


@given(schedules, st.integers(30, 60))
def test_a_schedule_costs_the_same_for_ever(schedule: Schedule, chunk: int) -> None:
    now, later = schedule.calls(chunk), schedule.calls(chunk + 1)
    assert [call.levels for call in now] == [call.levels for call in later]
    assert [call.clamped for call in now] == [call.clamped for call in later]
    assert [len(call.leaving) for call in now] == [
        schedule.chunk_frames * (i == len(now) - 1) for i in range(len(now))
    ]
    assert max(len(call.levels) for call in now) == schedule.window_frames


@given(diagonals, st.integers(0, 8), st.integers(0, 8))
def test_a_new_beginning_is_like_the_first(schedule: Diagonal, since: int, after: int) -> None:
    first, later = schedule.calls(after), schedule.calls(since + after, since)
    shift = since * schedule.chunk_frames
    assert [call.levels for call in first] == [call.levels for call in later]
    assert [call.clamped for call in first] == [call.clamped for call in later]
    assert [call.first_frame + shift for call in first] == [call.first_frame for call in later]


@given(bursts())
def test_a_burst_shows_its_first_chunks_when_they_come(schedule: Burst) -> None:
    for chunk in range(schedule.chunks):
        size = schedule.chunk_frames
        assert schedule.calls(chunk)[-1].leaving == range(chunk * size, (chunk + 1) * size)
        assert len(schedule.calls(chunk)) == schedule.steps
    for chunk in range(schedule.chunks, schedule.chunks + schedule.steps - 1):
        assert not schedule.calls(chunk)[0].leaving  # the pile fills behind them


@pytest.mark.parametrize(
    ("schedule", "wanted"),
    [
        (Window(chunk_frames=8, history_frames=4, steps=8, guided_steps=3), 12 / 8 * (8 + 3)),
        (Window(chunk_frames=4, history_frames=0, steps=3), 3),
        (Window(chunk_frames=4, history_frames=2, steps=3, future_frames=2), 8 / 4 * 3),
        (Diagonal(chunk_frames=4, steps=4), 4),
        (Diagonal(chunk_frames=4, steps=2, history_frames=2), 2.5),
        (Burst(diagonal=Diagonal(chunk_frames=4, steps=4), chunks=3), 4),
    ],
)
def test_evaluations_per_frame_in_the_long_run(schedule: Schedule, wanted: float) -> None:
    assert evaluations_per_frame(schedule) == wanted


def test_only_the_first_steps_are_guided() -> None:
    schedule = Window(chunk_frames=2, history_frames=1, steps=4, guided_steps=2)
    assert [call.guided for call in schedule.calls(5)] == [True, True, False, False]


def test_whether_a_stream_can_begin_anew_between_chunks() -> None:
    pile, single = Diagonal(chunk_frames=2, steps=3), Diagonal(chunk_frames=2, steps=1)
    assert Window(chunk_frames=2, history_frames=0, steps=3).finishes_chunks
    assert single.finishes_chunks
    assert not pile.finishes_chunks
    assert not Burst(diagonal=pile).finishes_chunks


BAD: list[tuple[Callable[[], object], str]] = [
    (lambda: Window(chunk_frames=0, history_frames=1, steps=1), "a chunk of 0 frames, 1 before"),
    (lambda: Window(chunk_frames=1, history_frames=-1, steps=1), "-1 before it"),
    (
        lambda: Window(chunk_frames=1, history_frames=0, steps=1, future_frames=-2),
        "-2 after it: expected at least 1, 0 and 0",
    ),
    (lambda: Window(chunk_frames=1, history_frames=0, steps=0), "0 guided of 0 steps"),
    (
        lambda: Window(chunk_frames=1, history_frames=0, steps=2, guided_steps=3),
        "3 guided of 2 steps",
    ),
    (lambda: Diagonal(chunk_frames=4, steps=0), "0 groups of 4 frames after 0"),
    (lambda: Diagonal(chunk_frames=4, steps=2, history_frames=-1), "after -1"),
    (
        lambda: Burst(diagonal=Diagonal(chunk_frames=4, steps=1), history_frames=2),
        "1 short chunks of 6 frames before a window of 4",
    ),
    (lambda: Burst(diagonal=Diagonal(chunk_frames=4, steps=2), chunks=0), "0 short chunks of 6"),
]


@pytest.mark.parametrize(("make", "message"), BAD)
def test_numbers_that_make_no_schedule_are_named(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ScheduleError, match=message):
        make()
