"""Costs are attributed to the step that caused them, one per frame."""

import time

import numpy as np

from benchmarks.portrait import engine_costs, prepare_cost, timed
from tests.fakes import FakeEngine


def test_each_step_carries_its_own_cost() -> None:
    calls = list[tuple[str, int]]()

    def wait(number: int) -> None:
        calls.append(("wait", number))
        time.sleep(0.003)

    costs = timed({"wait": wait, "none": lambda number: calls.append(("none", number))}, 30)
    assert calls[:3] == [("wait", 0), ("none", 0), ("wait", 1)]
    assert len(costs["wait"].wall_ms) == len(costs["none"].wall_ms) == 5  # after a second
    assert costs["wait"].wall_ms.min() >= 3  # sleeps are never shorter than asked
    assert np.median(costs["none"].wall_ms) < np.median(costs["wait"].wall_ms)
    assert costs["wait"].processor_ms.sum() < costs["wait"].wall_ms.sum()


def test_an_engine_of_another_kind_has_a_total_only() -> None:
    costs = engine_costs(FakeEngine(), np.full((8, 8, 3), 90, np.uint8), 4.0, 128)
    assert list(costs) == ["total"]
    assert len(costs["total"].wall_ms) == 4 * 25 - 25


def test_every_bundled_portrait_is_prepared_twice() -> None:
    found = prepare_cost(FakeEngine())
    assert "astronaut" in found
    assert all(item.fresh_ms > 0 and item.cached_ms > 0 for item in found.values())
