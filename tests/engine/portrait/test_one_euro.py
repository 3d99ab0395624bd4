import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.portrait.one_euro import OneEuro

PERIOD_S = 0.04
values = st.lists(st.floats(-10, 10), min_size=1, max_size=30)


def smoothed(given: list[float], steady_hz: float = 1.5, opening: float = 1.0) -> list[float]:
    smooth = OneEuro(np.array([steady_hz]), np.array([opening]))
    return [float(smooth.push(np.array([v]), i * PERIOD_S)[0]) for i, v in enumerate(given)]


@given(values)
def test_it_never_leaves_what_it_was_given(given_values: list[float]) -> None:
    found = smoothed(given_values)
    assert found[0] == given_values[0]
    assert min(given_values) - 1e-9 <= min(found)
    assert max(found) <= max(given_values) + 1e-9


def test_trembling_is_calmed_and_fast_motion_is_not_held_back() -> None:
    trembling = [0.01 * (-1) ** number for number in range(60)]
    assert np.std(smoothed(trembling)[10:]) < 0.4 * np.std(trembling)
    ramp = [0.0] * 10 + [0.5 * number for number in range(30)]  # 12.5 a second
    behind = ramp[-1] - smoothed(ramp)[-1]
    assert behind < 0.5, "less than one picture behind"
    assert ramp[-1] - smoothed(ramp, opening=0.0)[-1] > 2 * behind


def test_a_time_that_does_not_grow_changes_nothing() -> None:
    smooth = OneEuro(np.ones(1), np.ones(1))
    smooth.push(np.zeros(1), 1.0)
    assert smooth.push(np.ones(1), 1.0)[0] == 0.0
    smooth.reset()
    assert smooth.push(np.ones(1), 1.0)[0] == 1.0
