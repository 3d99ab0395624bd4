"""Sound to tokens while it comes, with encoders whose answers can be told by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from engine.api import Samples
from engine.vexpress.live.hearing import (
    FUTURE_FRAMES,
    LOOK_AHEAD_FRAMES,
    PAST_FRAMES,
    Hearing,
    RunningLevel,
)
from engine.vexpress.live.silence import PAUSE_FRAMES, PauseWatch
from tests.engine.vexpress.live.rows import count_rows, keep

SIZE = 640


class Numbered:
    """Takes samples for their frame numbers: no level is touched."""

    def __init__(self) -> None:
        self.segments: list[Tensor] = []

    def encode(self, normal: Tensor) -> Tensor:
        self.segments.append(normal)
        return count_rows(normal)


def numbered(frames: int) -> list[Samples]:
    """Frame k holds the number k + 1 everywhere, far below what counts as speech."""
    return [np.full(SIZE, (k + 1) * 1e-5, np.float32) for k in range(frames)]


def listen(chunk: int, frames: int) -> tuple[Numbered, list[Tensor]]:
    encoder = Numbered()
    hearing = Hearing(encoder.encode, keep, chunk)
    return encoder, [out for frame in numbered(frames) if (out := hearing.push(frame)) is not None]


def test_a_frame_waits_for_160_ms() -> None:
    assert (PAST_FRAMES, FUTURE_FRAMES, LOOK_AHEAD_FRAMES) == (24, 2, 4)
    hearing = Hearing(count_rows, keep, 4)
    came = [hearing.push(frame) is not None for frame in numbered(16)]
    assert [index for index, here in enumerate(came) if here] == [7, 11, 15]


@pytest.mark.parametrize("chunk", [1, 2, 4, 8])
def test_every_frame_gets_its_own_rows_and_its_neighbours(chunk: int) -> None:
    _, tokens = listen(chunk, 40)
    rows = torch.cat(tokens)[..., 0] / RunningLevel().normalise(np.array([1e-5], np.float32)).item()
    for frame, window in enumerate(rows):
        wanted = []
        for neighbour in range(frame - 2, frame + 3):
            value = neighbour + 1 if neighbour >= 0 else 0.0
            # The second row of a frame reaches 80 samples into the next one.
            wanted += [value, value + (80 / 400 if neighbour >= 0 else 0.0)]
        assert window.tolist() == pytest.approx(wanted, abs=2e-3)


def test_the_encoder_hears_always_as_much() -> None:
    encoder, _ = listen(4, 40)
    assert {len(segment) for segment in encoder.segments} == {(24 + 4 + 2) * SIZE}


def test_chunks_of_any_size_give_the_same_tokens() -> None:
    few, many = (torch.cat(listen(chunk, 36)[1]) for chunk in (8, 2))
    # The level at which a segment is heard is that of its end; here it never changes.
    shared = min(len(few), len(many))
    assert torch.allclose(few[:shared], many[:shared], atol=1e-4)


def test_a_reset_forgets_all() -> None:
    hearing = Hearing(count_rows, keep, 2)
    source = np.random.default_rng(0)
    sound = [(0.2 * source.standard_normal(SIZE)).astype(np.float32) for _ in range(20)]

    def all_of_it() -> list[Tensor]:
        return [out for frame in sound if (out := hearing.push(frame)) is not None]

    first = all_of_it()
    hearing.reset()
    assert all(torch.equal(a, b) for a, b in zip(first, all_of_it(), strict=True))


def test_speech_is_brought_to_one_level_and_silence_is_not() -> None:
    source = np.random.default_rng(0)
    for loudness in (0.02, 0.1, 0.5):
        level = RunningLevel()
        for _ in range(600):
            level.hear((loudness * source.standard_normal(SIZE)).astype(np.float32))
        spoken = (loudness * source.standard_normal(SIZE)).astype(np.float32)
        assert level.normalise(spoken).std() == pytest.approx(1.0, rel=0.15)
        before = level.variance
        for _ in range(1000):
            level.hear((0.001 * source.standard_normal(SIZE)).astype(np.float32))
        assert level.variance == before
    quiet = RunningLevel()
    hiss = (0.001 * source.standard_normal(SIZE)).astype(np.float32)
    assert quiet.normalise(hiss).std() < 0.05


def test_a_pause_is_told_once() -> None:
    watch = PauseWatch()
    loud, silent = np.full(SIZE, 0.3, np.float32), np.zeros(SIZE, np.float32)
    assert not any(watch.push(silent) for _ in range(100))  # nothing was said yet
    watch.push(loud)
    told = [watch.push(silent) for _ in range(100)]
    assert [index for index, yes in enumerate(told) if yes] == [PAUSE_FRAMES - 1]
    watch.push(loud)
    assert not any(watch.push(silent) for _ in range(PAUSE_FRAMES - 1))
    assert watch.push(silent)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 40)), max_size=8))
def test_a_pause_is_told_once_when_it_is_long_enough(runs: list[tuple[bool, int]]) -> None:
    loud, silent = np.full(SIZE, 0.3, np.float32), np.zeros(SIZE, np.float32)
    states = [is_loud for is_loud, frames in runs for _ in range(frames)]
    watch = PauseWatch()
    told = [watch.push(loud if is_loud else silent) for is_loud in states]
    wanted = [
        any(states[:end])
        and states[max(0, end - PAUSE_FRAMES - 1) : end] == [True, *[False] * PAUSE_FRAMES]
        for end in range(1, len(states) + 1)
    ]
    assert told == wanted
    watch.reset()
    assert [watch.push(loud if is_loud else silent) for is_loud in states] == wanted


@settings(max_examples=30, deadline=None)
@given(chunk=st.integers(1, 8), frames=st.integers(5, 60), seed=st.integers(0, 99))
def test_tokens_are_those_of_the_sound_around_a_chunk(chunk: int, frames: int, seed: int) -> None:
    """What is heard of a chunk, computed from the whole sound: nothing later, nothing older."""
    source = np.random.default_rng(seed)
    sound = (0.2 * source.standard_normal((frames, SIZE))).astype(np.float32)
    hearing, segments = Hearing(count_rows, keep, chunk), list[Tensor]()

    def remember(normal: Tensor) -> Tensor:
        segments.append(normal.clone())
        return count_rows(normal)

    listening = Hearing(remember, keep, chunk)
    tokens = [out for frame in sound if (out := listening.push(frame)) is not None]
    assert len(tokens) == max(0, frames - LOOK_AHEAD_FRAMES) // chunk
    length = PAST_FRAMES + chunk + FUTURE_FRAMES
    padded = np.concatenate([np.zeros((length, SIZE), np.float32), sound])
    for number, segment in enumerate(segments):
        end = (number + 1) * chunk + LOOK_AHEAD_FRAMES
        heard = padded[end : end + length].reshape(-1)
        scale = segment.std() / heard.std()  # of the level that was known then
        assert np.allclose(segment.numpy(), heard * scale.item(), atol=0.05)
    changed = sound.copy()
    changed[-1] *= -1
    again = [out for frame in changed if (out := hearing.push(frame)) is not None]
    same_until = (frames - 1 - LOOK_AHEAD_FRAMES) // chunk if frames > LOOK_AHEAD_FRAMES else 0
    assert all(map(torch.equal, tokens[:same_until], again[:same_until]))
