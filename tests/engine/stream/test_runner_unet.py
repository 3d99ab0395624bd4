"""The denoising UNet through a runner: tiny with numbers, full size by shapes."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode

from engine.stream.builders import Exportable
from engine.stream.runner import open_runner
from engine.stream.runner_errors import ShapeNotCapturedError
from engine.stream.runner_settings import RunnerSettings
from engine.vexpress.config import PUBLISHED
from engine.vexpress.denoiser import DenoisingUNet
from engine.vexpress.reference_net import ReferenceNet
from tests.engine.stream.unet import flatten, reference_paths, window_call, window_inputs
from tests.engine.vexpress.tiny import TINY_UNET, randomise

SHAPE = (1, 4, 8, 8)
WINDOW_FRAMES = 16  # of the preset for 512 pixels


class WithoutGpu(TorchFunctionMode):
    """Indexing and copying wake the GPU even for fake tensors, which have nothing to copy."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func is Tensor.copy_:
            return args[0].add_(args[1])  # shape and device are still looked at
        if func is not Tensor.__getitem__:
            return func(*args, **(kwargs or {}))
        tensor, indices = args
        for axis, index in enumerate(indices):
            if index is None:
                tensor = tensor.unsqueeze(axis)
            elif index.stop is not None:
                tensor = tensor.narrow(axis, 0, index.stop)
        return tensor


@pytest.fixture(scope="module")
def network() -> DenoisingUNet:
    network = DenoisingUNet(TINY_UNET).eval()
    randomise(network)
    return network


def test_a_window_of_the_tiny_network_is_equal_to_the_bit(network: DenoisingUNet) -> None:
    example = window_inputs(network, TINY_UNET, SHAPE, seed=0)
    call = window_call(network, reference_paths(example))
    settings = RunnerSettings(label="tiny", backend="eager", weights=(network,))
    runner = open_runner(call, example, settings)
    for portrait in (1, 2):
        inputs = window_inputs(network, TINY_UNET, SHAPE, seed=portrait)
        reference = {name: x for name, x in inputs.items() if name.startswith("reference.")}
        rest = {name: x for name, x in inputs.items() if name not in reference}
        assert runner.keep(portrait, **reference) == len(reference) > 0
        assert runner.keep(portrait, **reference) == 0
        with torch.no_grad():
            wanted = call(**inputs)
        assert isinstance(wanted, Tensor)
        assert torch.equal(runner.run(**rest)[0], wanted)
    with pytest.raises(ShapeNotCapturedError, match="'tiny' was captured for float32"):
        runner.run(latents=torch.zeros(1, 4, 6, 8, 8))
    assert runner.report.captures == 1


@pytest.mark.slow
def test_a_window_can_be_exported_with_its_keys_as_inputs(network: DenoisingUNet) -> None:
    example = window_inputs(network, TINY_UNET, SHAPE, seed=0)
    call = window_call(network, reference_paths(example))
    module = Exportable(call, (network,), tuple(example))
    program = torch.export.export(module, tuple(example.values()))
    inputs = window_inputs(network, TINY_UNET, SHAPE, seed=1)
    with torch.no_grad():
        (velocity,) = program.module()(*inputs.values())
        torch.testing.assert_close(velocity, call(**inputs))
    assert len(program.graph_signature.user_inputs) == len(example)
    assert not program.constants or all(x.numel() < 100 for x in program.constants.values())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what the compiler imports
def test_a_window_is_one_graph_to_the_compiler(network: DenoisingUNet) -> None:
    example = window_inputs(network, TINY_UNET, SHAPE, seed=0)
    call = window_call(network, reference_paths(example))
    whole = torch.compile(call, backend="eager", fullgraph=True, dynamic=False)
    with torch.no_grad():
        torch.testing.assert_close(whole(**example), call(**example))


@pytest.mark.slow
def test_a_full_size_window_passes_the_checks_of_a_gpu_runner() -> None:
    config, side = PUBLISHED.unet, 64

    def half(*shape: int) -> Tensor:
        return torch.empty(shape, device="cuda", dtype=torch.float16)

    with torch.device("meta"):
        unet, reference_net = DenoisingUNet(config), ReferenceNet(config)
    with FakeTensorMode(), WithoutGpu(), torch.no_grad():
        for module in (*unet.modules(), *reference_net.modules()):
            for name, tensor in module.named_parameters(recurse=False):
                setattr(module, name, nn.Parameter(half(*tensor.shape)))
            for name, buffer in module.named_buffers(recurse=False):
                setattr(module, name, half(*buffer.shape))
        features = reference_net(half(1, 4, side, side), half(1))
        example = {
            "latents": half(1, 4, WINDOW_FRAMES, side, side),
            "timesteps": torch.empty(1, WINDOW_FRAMES, device="cuda"),
            "audio_tokens": half(WINDOW_FRAMES, 5, config.context_channels),
            "kps_features": half(1, 320, WINDOW_FRAMES, side, side),
            **flatten(unet.project_reference(features)),
        }
        settings = RunnerSettings(label="h100-512", backend="eager", weights=(unet,), checking=True)
        runner = open_runner(window_call(unet, reference_paths(example)), example, settings)
        (velocity,) = runner.run(latents=half(1, 4, WINDOW_FRAMES, side, side))
        assert velocity.shape == example["latents"].shape
        assert (velocity.device.type, velocity.dtype) == ("cuda", torch.float16)
        with pytest.raises(ShapeNotCapturedError, match=r"float16 \[1, 4, 16, 64, 64\] on cuda"):
            runner.run(latents=half(1, 4, 12, side, side))
        with pytest.raises(ShapeNotCapturedError, match="on cpu"):
            runner.run(timesteps=torch.empty(1, WINDOW_FRAMES))
    reference = [x for name, x in runner.inputs.items() if name.startswith("reference.")]
    assert sum(2 * x.numel() for x in reference) == pytest.approx(46e6, rel=0.1)
    assert runner.report.captures == 1
