import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config import TIMING
from streamer.pacing import (
    MAX_RESERVE_S,
    MIN_RESERVE_S,
    SKIP_AFTER_S,
    START_RESERVE_S,
    Pacer,
    Reserve,
    reserve_for,
)


def test_two_packets_per_frame_on_one_grid_without_drift() -> None:
    pacer = Pacer(start_s=100.0)
    due = []
    for _ in range(2 * 90_000):  # an hour
        due.append(pacer.due_s)
        pacer.advance()
    assert due[0] == pytest.approx(100.0 + START_RESERVE_S)
    assert due[1] - due[0] == pytest.approx(0.02)
    assert due[-1] - due[0] == pytest.approx(3600 - 0.02, abs=1e-6)
    assert (pacer.frame, pacer.in_second_half) == (90_000, False)


def test_the_first_untouched_frame() -> None:
    pacer = Pacer(start_s=0.0)
    assert pacer.next_whole_frame == 0
    pacer.advance()
    assert pacer.next_whole_frame == 1
    pacer.advance()
    assert pacer.next_whole_frame == 1


@given(late_s=st.floats(0, 5))
def test_a_long_stall_is_skipped_a_short_one_is_caught_up(late_s: float) -> None:
    pacer = Pacer(start_s=0.0, frame=10)
    now_s = pacer.due_s + late_s
    skipped = pacer.overdue_frames(now_s)
    pacer.frame += skipped
    assert skipped == 0 or late_s >= SKIP_AFTER_S - 1e-9
    assert -1e-9 <= now_s - pacer.due_s < max(SKIP_AFTER_S, TIMING.frame_s) + 1e-9


def test_never_skips_in_the_middle_of_a_frame() -> None:
    pacer = Pacer(start_s=0.0, in_second_half=True)
    assert pacer.overdue_frames(pacer.due_s + 1.0) == 0


def test_a_slow_engine_gets_more_time_up_to_a_limit() -> None:
    reserve = Reserve()
    for _ in range(500):
        reserve.observe(0.07)
    assert 0.07 <= reserve.reserve_s < 0.08
    for _ in range(500):
        reserve.observe(1.0)
    assert reserve.reserve_s == MAX_RESERVE_S
    patient = reserve_for(chunk_frames=4)
    for _ in range(1000):
        patient.observe(1.0)
    assert patient.reserve_s == pytest.approx(MAX_RESERVE_S + 3 * 0.04)


def test_a_fast_engine_gets_less_slowly() -> None:
    reserve = Reserve()
    before_s = reserve.reserve_s
    for _ in range(125):
        reserve.observe(0.005)
    assert before_s - reserve.reserve_s < 0.001
    for _ in range(1000):
        reserve.observe(0.005)
    assert MIN_RESERVE_S <= reserve.reserve_s < 0.015


def test_single_hiccups_change_nothing() -> None:
    reserve = Reserve()
    for number in range(1000):
        reserve.observe(0.3 if number % 100 == 50 else 0.03)
    assert reserve.reserve_s <= START_RESERVE_S


@given(needed_s=st.lists(st.floats(-0.2, 2.0), max_size=400))
def test_it_stays_within_its_limits_and_moves_smoothly(needed_s: list[float]) -> None:
    reserve = Reserve()
    for each_s in needed_s:
        before_s = reserve.reserve_s
        reserve.observe(each_s)
        assert MIN_RESERVE_S <= reserve.reserve_s <= MAX_RESERVE_S
        assert -0.0003 <= reserve.reserve_s - before_s <= 0.0051
