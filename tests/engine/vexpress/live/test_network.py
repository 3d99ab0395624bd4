"""The network behind runners: widths, inputs by name, keyframe slots."""

from pathlib import Path

import pytest
import torch

from engine.stream.denoise import Look
from engine.vexpress.blocks import KeysValues
from engine.vexpress.denoiser import DenoisingUNet
from engine.vexpress.live.loading import load_live_engine
from engine.vexpress.live.network import (
    AUDIO,
    Width,
    flatten_keys,
    gather_keys,
    in_slots,
    widths,
)
from engine.vexpress.presets import choose_preset
from engine.vexpress.reference_keys import ReferenceKeys
from tests.engine.vexpress.live.conftest import PILE, live_settings
from tests.engine.vexpress.tiny import TINY_UNET, make_inputs, randomise


@pytest.mark.parametrize(
    ("preset", "wanted"),
    [
        ("h100-512", [Width(16, guided=False), Width(6, guided=False)]),
        ("4090-384", [Width(16, guided=False), Width(6, guided=False)]),
        ("4090-512", [Width(10, guided=False)]),
        ("stock", [Width(12, guided=True), Width(12, guided=False)]),
    ],
)
def test_every_width_that_a_preset_needs_is_known(preset: str, wanted: list[Width]) -> None:
    assert list(widths(choose_preset(preset).schedule)) == wanted


@pytest.fixture(scope="module")
def unet() -> DenoisingUNet:
    network = DenoisingUNet(TINY_UNET).eval()
    randomise(network)
    return network


def other_keys(keys: ReferenceKeys) -> ReferenceKeys:
    return ReferenceKeys(
        {
            path: KeysValues(pair.keys.flip(2) * 0.5, pair.values + 0.1)
            for path, pair in keys.items()
        }
    )


@pytest.mark.parametrize("slots", [1, 2, 3, 4])
def test_one_picture_in_all_slots_is_that_picture(unet: DenoisingUNet, slots: int) -> None:
    inputs = make_inputs(TINY_UNET, (1, 3, 8, 8))
    with torch.inference_mode():
        keys = unet.project_reference(inputs.reference)
        outputs = [
            unet(
                inputs.latents,
                inputs.timesteps,
                inputs.audio,
                reference,
                inputs.kps_features,
                inputs.weights,
            )
            for reference in (keys, in_slots((keys,), slots))
        ]
    assert (outputs[0] - outputs[1]).norm() / outputs[0].norm() < 1e-6


def test_another_picture_in_a_slot_counts(unet: DenoisingUNet) -> None:
    inputs = make_inputs(TINY_UNET, (1, 2, 8, 8))
    with torch.inference_mode():
        keys = unet.project_reference(inputs.reference)
        pair = in_slots((keys, other_keys(keys)), 2)
        call = (inputs.latents, inputs.timesteps, inputs.audio)
        one, two = (unet(*call, reference) for reference in (in_slots((keys,), 2), pair))
    assert not torch.allclose(one, two)
    with pytest.raises(ValueError, match="3 keyframes for 2 slots"):
        in_slots((keys, keys, keys), 2)


def test_keys_go_by_name_and_come_back(unet: DenoisingUNet) -> None:
    keys = unet.project_reference(make_inputs(TINY_UNET, (1, 1, 8, 8)).reference)
    flat = flatten_keys(keys)
    assert len(flat) == 2 * len(keys)
    back = gather_keys({"latents": torch.zeros(1), **flat})
    assert back.keys() == keys.keys()
    assert all(back[path] is not None and back[path].keys is keys[path].keys for path in keys)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_captured_call_is_the_plain_call(models: Path) -> None:
    engine = load_live_engine(live_settings(models, PILE, keyframe_slots=2))
    grey, face = engine.model.makes.blank()
    avatar = engine.model.makes.look_at(grey, face, "grey")
    seen = engine.seen(avatar, 1.0)
    source = torch.Generator().manual_seed(0)
    look = Look(
        latents=torch.randn(1, 4, 4, 16, 16, generator=source),
        timesteps=torch.tensor([[499, 499, 999, 999]]),
        conditions={AUDIO: torch.randn(4, 5, 12, generator=source)},
        guided=False,
    )
    captured = engine.model.runners.predict(look, seen).clone()
    unet = engine.model.makes.networks.unet
    with torch.inference_mode():
        plain = unet(
            look.latents,
            look.timesteps,
            look.conditions[AUDIO],
            gather_keys(avatar.keys),
            avatar.kps.expand(-1, -1, 4, -1, -1),
            engine.model.weights,
        )
    assert (captured - plain).norm() / plain.norm() < 1e-6
