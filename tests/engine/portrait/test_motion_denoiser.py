import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from engine.portrait.gate import LOOK_AHEAD_FRAMES
from engine.portrait.hearing import FEATURES
from engine.portrait.motion_denoiser import (
    SCHEDULE,
    STEPS,
    MotionNetwork,
    motion_ladder,
)
from engine.portrait.motion_unet import WINDOW_FRAMES
from engine.stream.denoise import StreamingDenoiser
from engine.stream.noise import FrameNoise
from engine.stream.schedule import evaluations_per_frame
from tests.engine.portrait.motion_networks import network
from tests.engine.portrait.plain_denoiser import HEARD_ROWS, open_denoiser
from tests.engine.stream.small import OperationCounter


def rows_of(net: MotionNetwork, frames: int, seed: int = 0) -> Tensor:
    chance = torch.Generator().manual_seed(seed)
    features = torch.randn(1, 4 * frames, FEATURES, generator=chance)
    return net.listen(features, net.mouth.start())[0]


def push_all(stream: StreamingDenoiser, rows: Tensor) -> Tensor:
    """Latents [9, frames] of every frame that came out."""
    came = []
    for row in torch.split(rows, 1, dim=1):
        emitted = stream.push({HEARD_ROWS: row})
        if emitted is not None:
            came.append(emitted.latents[0].clone())
    return torch.cat(came, dim=1)


def offline(net: MotionNetwork, rows: Tensor, seed: int) -> Tensor:
    """The same frames by the book, from whole sequences."""
    frames, history = rows.shape[1], SCHEDULE.history_frames
    before = net.silence().expand(-1, WINDOW_FRAMES, -1)
    told = torch.cat([before, rows], 1)
    drawn = FrameNoise(seed, (9,))
    noise = torch.stack(
        [torch.from_numpy(drawn.frame(k)) for k in range(-WINDOW_FRAMES, frames)], -1
    )[None]
    clean = net.anchor().expand(1, -1, WINDOW_FRAMES + frames).clone()
    shown = motion_ladder().rest.signal
    for k in range(frames):
        window = slice(k + 1, k + 1 + WINDOW_FRAMES)
        latents, mine, said = noise[..., window].clone(), noise[..., window], net.anchor()
        for rung in motion_ladder().rungs:
            past = clean[..., window][..., :history]
            latents[..., :history] = shown**0.5 * past + (1 - shown) ** 0.5 * mine[..., :history]
            times = torch.full((1, WINDOW_FRAMES), rung.timestep)
            times[:, :history] = 0
            said = net.unet(latents, times, told[:, window])
            error = (latents - rung.signal**0.5 * said) / (1 - rung.signal) ** 0.5
            latents = rung.next_signal**0.5 * said + (1 - rung.next_signal) ** 0.5 * error
        clean[..., k + 1 + history] = said[..., history]
    return clean[0, :, WINDOW_FRAMES : WINDOW_FRAMES + frames - LOOK_AHEAD_FRAMES]


@settings(deadline=None, max_examples=5)
@given(frames=st.integers(4, 50), seed=st.integers(0, 2**32))
def test_streaming_gives_what_whole_sequences_give(frames: int, seed: int) -> None:
    net = network()
    rows = rows_of(net, frames)
    streamed = push_all(open_denoiser(net, seed), rows)
    torch.testing.assert_close(streamed, offline(net, rows, seed), rtol=1e-3, atol=1e-4)


def test_a_frame_leaves_two_frames_after_it_came() -> None:
    net = network()
    stream = open_denoiser(net, 0)
    came = [stream.push({HEARD_ROWS: row}) for row in torch.split(rows_of(net, 6), 1, dim=1)]
    assert [one and one.first_frame for one in came] == [None, None, 0, 1, 2, 3]
    assert SCHEDULE.delay_frames == LOOK_AHEAD_FRAMES


def test_frames_that_left_never_change() -> None:
    net = network()
    rows, other = rows_of(net, 20), rows_of(net, 20, seed=1)
    mixed = torch.cat([rows[:, :12], other[:, 12:]], 1)
    first, second = (push_all(open_denoiser(net, 0), one) for one in (rows, mixed))
    kept = 12 - LOOK_AHEAD_FRAMES
    assert torch.equal(first[:, :kept], second[:, :kept])
    assert not torch.allclose(first[:, kept:], second[:, kept:])


def test_what_was_shown_is_looked_at() -> None:
    net = network()
    rows = rows_of(net, 12)
    plain, other = open_denoiser(net, 0), open_denoiser(net, 0)
    for stream in (plain, other):
        push_all(stream, rows[:, :8])
    other.restart()
    first, second = (push_all(stream, rows[:, 8:]) for stream in (plain, other))
    assert not torch.allclose(first, second, atol=1e-3)


def test_a_reset_leaves_no_trace() -> None:
    net = network()
    rows = rows_of(net, 40)
    stream = open_denoiser(net, 5)
    push_all(stream, rows_of(net, 33, seed=2))
    stream.reset()
    assert torch.equal(push_all(stream, rows), push_all(open_denoiser(net, 5), rows))


def test_latents_are_standard_deviations_and_come_back() -> None:
    net = network()
    mouth = torch.randn(3, 9)
    torch.testing.assert_close(net.to_mouth(net.to_latents(mouth)), mouth)
    torch.testing.assert_close(net.to_mouth(net.anchor()[0, :, 0]), torch.zeros(9))


def test_a_frame_costs_two_looks_of_one_window() -> None:
    assert evaluations_per_frame(SCHEDULE) == STEPS * WINDOW_FRAMES


@pytest.mark.parametrize("frames", [3, 60])
def test_a_frame_costs_the_same_for_ever(frames: int) -> None:
    net = network()
    with torch.inference_mode():
        stream, state = open_denoiser(net, 0), net.mouth.start()
        counts = []
        for _ in range(frames):
            with OperationCounter() as counter:
                row, state = net.listen(torch.zeros(1, 4, FEATURES), state)
                stream.push({HEARD_ROWS: row})
            counts.append(len(counter.names))
    assert counts[-1] < 420
    assert max(counts[2:]) == min(counts[2:])
