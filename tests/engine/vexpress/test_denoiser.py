"""The denoising UNet: equal to a plain one, and what streaming relies on."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from engine.vexpress.config import MotionConfig, UNetConfig
from engine.vexpress.denoiser import DenoisingUNet
from engine.vexpress.key_map import NetworkKind
from engine.vexpress.reference_keys import ReferenceFeatures, ReferenceKeys
from engine.vexpress.transformer import AttentionWeights
from tests.engine.vexpress.plain import PlainUNet
from tests.engine.vexpress.tiny import (
    TINY_UNET,
    Inputs,
    make_inputs,
    published_state,
    randomise,
)


def predict(
    network: DenoisingUNet,
    inputs: Inputs,
    reference: ReferenceFeatures | ReferenceKeys | None = None,
    timesteps: Tensor | None = None,
) -> Tensor:
    with torch.inference_mode():
        prediction: Tensor = network(
            inputs.latents,
            inputs.timesteps if timesteps is None else timesteps,
            inputs.audio,
            inputs.reference if reference is None else reference,
            inputs.kps_features,
            inputs.weights,
        )
    return prediction


@pytest.fixture(scope="module")
def network() -> DenoisingUNet:
    network = DenoisingUNet(TINY_UNET)
    randomise(network)
    return network


@st.composite
def configs(draw: st.DrawFn) -> UNetConfig:
    levels = draw(st.integers(2, 4))

    def per_level(values: list[int]) -> tuple[int, ...]:
        return tuple(draw(st.lists(st.sampled_from(values), min_size=levels, max_size=levels)))

    return UNetConfig(
        block_channels=per_level([8, 16, 24]),
        heads=per_level([1, 2, 4]),
        attends=tuple(draw(st.lists(st.booleans(), min_size=levels, max_size=levels))),
        layers_per_block=draw(st.integers(1, 2)),
        context_channels=draw(st.integers(1, 9)),
        norm_groups=4,
        motion=MotionConfig(heads=2, attentions=draw(st.integers(1, 2)), max_frames=4),
    )


@settings(max_examples=15, deadline=None)
@given(
    config=configs(),
    batch=st.integers(1, 2),
    frames=st.integers(1, 4),
    size=st.tuples(st.integers(1, 11), st.integers(1, 11)),
)
def test_equals_a_plain_network_in_float64(
    config: UNetConfig, batch: int, frames: int, size: tuple[int, int]
) -> None:
    network = DenoisingUNet(config).double()
    randomise(network)
    inputs = make_inputs(config, (batch, frames, *size), dtype=torch.float64)
    plain = PlainUNet(config, published_state(NetworkKind.DENOISING_UNET, network))
    with torch.inference_mode():
        wanted = plain(
            inputs.latents,
            inputs.timesteps,
            inputs.audio,
            inputs.reference,
            inputs.kps_features,
            (0.95, 2.0),
        )
    torch.testing.assert_close(predict(network, inputs), wanted, rtol=1e-9, atol=1e-9)


def test_keys_projected_once_serve_as_well_as_features(network: DenoisingUNet) -> None:
    inputs = make_inputs(TINY_UNET, (1, 3, 8, 8))
    keys = network.project_reference(inputs.reference)
    assert torch.equal(predict(network, inputs, keys), predict(network, inputs))


def test_keys_and_features_say_nothing_the_same_way(network: DenoisingUNet) -> None:
    doubled = make_inputs(TINY_UNET, (2, 3, 8, 8))
    reference = make_inputs(TINY_UNET, (1, 3, 8, 8)).reference
    keys = network.project_reference(reference).with_unconditional()
    features = reference.with_unconditional()
    torch.testing.assert_close(
        predict(network, doubled, keys), predict(network, doubled, features), rtol=1e-5, atol=1e-5
    )


def test_one_portrait_serves_a_whole_batch(network: DenoisingUNet) -> None:
    inputs = make_inputs(TINY_UNET, (2, 3, 8, 8))
    one = ReferenceFeatures({path: x[:1] for path, x in inputs.reference.items()})
    repeated = ReferenceFeatures({path: x.repeat(2, 1, 1) for path, x in one.items()})
    torch.testing.assert_close(
        predict(network, inputs, one), predict(network, inputs, repeated), rtol=1e-4, atol=1e-5
    )


def test_each_frame_may_look_at_features_of_its_own(network: DenoisingUNet) -> None:
    inputs = make_inputs(TINY_UNET, (2, 3, 8, 8))
    per_frame = ReferenceFeatures(
        {path: x.repeat_interleave(3, dim=0) for path, x in inputs.reference.items()}
    )
    torch.testing.assert_close(
        predict(network, inputs, per_frame), predict(network, inputs), rtol=1e-4, atol=1e-5
    )


def test_what_is_left_out_counts_as_zeros(network: DenoisingUNet) -> None:
    inputs = make_inputs(TINY_UNET, (1, 3, 8, 8))
    latents, timesteps, weights = inputs.latents, inputs.timesteps, inputs.weights
    with torch.inference_mode():
        without = network(latents, timesteps, None, None, None, weights)
        zeros = network(
            latents,
            timesteps,
            torch.zeros_like(inputs.audio),
            inputs.reference.zeros(),
            torch.zeros_like(inputs.kps_features),
            weights,
        )
    torch.testing.assert_close(without, zeros, rtol=1e-4, atol=1e-5)


def test_one_noise_level_may_be_written_in_three_ways(network: DenoisingUNet) -> None:
    inputs = make_inputs(TINY_UNET, (2, 3, 8, 8))
    one = predict(network, inputs, timesteps=torch.tensor([321]))
    assert torch.equal(one, predict(network, inputs, timesteps=torch.tensor([321, 321])))
    assert torch.equal(one, predict(network, inputs, timesteps=torch.full((2, 3), 321)))


def test_each_frame_may_have_its_own_noise_level() -> None:
    network = DenoisingUNet(TINY_UNET)  # new motion modules are silent: frames are independent
    torch.nn.init.normal_(network.backbone.get_parameter("mid_block.residual.time.weight"))
    inputs = make_inputs(TINY_UNET, (1, 2, 8, 8))
    mixed = predict(network, inputs, timesteps=torch.tensor([[900, 20]]))
    noisy = predict(network, inputs, timesteps=torch.tensor([900]))
    clean = predict(network, inputs, timesteps=torch.tensor([20]))
    torch.testing.assert_close(mixed[:, :, 0], noisy[:, :, 0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(mixed[:, :, 1], clean[:, :, 1], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(noisy, clean, rtol=1e-3)


def test_frames_meet_in_the_motion_modules(network: DenoisingUNet) -> None:
    inputs = make_inputs(TINY_UNET, (1, 3, 8, 8))
    before = predict(network, inputs)
    inputs.latents[:, :, 2] += 1
    assert not torch.allclose(predict(network, inputs)[:, :, 0], before[:, :, 0], rtol=1e-3)


def test_weights_may_be_tensors(network: DenoisingUNet) -> None:
    inputs = make_inputs(TINY_UNET, (1, 3, 8, 8))
    with torch.inference_mode():
        weights = AttentionWeights(torch.tensor(0.95), torch.full((3, 1, 1), 2.0))
        prediction = network(
            inputs.latents,
            inputs.timesteps,
            inputs.audio,
            inputs.reference,
            inputs.kps_features,
            weights,
        )
    torch.testing.assert_close(prediction, predict(network, inputs), rtol=1e-4, atol=1e-5)


def test_a_call_leaves_nothing_behind(network: DenoisingUNet) -> None:
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    inputs = make_inputs(TINY_UNET, (1, 3, 8, 8))
    first = predict(network, inputs)
    predict(network, make_inputs(TINY_UNET, (2, 1, 5, 3), seed=1))
    assert torch.equal(predict(network, inputs), first)
    assert network.state_dict().keys() == before.keys()
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_no_branch_depends_on_data() -> None:
    with torch.device("meta"):  # has shapes only: reading a value would raise
        network = DenoisingUNet(TINY_UNET)
    inputs = make_inputs(TINY_UNET, (1, 3, 8, 8))
    to_meta = ReferenceFeatures({path: x.to("meta") for path, x in inputs.reference.items()})
    shapeless = Inputs(
        inputs.latents.to("meta"),
        inputs.timesteps.to("meta"),
        inputs.audio.to("meta"),
        to_meta,
        inputs.kps_features.to("meta"),
        inputs.weights,
    )
    assert predict(network, shapeless).shape == (1, 4, 3, 8, 8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"latents": torch.zeros(1, 4, 7, 8, 8)}, "7 frames"),
        ({"audio": torch.zeros(2, 5, 12)}, "audio tokens of 2 frames for 1 x 3"),
        ({"kps_features": torch.zeros(1, 8, 3, 4, 8)}, "kps features"),
        (
            {"reference": ReferenceFeatures({"mid_block.attentions.0": torch.zeros(1, 1, 24)})},
            "mis",
        ),
    ],
)
def test_inputs_that_do_not_fit_are_named(
    network: DenoisingUNet, change: dict[str, object], message: str
) -> None:
    inputs = make_inputs(TINY_UNET, (1, 3, 8, 8))
    changed = Inputs(**{**vars(inputs), **change})
    with pytest.raises(ValueError, match=message):
        predict(network, changed)


def test_features_cannot_be_changed_by_a_reader() -> None:
    features = make_inputs(TINY_UNET, (1, 1, 8, 8)).reference
    with pytest.raises(TypeError):
        features["mid_block.attentions.0"] = torch.zeros(1)  # type: ignore[index]
