"""Compiled runners on the CPU, and what TensorRT is asked for."""

from pathlib import Path

import pytest
import torch

from engine.stream.backends import (
    Availability,
    Backend,
    BackendUnavailableError,
    Gpu,
    Machine,
    survey_backends,
)
from engine.stream.builders import build_by_tensorrt, tensorrt_options
from engine.stream.machine import this_machine
from engine.stream.runner import open_runner
from engine.stream.runner_errors import CaptureError, RunnerError
from engine.stream.runner_settings import RunnerSettings
from tests.engine.stream.small import Small, open_small, pair

HERE = this_machine().without_gpu()
SERVER = Machine(
    torch_version="2.13.0",
    gpu=Gpu(name="NVIDIA H100", capability=(9, 0), memory_bytes=80 << 30),
    torch_tensorrt_version="2.13.0",
)


def inductor() -> Availability:
    return next(item for item in survey_backends(HERE) if item.name == Backend.INDUCTOR)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what the compiler imports
def test_a_compiled_function_keeps_the_contract() -> None:
    network = Small()
    if not inductor().available:
        with pytest.raises(BackendUnavailableError, match="needs a C\\+\\+ compiler"):
            open_small(network, Backend.INDUCTOR)
        return
    runner = open_small(network, Backend.INDUCTOR)
    held = runner.run(**pair(seed=1))
    places = [tensor.data_ptr() for tensor in held]
    network.linear = torch.nn.Linear(4, 4)
    with torch.no_grad():
        wanted = network(**pair(seed=2))
    with torch.inference_mode():  # compiled code must not be made again for another mode
        fresh = runner.run(**pair(seed=2))
    for ours, plain in zip(fresh, wanted, strict=True):
        torch.testing.assert_close(ours, plain)
    assert [tensor.data_ptr() for tensor in fresh] == places
    report = runner.report
    assert (report.captures, report.warm_ups, report.replays) == (2, 6, 2)
    assert report.compile_s > 0
    with pytest.raises(RunnerError, match="writes into its inputs"):
        open_runner(
            lambda x: x.add_(1) * 2,
            {"x": torch.ones(2)},
            RunnerSettings(label="impure", backend=Backend.INDUCTOR),
        )


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(not inductor().available, reason=inductor().reason)
def test_what_cannot_be_compiled_whole_is_refused() -> None:
    def branching(x: torch.Tensor) -> torch.Tensor:
        return x + 1 if x.sum() > 0 else x

    settings = RunnerSettings(label="branching", backend=Backend.INDUCTOR)
    with pytest.raises(CaptureError, match=r"branching.*inductor failed: cannot build"):
        open_runner(branching, {"x": torch.ones(2)}, settings)


def test_tensorrt_is_asked_to_cache_what_it_builds(tmp_path: Path) -> None:
    options = tensorrt_options(tmp_path, SERVER)
    assert not options["immutable_weights"]  # or the next two do nothing
    assert options["cache_built_engines"]
    assert options["reuse_cached_engines"]
    assert options["engine_cache_dir"] == str(tmp_path / "2.13.0-NVIDIA-H100")
    assert "enabled_precisions" not in options  # networks are strongly typed


@pytest.mark.skipif(HERE.torch_tensorrt_version is not None, reason="torch-tensorrt is installed")
def test_tensorrt_that_is_not_installed_is_an_error_of_ours(tmp_path: Path) -> None:
    build = build_by_tensorrt(Small(), (), tmp_path, SERVER)
    with pytest.raises(BackendUnavailableError, match="tensorrt"):
        build(pair())
