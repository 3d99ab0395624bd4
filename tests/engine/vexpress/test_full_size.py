"""The published sizes, proved without the published weights."""

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from engine.vexpress.config import PUBLISHED, UNetConfig
from engine.vexpress.convert import make_networks
from engine.vexpress.denoiser import DenoisingUNet
from engine.vexpress.key_map import MOTION_FILE, KeyMap, NetworkKind
from engine.vexpress.reference_net import ReferenceNet
from tests.engine.vexpress.plain import PlainUNet
from tests.engine.vexpress.tiny import Inputs, make_inputs, published_state

GIGA = 1e9
FRAMES = 12  # a window of the model as first published; the count hardly depends on it


def shapes_of(kind: NetworkKind) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        return dict(KeyMap(kind, make_networks(PUBLISHED)[kind]()).shapes)


def manifest_shapes(manifest: Path, *files: str) -> dict[str, tuple[int, ...]]:
    known = json.loads(manifest.read_text())["files"]
    return {
        key: tuple(entry["shape"])
        for name in files
        for key, entry in known[f"{name}.bin"]["keys"].items()
    }


@pytest.mark.parametrize("kind", list(NetworkKind))
def test_every_published_key_has_its_place_and_nothing_else(
    kind: NetworkKind, manifest: Path
) -> None:
    files = [kind.value]
    if kind is NetworkKind.DENOISING_UNET:
        files.append(MOTION_FILE)
    assert shapes_of(kind) == manifest_shapes(manifest, *files)


def test_the_published_configuration_is_that_of_the_manifest(manifest: Path) -> None:
    settings = json.loads(manifest.read_text())["unet_config"]
    assert UNetConfig.from_mapping(settings) == PUBLISHED.unet


@pytest.mark.parametrize(
    ("kind", "tensors", "numbers"),
    [
        (NetworkKind.REFERENCE_NET, 684, 859_520_324),
        (NetworkKind.DENOISING_UNET, 798 + 588, 909_120_004 + 454_417_600),
        (NetworkKind.V_KPS_GUIDER, 16, 1_086_480),
        (NetworkKind.AUDIO_PROJECTION, 52, 29_524_224),
    ],
)
def test_the_networks_are_as_large_as_the_published_ones(
    kind: NetworkKind, tensors: int, numbers: int
) -> None:
    shapes = shapes_of(kind)
    assert len(shapes) == tensors
    assert sum(torch.Size(shape).numel() for shape in shapes.values()) == numbers


def meta(*shape: int) -> Tensor:
    return torch.empty(shape, device="meta")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "wanted"), [(512, 1251 * GIGA), (448, 914 * GIGA), (384, 644 * GIGA)]
)
def test_a_frame_costs_what_was_budgeted(size: int, wanted: float) -> None:
    side, config = size // 8, PUBLISHED.unet
    with torch.device("meta"), torch.no_grad():
        unet = DenoisingUNet(config)
        features = ReferenceNet(config)(meta(1, 4, side, side), meta(1))
    keys = unet.project_reference(features)
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        unet(
            meta(1, 4, FRAMES, side, side),
            meta(1, FRAMES),
            meta(FRAMES, 5, 768),
            keys,
            meta(1, 320, FRAMES, side, side),
        )
    assert counter.get_total_flops() / FRAMES == pytest.approx(wanted, rel=0.02)


def full_size_network(dtype: torch.dtype) -> DenoisingUNet:
    """The published sizes with some numbers in them, made without a second copy in float32."""
    with torch.device("meta"):
        unet = DenoisingUNet(PUBLISHED.unet).to(dtype)
    unet.to_empty(device="cpu")
    block = torch.randn(1 << 16, generator=torch.Generator().manual_seed(0)).to(dtype)
    with torch.no_grad():
        for name, tensor in unet.state_dict().items():
            fill = block.repeat(tensor.numel() // len(block) + 1)[: tensor.numel()]
            scale = 1.0 if tensor.ndim == 1 else tensor[0].numel() ** -0.5
            tensor.copy_(fill.reshape(tensor.shape) * (0.1 if tensor.ndim == 1 else scale))
            if "norm" in name and name.endswith("weight"):
                tensor.add_(1)
    return unet


def forward_s(network: Callable[[], Tensor]) -> tuple[Tensor, float]:
    """The result of one call, and how long it took."""
    started_s = time.perf_counter()
    with torch.inference_mode():
        result = network()
    return result, time.perf_counter() - started_s


def ours(unet: DenoisingUNet, inputs: Inputs) -> Tensor:
    prediction: Tensor = unet(
        inputs.latents,
        inputs.timesteps,
        inputs.audio,
        inputs.reference,
        inputs.kps_features,
        inputs.weights,
    )
    return prediction


def tell(capsys: pytest.CaptureFixture[str], line: str) -> None:
    with capsys.disabled():
        sys.stdout.write(f"\n{line}, {torch.get_num_threads()} threads\n")


@pytest.mark.slow
@pytest.mark.timeout(300)  # processors without bfloat16 take their time
def test_one_full_size_forward_runs_in_bfloat16(capsys: pytest.CaptureFixture[str]) -> None:
    unet = full_size_network(torch.bfloat16)
    inputs = make_inputs(PUBLISHED.unet, (1, 1, 8, 8), dtype=torch.bfloat16)
    prediction, took_s = forward_s(lambda: ours(unet, inputs))
    peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    assert torch.isfinite(prediction).all()
    tell(
        capsys,
        f"full-size UNet, a frame at 64x64, bfloat16: {took_s:.1f} s, "
        f"peak memory {peak_gib:.1f} GiB",
    )


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_full_size_network_is_the_plain_one(capsys: pytest.CaptureFixture[str]) -> None:
    unet = full_size_network(torch.float32)
    inputs = make_inputs(PUBLISHED.unet, (1, 2, 16, 16))
    plain = PlainUNet(PUBLISHED.unet, published_state(NetworkKind.DENOISING_UNET, unet))
    prediction, ours_s = forward_s(lambda: ours(unet, inputs))
    wanted, plain_s = forward_s(
        lambda: plain(
            inputs.latents,
            inputs.timesteps,
            inputs.audio,
            inputs.reference,
            inputs.kps_features,
            (0.95, 2.0),
        )
    )
    difference = ((prediction - wanted).norm() / wanted.norm()).item()
    assert difference < 1e-5
    tell(
        capsys,
        f"full-size UNet, 2 frames at 128x128, float32: {ours_s:.1f} s, "
        f"written plainly {plain_s:.1f} s, relative difference {difference:.1e}",
    )
