"""The contract of runners, on the CPU, where breaking it fails."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engine.stream.backends import Backend, BackendUnavailableError, Machine, UnknownBackendError
from engine.stream.runner import open_runner
from engine.stream.runner_errors import CaptureError, RunnerError, ShapeNotCapturedError
from engine.stream.runner_settings import RunnerSettings
from tests.engine.stream.small import OperationCounter, Small, open_small, pair, same

SETTINGS = RunnerSettings(label="tiny-64", backend=Backend.EAGER)


def test_a_run_gives_what_a_call_gives() -> None:
    network = Small()
    runner = open_small(network)
    for seed in range(3):
        assert same(runner, network, pair(seed=seed))
    report = runner.report
    assert (report.captures, report.replays, report.warm_ups) == (1, 3, 1)
    assert report.used is Backend.EAGER
    assert report.static_bytes == 4 * 12 * 4


def test_what_is_not_given_stays() -> None:
    network, given = Small(), pair(seed=1)
    runner = open_small(network)
    runner.run(**given)
    x = pair(seed=2)["x"]
    with torch.no_grad():
        wanted = network(x, given["y"])
    assert all(map(torch.equal, runner.run(x=x), wanted))
    assert all(map(torch.equal, runner.run(), wanted))


def test_the_example_is_copied() -> None:
    network, example = Small(), pair()
    runner = open_runner(network, example, SETTINGS)
    before = runner.inputs["x"].clone()
    example["x"].zero_()
    assert torch.equal(runner.inputs["x"], before)


def test_a_static_buffer_can_be_written_and_given() -> None:
    network, given = Small(), pair(seed=1)
    runner = open_small(network)
    runner.inputs["x"].copy_(given["x"])
    with OperationCounter() as counter:
        results = runner.run(x=runner.inputs["x"], y=given["y"])
    with torch.no_grad():
        assert all(map(torch.equal, results, network(**given)))
    assert counter.names.count("aten.copy_.default") == 1 + 2  # y, and two outputs


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"z": torch.zeros(3, 4)}, RunnerError, ("'z'", "x, y")),
        ({"x": torch.zeros(3, 5)}, ShapeNotCapturedError, ("'x'", "[3, 5]", "[3, 4]")),
        ({"x": torch.zeros(3, 4).double()}, ShapeNotCapturedError, ("float64", "float32")),
        ({"y": torch.zeros(3, 4, device="meta")}, ShapeNotCapturedError, ("on meta", "on cpu")),
        ({"y": None}, RunnerError, ("'y'", "no tensor")),
    ],
)
@pytest.mark.parametrize("way", ["run", "keep"])
def test_what_does_not_fit_is_refused_and_changes_nothing(
    way: str, given: dict[str, Any], error: type[RunnerError], words: tuple[str, ...]
) -> None:
    runner = open_small(Small())
    before = {name: tensor.clone() for name, tensor in runner.inputs.items()}
    mixed = {"x": torch.ones(3, 4), **given}
    with pytest.raises(error) as caught:
        runner.run(**mixed) if way == "run" else runner.keep("token", **mixed)
    assert all(word in str(caught.value) for word in (*words, "tiny-64"))
    assert all(torch.equal(before[name], runner.inputs[name]) for name in before)


def test_a_twisted_view_of_a_buffer_is_refused() -> None:
    runner = open_runner(lambda x: x + 1, {"x": torch.rand(3, 3)}, SETTINGS)
    with pytest.raises(RunnerError, match="view"):
        runner.run(x=runner.inputs["x"].T)


def test_results_live_in_the_same_place_and_are_overwritten() -> None:
    runner = open_small(Small())
    held = runner.run(**pair(seed=1))
    copy = held[0].clone()
    places = [tensor.data_ptr() for tensor in held]
    fresh = runner.run(**pair(seed=2))
    assert [tensor.data_ptr() for tensor in fresh] == places
    assert not torch.equal(held[0], copy)
    assert torch.equal(held[0], fresh[0])


def test_results_can_be_given_back() -> None:
    runner = open_runner(lambda x: x * 2, {"x": torch.ones(2)}, SETTINGS)
    (held,) = runner.run()
    (held,) = runner.run(x=held)
    assert held.tolist() == [4.0, 4.0]


@pytest.mark.parametrize("checking", [None, False])
def test_old_results_are_poisoned_while_the_function_runs(checking: bool | None) -> None:
    seen: list[bool] = []
    held: list[Tensor] = []

    def spying(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        seen.append(bool(held) and bool(held[0].isnan().all()))
        return x + 1, x.int(), x > 0

    settings = RunnerSettings(label="spy", backend="eager", checking=checking)
    runner = open_runner(spying, {"x": torch.ones(2)}, settings)
    held.extend(runner.run())
    runner.run()
    assert seen[-1] is (checking is None)


def test_invalidating_poisons_results_and_captures_again() -> None:
    network = Small()
    runner = open_small(network)
    held = runner.run(**pair(seed=1))
    runner.invalidate()
    assert all(tensor.isnan().all() for tensor in held)
    assert same(runner, network, pair(seed=1))
    assert runner.report.captures == 2


def test_a_failure_leaves_no_stale_results() -> None:
    fails = False

    def failing(x: Tensor) -> Tensor:
        if fails:
            raise ValueError("on purpose")
        return x + 1

    runner = open_runner(failing, {"x": torch.ones(2)}, SETTINGS)
    (held,) = runner.run()
    fails = True
    with pytest.raises(ValueError, match="on purpose"):
        runner.run()
    assert held.isnan().all()
    fails = False
    assert runner.run()[0].tolist() == [2.0, 2.0]


def test_a_function_that_writes_its_inputs_is_found_out_at_once() -> None:
    with pytest.raises(RunnerError, match=r"tiny-64.*writes into its inputs: \['x'\]"):
        open_runner(lambda x: x.add_(1) * 2, {"x": torch.ones(2)}, SETTINGS)


def test_a_function_that_begins_to_write_its_inputs_is_found_out_too() -> None:
    writes = False
    runner = open_runner(
        lambda x, y: (x[0].mul_(2) if writes else x[0]) + y,
        {"x": torch.ones(2), "y": torch.ones(1)},
        SETTINGS,
    )
    runner.run()
    writes = True
    with torch.inference_mode(), pytest.raises(RunnerError, match="'x'"):
        runner.run()


def replace_parameter(network: Small) -> None:
    network.linear.weight = nn.Parameter(torch.rand(4, 4))


def replace_data(network: Small) -> None:
    network.linear.weight.data = torch.rand(4, 4)


def replace_buffer(network: Small) -> None:
    network.shift = torch.rand(4)


def replace_module(network: Small) -> None:
    network.linear = nn.Linear(4, 4)


@pytest.mark.parametrize(
    "change", [replace_parameter, replace_data, replace_buffer, replace_module]
)
def test_other_weights_are_captured_again(change: Callable[[Small], None]) -> None:
    network = Small()
    runner = open_small(network)
    runner.run()
    change(network)
    assert same(runner, network, pair(seed=1))
    assert same(runner, network, pair(seed=2))
    assert runner.report.captures == 2


def test_weights_written_in_place_need_no_capture() -> None:
    network = Small()
    runner = open_small(network)
    network.load_state_dict(Small().state_dict())
    assert same(runner, network, pair(seed=1))
    assert runner.report.captures == 1


def test_weights_that_change_the_results_type_are_refused() -> None:
    network = Small()
    runner = open_small(network)
    network.linear = nn.Linear(4, 6)
    network.shift = torch.ones(())
    network.forward = lambda x, y: (network.linear(x), x - y)  # type: ignore[method-assign]
    with pytest.raises(RunnerError, match="open another runner"):
        runner.run()


def test_moving_a_buffer_is_noticed() -> None:
    runner = open_small(Small())
    runner.inputs["y"].data = torch.zeros(3, 4)
    with pytest.raises(RunnerError, match="input 'y'"):
        runner.run()


def test_moving_an_output_is_noticed() -> None:
    runner = open_small(Small())
    runner.run()[1].data = torch.zeros(3, 4)
    with pytest.raises(RunnerError, match="output"):
        runner.run()


def test_kept_inputs_are_copied_once_for_a_token() -> None:
    network = Small()
    runner = open_small(network)
    first, second = pair(seed=1), pair(seed=2)
    assert runner.keep("first", **first) == 2
    assert runner.keep("first", **first) == 0
    assert runner.keep("second", **second) == 2
    with torch.no_grad():
        wanted = network(**second)
    assert all(map(torch.equal, runner.run(), wanted))
    runner.run(x=first["x"])
    assert runner.keep("second", **second) == 1  # only x was overwritten
    runner.inputs["y"].zero_()
    assert runner.keep("second", **second) == 1
    assert all(map(torch.equal, runner.run(), wanted))


def test_the_callers_mode_makes_no_difference() -> None:
    network, given = Small(), pair(seed=1)
    with torch.inference_mode():
        runner = open_small(network)
        inside = [tensor.clone() for tensor in runner.run(**pair(seed=1))]
        assert runner.keep("a", x=torch.ones(3, 4)) == 1
    outside = runner.run(**given)
    assert all(map(torch.equal, inside, outside))
    assert not any(tensor.requires_grad or tensor.is_inference() for tensor in outside)


def test_threads_take_turns() -> None:
    inside, most = [0], [0]

    def counting(x: Tensor) -> Tensor:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        time.sleep(0.002)  # lets another thread in, if one may
        inside[0] -= 1
        return x + 1

    runner = open_runner(counting, {"x": torch.ones(2)}, SETTINGS)
    threads = [threading.Thread(target=lambda: [runner.run() for _ in range(5)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert runner.report.replays == 20


@pytest.mark.parametrize(
    ("backend", "error"), [("cuda-graph", BackendUnavailableError), ("x", UnknownBackendError)]
)
def test_a_backend_must_be_there(backend: str, error: type[Exception]) -> None:
    with pytest.raises(error, match=backend):
        open_small(Small(), backend)


def test_a_gpu_is_of_no_use_to_tensors_on_the_cpu() -> None:
    with pytest.raises(BackendUnavailableError, match="needs a CUDA GPU"):
        open_small(Small(), "inductor+graph", machine=Machine(torch_version="2.13.0"))
    report = open_small(Small(), "auto").report
    assert (report.asked, report.used) == ("auto", Backend.EAGER)
    assert "without a GPU" in report.reason


def test_a_function_that_fails_is_told_with_its_preset() -> None:
    with pytest.raises(CaptureError, match=r"tiny-64.*eager failed.*RuntimeError"):
        open_runner(lambda x: x @ x, {"x": torch.ones(2, 3)}, SETTINGS)


def test_nonsense_is_refused() -> None:
    with pytest.raises(RunnerError, match="at least one"):
        open_runner(lambda: torch.ones(1), {}, SETTINGS)
    mixed = {"x": torch.ones(1), "y": torch.ones(1, device="meta")}
    with pytest.raises(RunnerError, match="one device"):
        open_runner(lambda x, y: x, mixed, SETTINGS)
    with pytest.raises(ValueError, match="2 warm-ups"):
        RunnerSettings(label="x", warm_ups=2)
