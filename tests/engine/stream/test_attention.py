"""Attention by name."""

import pytest
import torch
from torch.nn import functional

from engine.stream.attention import attend, require_attention
from engine.stream.backends import AttentionKind, BackendUnavailableError, choose_attention
from engine.stream.machine import this_machine
from engine.vexpress.blocks import Attention, use_attention
from engine.vexpress.denoiser import DenoisingUNet
from engine.vexpress.motion_module import TemporalAttention
from tests.engine.vexpress.tiny import TINY_UNET

HAS_XFORMERS = this_machine().xformers_version is not None


def test_attention_is_the_softmax_of_products_by_hand() -> None:
    query = torch.tensor([[[[1.0, 0.0]]]])
    keys = torch.tensor([[[[2.0, 0.0], [0.0, 2.0]]]])
    values = torch.tensor([[[[1.0, 0.0], [0.0, 1.0]]]])
    weight = torch.sigmoid(torch.tensor(2 / 2**0.5))  # of the first of two tokens
    wanted = torch.stack([weight, 1 - weight])
    torch.testing.assert_close(attend(query, keys, values)[0, 0, 0], wanted)


def test_the_default_is_pytorchs_to_the_bit() -> None:
    query, keys, values = torch.randn(3, 2, 4, 5, 8, generator=torch.Generator().manual_seed(0))
    wanted = functional.scaled_dot_product_attention(query, keys, values)
    assert torch.equal(attend(query, keys, values), wanted)


def test_one_call_sets_every_attention_of_a_network() -> None:
    network = DenoisingUNet(TINY_UNET)
    attentions = [module for module in network.modules() if isinstance(module, Attention)]
    assert any(isinstance(module, TemporalAttention) for module in attentions)
    assert {module.kind for module in attentions} == {AttentionKind.SDPA}
    for module in attentions:
        module.kind = AttentionKind.XFORMERS
    use_attention(network, AttentionKind.SDPA)
    assert {module.kind for module in attentions} == {AttentionKind.SDPA}


def test_attention_that_is_not_installed_is_refused_before_anything_changes() -> None:
    if HAS_XFORMERS:
        require_attention(AttentionKind.XFORMERS)
        return
    network = DenoisingUNet(TINY_UNET)
    with pytest.raises(BackendUnavailableError, match="xformers"):
        use_attention(network, AttentionKind.XFORMERS)
    kinds = {module.kind for module in network.modules() if isinstance(module, Attention)}
    assert kinds == {AttentionKind.SDPA}


@pytest.mark.gpu
@pytest.mark.skipif(
    choose_attention("xformers", this_machine()).name != "xformers",
    reason=choose_attention("xformers", this_machine()).reason,
)
@pytest.mark.parametrize("head_size", [40, 80, 160])
def test_xformers_agrees_with_pytorch(head_size: int) -> None:
    source = torch.Generator(device="cuda").manual_seed(0)
    query, keys, values = torch.randn(
        3, 2, 8, 64, head_size, generator=source, device="cuda", dtype=torch.float16
    )
    ours = attend(query, keys, values, AttentionKind.XFORMERS)
    torch.testing.assert_close(ours, attend(query, keys, values), atol=2e-3, rtol=2e-3)
