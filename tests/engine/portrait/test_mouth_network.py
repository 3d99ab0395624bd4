import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.portrait.hearing import FEATURES
from engine.portrait.mouth_network import MouthNetwork


def network() -> MouthNetwork:
    torch.manual_seed(0)
    return MouthNetwork().eval()


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 100), cuts=st.lists(st.integers(1, 24), max_size=4).map(sorted))
def test_streaming_gives_what_one_pass_gives(seed: int, cuts: list[int]) -> None:
    net = network()
    features = torch.from_numpy(
        np.random.default_rng(seed).normal(size=(1, 100, FEATURES)).astype(np.float32)
    )
    with torch.inference_mode():
        whole, _ = net(features, net.start())
        state, parts = net.start(), []
        for piece in torch.tensor_split(features, [cut * 4 for cut in cuts], dim=1):
            if piece.shape[1]:
                part, state = net(piece, state)
                parts.append(part)
    np.testing.assert_allclose(torch.cat(parts, 1), whole, atol=1e-5)


def test_state_does_not_grow() -> None:
    net = network()
    state = net.start()
    sizes = [tuple(past.shape) for past in state]
    for _ in range(40):
        _, state = net(torch.zeros(1, 4, FEATURES), state)
    assert [tuple(past.shape) for past in state] == sizes


def test_the_mouth_is_told_from_what_was_heard() -> None:
    net, features = network(), torch.randn(1, 40, FEATURES)
    with torch.inference_mode():
        heard, _ = net.listen(features, net.start())
        told, _ = net(features, net.start())
        assert torch.equal(net.tell(heard), told)
