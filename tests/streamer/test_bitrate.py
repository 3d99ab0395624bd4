from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.bitrate import (
    START_BITS_PER_S,
    STEPS_BITS_PER_S,
    BitrateControl,
    enough_for,
    step_for,
)


@pytest.mark.parametrize(
    ("estimate", "step"),
    [(0, 400_000), (500_000, 400_000), (810_000, 800_000), (1_999_999, 1_600_000)],
)
def test_estimates_move_the_rate_in_steps(estimate: int, step: int) -> None:
    assert step_for(estimate) == step


def test_our_limits() -> None:
    assert START_BITS_PER_S == 800_000
    assert (STEPS_BITS_PER_S[0], STEPS_BITS_PER_S[-1]) == (400_000, 2_000_000)
    assert step_for(10**9) == 2_000_000


@pytest.mark.parametrize(
    ("width", "height", "step"),
    [(128, 128, 800_000), (512, 512, 1_200_000), (1280, 720, 2_000_000)],
)
def test_a_small_picture_never_takes_more_than_helps(width: int, height: int, step: int) -> None:
    control = BitrateControl()
    control.estimated(10_000_000)
    control.most_bits_per_s = enough_for(width * height)
    assert [control.decide(second) for second in range(0, 60, 6)][-1] == step


def test_less_room_counts_at_once_and_more_only_after_a_while() -> None:
    control = BitrateControl()
    control.estimated(450_000)
    assert control.decide(1.0) == 400_000
    control.estimated(2_000_000)
    seen = [control.decide(second) for second in range(2, 30)]
    assert seen == sorted(seen)
    assert seen[3] == 400_000
    assert seen[-1] == 2_000_000
    assert len(set(seen)) == len(STEPS_BITS_PER_S), "a step at a time"


def test_a_wavering_estimate_changes_nothing() -> None:
    control = BitrateControl()
    for second in range(60):
        control.estimated(900_000 if second % 2 else 1_300_000)
        assert control.decide(second) == START_BITS_PER_S


def test_a_little_loss_is_borne_and_much_is_not() -> None:
    control = BitrateControl()
    for second in range(20):
        control.lost(0.05)
        assert control.decide(second) == START_BITS_PER_S
    control.lost(0.3)
    assert control.decide(20.0) == 550_000
    for second in range(21, 60):
        control.lost(0.0)
        control.decide(second)
    assert control.bits_per_s == START_BITS_PER_S, "no more than the receiver's estimate"


@given(reports=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1e7)), max_size=60))
def test_it_stays_within_its_steps_and_changes_seldom(reports: list[tuple[float, float]]) -> None:
    control, seen = BitrateControl(), []
    for number, (fraction, estimate) in enumerate(reports):
        control.lost(fraction)
        control.estimated(estimate)
        seen.append(control.decide(number * 0.5))
    assert set(seen) <= set(STEPS_BITS_PER_S)
    changes = sum(a != b for a, b in pairwise(seen))
    assert changes <= len(reports) / 2 + 1
