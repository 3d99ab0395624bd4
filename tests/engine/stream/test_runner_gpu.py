"""Runners on a GPU: what cannot be proved without one. Their CPU twins are in `test_runner.py`."""

from pathlib import Path

import pytest
import torch

from engine.stream.backends import Backend, choose, survey_backends
from engine.stream.graph_pool import GraphPool
from engine.stream.machine import this_machine
from engine.stream.runner import open_runner
from engine.stream.runner_settings import RunnerSettings
from engine.vexpress.denoiser import DenoisingUNet
from tests.engine.stream.small import Small, open_small, pair
from tests.engine.stream.unet import reference_paths, window_call, window_inputs
from tests.engine.vexpress.tiny import TINY_UNET, randomise

MACHINE = this_machine()
MISSING = {item.name: item.reason for item in survey_backends(MACHINE) if not item.available}
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(MACHINE.gpu is None, reason=MISSING.get(Backend.CUDA_GRAPH, "")),
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore"),  # compilers warn about themselves
]
NAMED = [
    pytest.param(name, marks=pytest.mark.skipif(name in MISSING, reason=MISSING.get(name, "")))
    for name in sorted(set(Backend) - {Backend.AUTO})
]


def close(runs: tuple[torch.Tensor, ...], wanted: tuple[torch.Tensor, ...]) -> bool:
    return all(map(lambda a, b: torch.allclose(a, b, atol=1e-3, rtol=1e-3), runs, wanted))


@pytest.mark.parametrize("backend", NAMED)
def test_every_backend_gives_what_a_call_gives(backend: str, tmp_path: Path) -> None:
    network = Small("cuda")
    runner = open_small(network, backend, engine_folder=tmp_path)
    places = None
    for seed in range(3):
        given = pair("cuda", seed)
        with torch.no_grad():
            wanted = network(**given)
        results = runner.run(**given)
        assert close(results, wanted)
        places = places or [tensor.data_ptr() for tensor in results]
        assert [tensor.data_ptr() for tensor in results] == places
    assert runner.report.captures == 1


@pytest.mark.parametrize("backend", NAMED)
def test_other_weights_are_captured_again(backend: str, tmp_path: Path) -> None:
    network = Small("cuda")
    runner = open_small(network, backend, engine_folder=tmp_path)
    runner.run()
    network.linear = torch.nn.Linear(4, 4, device="cuda")
    with torch.no_grad():
        wanted = network(**pair("cuda", 1))
    assert close(runner.run(**pair("cuda", 1)), wanted)
    assert runner.report.captures == 2


@pytest.mark.parametrize("backend", [name for name in NAMED if "graph" in str(name.values[0])])
def test_a_replay_calls_no_python(backend: str) -> None:
    network = Small("cuda")
    runner = open_small(network, backend)
    before = network.calls
    for seed in range(3):
        runner.run(**pair("cuda", seed))
    assert network.calls == before
    assert runner.report.warm_ups == 3


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (1, 1, 0, 0, 1)])
def test_graphs_of_one_pool_replay_in_any_order(order: tuple[int, ...]) -> None:
    pool, networks = GraphPool(), [Small("cuda"), Small("cuda")]
    runners = [open_small(network, Backend.CUDA_GRAPH, pool=pool) for network in networks]
    runners[0].invalidate()  # and so is captured after the other one
    wanted, held = {}, {}
    for step, index in enumerate(order):
        given = pair("cuda", step)
        with torch.no_grad():
            wanted[index] = networks[index](**given)
        held[index] = runners[index].run(**given)
    for index, results in held.items():
        assert close(results, wanted[index])


def test_another_stream_waits_for_the_last() -> None:
    network = Small("cuda")
    runner = open_small(network, Backend.CUDA_GRAPH)
    for seed in range(20):
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # PyTorch's
        given = pair("cuda", seed)
        torch.cuda.synchronize()
        with torch.cuda.stream(stream):
            results = [tensor.clone() for tensor in runner.run(**given)]
        stream.synchronize()
        with torch.no_grad():
            assert close(tuple(results), network(**given))


def test_auto_takes_what_the_survey_says() -> None:
    report = open_small(Small("cuda"), Backend.AUTO).report
    assert report.used == choose("auto", MACHINE).name


def test_auto_falls_back_if_a_function_cannot_be_compiled() -> None:
    def broken_in_two(x: torch.Tensor) -> torch.Tensor:
        torch._dynamo.graph_break()
        return x + 1

    runner = open_runner(
        broken_in_two, {"x": torch.ones(2, device="cuda")}, RunnerSettings(label="broken")
    )
    assert runner.run()[0].tolist() == [2.0, 2.0]
    assert runner.report.used is Backend.CUDA_GRAPH
    assert Backend.INDUCTOR_GRAPH in runner.report.reason
    assert runner.report.captures == 1


def test_the_tiny_network_in_a_graph() -> None:
    network = DenoisingUNet(TINY_UNET).eval()
    randomise(network)
    inputs = [window_inputs(network, TINY_UNET, (1, 4, 8, 8), seed) for seed in range(2)]
    network.cuda()
    first, second = ({name: x.cuda() for name, x in given.items()} for given in inputs)
    call = window_call(network, reference_paths(first))
    settings = RunnerSettings(label="tiny", backend=Backend.CUDA_GRAPH, weights=(network,))
    runner = open_runner(call, first, settings)
    with torch.no_grad():
        wanted = call(**second)
    torch.testing.assert_close(runner.run(**second)[0], wanted, atol=1e-3, rtol=1e-3)
