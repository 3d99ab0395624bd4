"""Runners under any sequence of steps, and what a step costs in operations."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.stream.runner import open_runner
from engine.stream.runner_settings import RunnerSettings
from tests.engine.stream.small import OperationCounter, Small, open_small, pair

SEEDS = st.integers(0, 3)
NAMES = st.sets(st.sampled_from(["x", "y"]))
STEPS: st.SearchStrategy[tuple[str, set[str], int]] = st.one_of(
    st.tuples(st.just("run"), NAMES, SEEDS),
    st.tuples(st.just("keep"), NAMES, SEEDS),
    st.tuples(st.just("write"), NAMES, SEEDS),
    st.tuples(st.just("invalidate"), st.just(set()), SEEDS),
    st.tuples(st.just("swap weights"), st.just(set()), SEEDS),
)


@settings(deadline=None, max_examples=60)
@given(steps=st.lists(STEPS, max_size=12))
def test_any_sequence_of_steps_gives_what_plain_calls_give(
    steps: list[tuple[str, set[str], int]],
) -> None:
    network = Small()
    runner = open_small(network)
    state, captures, runs, is_stale = pair(), 1, 0, False
    for kind, names, seed in steps:
        fresh = {name: tensor for name, tensor in pair(seed=seed).items() if name in names}
        if kind in {"run", "keep", "write"}:
            state |= fresh
        if kind == "keep":
            runner.keep(seed, **fresh)
        elif kind == "write":
            for name, tensor in fresh.items():
                runner.inputs[name].copy_(tensor)
        elif kind == "invalidate":
            runner.invalidate()
            is_stale = True
        elif kind == "swap weights":
            network.linear = torch.nn.Linear(4, 4)
            is_stale = True
        else:
            captures, runs, is_stale = captures + is_stale, runs + 1, False
            with torch.no_grad():
                wanted = network(**state)
            assert all(map(torch.equal, runner.run(**fresh), wanted))
        assert (runner.report.captures, runner.report.replays) == (captures, runs)
        assert all(torch.equal(runner.inputs[name], state[name]) for name in state)


@pytest.mark.parametrize("checking", [True, False])
def test_steady_state_allocates_nothing(checking: bool) -> None:
    ready = torch.ones(3, 4), torch.ones(2)
    null = RunnerSettings(label="null", backend="eager", checking=checking)
    runner = open_runner(lambda x, y: ready, pair(), null)
    fresh = pair(seed=1)
    with OperationCounter() as counter:
        runner.run(**fresh)
        runner.run()
        runner.keep("a", x=fresh["x"])
        runner.keep("a", x=fresh["x"])
    fills = 2 * 2 if checking else 0
    copies = 2 + 2 + 2 + 1  # inputs, outputs, outputs, what is kept
    assert counter.names.count("aten.copy_.default") == copies
    assert counter.names.count("aten.fill_.Scalar") == fills
    assert len(counter.names) == copies + fills
