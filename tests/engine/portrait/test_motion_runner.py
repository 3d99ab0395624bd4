import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.portrait.gate import LOOK_AHEAD_FRAMES
from engine.portrait.hearing import FEATURES
from engine.portrait.landmarks import Floats
from engine.portrait.motion import WEIGHTS_PATH, MotionModel
from engine.portrait.motion_denoiser import MotionNetwork
from engine.portrait.motion_runner import DRAWN_AT_ONCE, MotionRunner, MotionWeights
from engine.portrait.mouth_runner import MouthRunner, MouthWeights
from engine.portrait.numpy_layers import CentredNorm, gelu, silu
from tests.engine.portrait.line_counter import LineCounter
from tests.engine.portrait.motion_networks import network
from tests.engine.portrait.plain_denoiser import HEARD_ROWS, open_denoiser
from tests.engine.stream.small import OperationCounter


def sound(frames: int, seed: int = 0) -> Floats:
    """Features [frames, 4, FEATURES]."""
    drawn = np.random.default_rng(seed).normal(size=(frames, 4, FEATURES))
    return np.asarray(drawn, np.float32)


def by_the_core(net: MotionNetwork, features: Floats, seed: int) -> list[Floats | None]:
    """The mouth of each frame: PyTorch on the general streaming core."""
    mouths: list[Floats | None] = []
    with torch.inference_mode():
        stream, state = open_denoiser(net, seed), net.mouth.start()
        for frame in features:
            rows, state = net.listen(torch.from_numpy(frame)[None], state)
            emitted = stream.push({HEARD_ROWS: rows})
            latents = None if emitted is None else emitted.latents[0, :, 0]
            mouths.append(None if latents is None else net.to_mouth(latents).numpy().copy())
    return mouths


def assert_same(one: Floats | None, other: Floats | None) -> None:
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        np.testing.assert_array_equal(one, other)


def assert_alike(mine: list[Floats | None], wanted: list[Floats | None]) -> None:
    late = LOOK_AHEAD_FRAMES
    assert mine[:late] == wanted[:late] == [None] * late
    for one, other in zip(mine[late:], wanted[late:], strict=True):
        assert one is not None
        assert other is not None
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@settings(deadline=None, max_examples=6)
@given(frames=st.integers(3, 70), seed=st.integers(0, 2**64), weights=st.integers(0, 3))
def test_gives_what_the_streaming_core_gives(frames: int, seed: int, weights: int) -> None:
    net, features = network(weights), sound(frames, seed)
    runner = MotionRunner(MotionWeights(net), seed)
    assert_alike([runner.push(one) for one in features], by_the_core(net, features, seed))


def test_so_do_the_shipped_weights() -> None:
    net, features = MotionModel.load(WEIGHTS_PATH).network, sound(60)
    runner = MotionRunner(MotionWeights(net), 7)
    assert_alike([runner.push(one) for one in features], by_the_core(net, features, 7))


def test_hears_what_the_mouth_network_hears() -> None:
    net, features = network().mouth, sound(40)
    runner = MouthRunner(MouthWeights(net))
    with torch.inference_mode():
        wanted, _ = net.listen(torch.from_numpy(features).reshape(1, -1, FEATURES), net.start())
    heard = np.stack([runner.listen(one) for one in features])
    np.testing.assert_allclose(heard, wanted[0], rtol=1e-5, atol=1e-5)


def test_a_reset_leaves_no_trace() -> None:
    weights, features = MotionWeights(network()), sound(40)
    used, new = MotionRunner(weights, 5), MotionRunner(weights, 5)
    for one in sound(33, seed=1):
        used.push(one)
    used.reset()
    for one in features:
        assert_same(used.push(one), new.push(one))


def test_weights_are_copies() -> None:
    net, features = network(), sound(4)
    weights = MotionWeights(net)
    before = MotionRunner(weights, 0)
    with torch.no_grad():
        for weight in (*net.parameters(), *net.buffers()):
            weight.zero_()
    after = MotionRunner(weights, 0)
    for one in features:
        assert_same(before.push(one), after.push(one))


def test_a_frame_costs_few_calls_and_the_same_for_ever() -> None:
    runner, frame = MotionRunner(MotionWeights(network()), 0), sound(1)[0]
    lines = []
    with OperationCounter() as torch_operations:
        for _ in range(6 * DRAWN_AT_ONCE):
            with LineCounter() as counter:
                runner.push(frame)
            lines.append(counter.lines)
    assert not torch_operations.names  # on the streaming core it was 340
    assert np.mean(lines) < 550
    rounds = np.reshape(lines, (6, DRAWN_AT_ONCE)).sum(axis=1)
    assert set(rounds[1:].tolist()) == {rounds[-1]}  # the first has frames before any left


def test_memory_does_not_grow() -> None:
    runner, frame = MotionRunner(MotionWeights(network()), 0), sound(1)[0]
    tracemalloc.start()
    try:
        held = []
        for _ in range(2):
            for _ in range(50):
                runner.push(frame)
            held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert held[1] - held[0] < 10_000


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e4])
def test_layers_are_those_of_pytorch(size: float) -> None:
    drawn = size * np.random.default_rng(0).normal(size=1000)
    values = np.asarray(drawn - drawn.mean(), np.float32)
    there, functions = torch.from_numpy(values), torch.nn.functional
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(silu(values), functions.silu(there), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(gelu(values), functions.gelu(there), rtol=1e-5, atol=1e-6)
    layer = torch.nn.LayerNorm(1000)
    torch.nn.init.normal_(layer.weight)
    torch.nn.init.normal_(layer.bias)
    with torch.inference_mode():
        wanted = layer(there)
    np.testing.assert_allclose(CentredNorm.of(layer)(values), wanted, rtol=1e-4, atol=1e-5)


def test_loud_nonsense_is_survived() -> None:
    runner = MotionRunner(MotionWeights(network()), 0)
    for one in 1e6 * sound(5):
        runner.push(one)  # warnings are errors
    runner.reset()
    mouth = [runner.push(one) for one in sound(3)][-1]
    assert mouth is not None
    assert np.isfinite(mouth).all()
