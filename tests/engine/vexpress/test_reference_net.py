"""The ReferenceNet's features: named as the denoiser asks for them, and nothing else matters."""

import copy

import pytest
import torch

from engine.vexpress.config import PUBLISHED
from engine.vexpress.denoiser import DenoisingUNet
from engine.vexpress.reference_net import ReferenceNet
from tests.engine.vexpress.tiny import TINY_UNET, randomise

AT_ZERO = torch.zeros(1, dtype=torch.int64)


@pytest.fixture(scope="module")
def network() -> ReferenceNet:
    network = ReferenceNet(TINY_UNET)
    randomise(network)
    return network.requires_grad_(False)


def test_features_have_the_names_and_sizes_the_denoiser_asks_for() -> None:
    with torch.device("meta"):
        features = ReferenceNet(PUBLISHED.unet)(torch.zeros(1, 4, 64, 64), torch.zeros(1))
        attentions = DenoisingUNet(PUBLISHED.unet).reference_attentions()
    assert features.keys() == attentions.keys()
    sizes = sorted((x.shape[2], x.shape[1]) for x in features.values())
    assert sizes == [(320, 4096)] * 5 + [(640, 1024)] * 5 + [(1280, 64)] + [(1280, 256)] * 5


def test_no_context_is_a_context_of_zeros(network: ReferenceNet) -> None:
    latents = torch.randn(2, 4, 8, 12, generator=torch.Generator().manual_seed(0))
    with_zeros = network(latents, AT_ZERO, torch.zeros(2, 1, TINY_UNET.context_channels))
    for path, feature in network(latents, AT_ZERO).items():
        torch.testing.assert_close(feature, with_zeros[path], rtol=1e-5, atol=1e-5)


def test_portraits_of_a_batch_do_not_meet(network: ReferenceNet) -> None:
    exact = copy.deepcopy(network).double()
    latents = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0)).double()
    together, alone = exact(latents, AT_ZERO), exact(latents[1:], AT_ZERO)
    for path, feature in alone.items():
        torch.testing.assert_close(together[path][1:], feature, rtol=1e-9, atol=1e-9)


def test_what_follows_the_last_tap_changes_no_feature(network: ReferenceNet) -> None:
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    before = network(latents, AT_ZERO)
    spatial = network.get_submodule("backbone.up_blocks.3.layers.1.spatial")
    last = [network.conv_out, spatial.get_submodule("proj_out")]
    last += [
        spatial.get_submodule(f"block.{name}") for name in ("context_attention", "feed_forward")
    ]
    kept = [part.state_dict() for part in last]
    kept = [{name: x.clone() for name, x in state.items()} for state in kept]
    for part in last:
        for parameter in part.parameters():
            parameter.zero_()
    after = network(latents, AT_ZERO)
    for part, state in zip(last, kept, strict=True):
        part.load_state_dict(state)
    assert all(torch.equal(after[path], feature) for path, feature in before.items())


def test_features_move_and_change_type_together(network: ReferenceNet) -> None:
    features = network(torch.zeros(1, 4, 8, 8), AT_ZERO)
    moved = features.to("meta", torch.float16)
    assert moved.keys() == features.keys()
    assert {(x.device.type, x.dtype) for x in moved.values()} == {("meta", torch.float16)}
