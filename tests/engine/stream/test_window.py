"""A window against a queue that forgets."""

from collections import deque
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from engine.stream.noise import FrameNoise
from engine.stream.window import Rows, Start, StreamWindow, WindowSpec

VOICE, POSE = "voice", "pose"
CHANNELS, SPACE = 2, (2, 3)
SOURCE = FrameNoise(3, (CHANNELS, *SPACE))


def make_window(frames: int) -> StreamWindow:
    spec = WindowSpec(
        frames=frames,
        channels=CHANNELS,
        space=SPACE,
        conditions={VOICE: Rows((frames, 5)), POSE: Rows((1, 2, frames, 2), axis=2)},
    )
    start = Start(
        torch.full((1, CHANNELS, 1, *SPACE), 0.5),
        {VOICE: torch.full((1, 5), -1.0), POSE: torch.full((1, 2, 1, 2), -2.0)},
    )
    return StreamWindow(spec, SOURCE, start)


def conditions(first: int, count: int) -> dict[str, Tensor]:
    """Every frame's rows hold its number."""
    numbers = torch.arange(first, first + count, dtype=torch.float32)
    return {
        VOICE: numbers[:, None].expand(count, 5),
        POSE: numbers[None, None, :, None].expand(1, 2, count, 2) + 0.5,
    }


def buffers(window: StreamWindow) -> list[Tensor]:
    return [window.latents, window.clean, window.noise, *window.conditions.values()]


def addresses(window: StreamWindow) -> list[int]:
    return [buffer.data_ptr() for buffer in buffers(window)]


def same(one: Sequence[Tensor], other: Sequence[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@settings(deadline=None)
@given(frames=st.integers(1, 9), data=st.data())
def test_sliding_is_a_queue(frames: int, data: st.DataObject) -> None:
    window = make_window(frames)
    placed, voice = deque([0.0] * frames, frames), deque([-1.0] * frames, frames)
    storage, arrived = addresses(window), 0
    for count in data.draw(st.lists(st.integers(1, frames), max_size=8)):
        window.slide(conditions(arrived, count))
        arrived += count
        voice.extend(range(arrived - count, arrived))
        placed.extend([0.0] * count)
        numbers = range(arrived - frames, arrived)
        assert window.first_frame == numbers.start
        assert addresses(window) == storage
        assert window.conditions[VOICE][:, 4].tolist() == list(voice)
        poses = [-2.0 if told < 0 else told + 0.5 for told in voice]
        assert window.conditions[POSE][0, 1, :, 1].tolist() == poses
        noise = torch.stack([torch.from_numpy(SOURCE.frame(n)) for n in numbers], dim=1)[None]
        assert torch.equal(window.noise, noise)
        kept = frames - count
        assert window.latents[0, 0, :kept, 0, 0].tolist() == list(placed)[:kept]
        assert window.clean[0, 1, :kept, 1, 2].tolist() == [
            0.5 if said == 0 else said for said in list(placed)[:kept]
        ]
        mark = float(arrived + 1)  # what a step would leave in every frame
        window.latents.fill_(mark)
        window.clean.fill_(mark)
        placed = deque([mark] * frames, frames)


@settings(deadline=None)
@given(frames=st.integers(1, 7), counts=st.lists(st.integers(1, 7), max_size=6), data=st.data())
def test_frames_keep_what_was_written_to_them(
    frames: int, counts: list[int], data: st.DataObject
) -> None:
    """Written by number, read by number, wherever the frame stands then."""
    window, written = make_window(frames), dict[int, float]()
    for step, count in enumerate(counts):
        window.slide(conditions(window.first_frame + frames, min(count, frames)))
        known = range(window.first_frame, window.first_frame + frames)
        start = data.draw(st.integers(known.start, known.stop - 1))
        some = range(start, data.draw(st.integers(start + 1, known.stop)))
        window.latents[:, :, window.places(some)] = float(step + 1)
        written |= dict.fromkeys(some, float(step + 1))
        for frame, value in written.items():
            if frame in known:
                place = window.places(range(frame, frame + 1))
                assert (window.latents[:, :, place] == value).all()


def test_what_is_seen_is_a_view_of_just_these_frames() -> None:
    window = make_window(6)
    window.slide(conditions(0, 6))
    seen = window.seen(range(2, 5))
    assert seen[VOICE].shape == (3, 5)
    assert seen[POSE].shape == (1, 2, 3, 2)
    assert seen[VOICE][:, 0].tolist() == [2, 3, 4]
    assert seen[POSE][0, 0, :, 0].tolist() == [2.5, 3.5, 4.5]
    storages = {name: rows.untyped_storage().data_ptr() for name, rows in seen.items()}
    assert storages == {
        name: rows.untyped_storage().data_ptr() for name, rows in window.conditions.items()
    }
    assert window.places(range(2, 5)) == slice(2, 5)
    window.slide(conditions(6, 2))
    assert window.places(range(2, 5)) == slice(0, 3)


def test_a_snapshot_is_a_copy_and_brings_everything_back_in_place() -> None:
    window = make_window(4)
    window.slide(conditions(0, 3))
    window.latents.fill_(7)
    storage, before = addresses(window), [buffer.clone() for buffer in buffers(window)]
    kept = window.snapshot()
    window.slide(conditions(3, 2))
    window.clean.fill_(9)
    after = [buffer.clone() for buffer in buffers(window)]
    assert not same(before, after)
    window.restore(kept)
    assert same(before, buffers(window))
    assert window.first_frame == -1
    assert addresses(window) == storage
    window.slide(conditions(3, 2))
    window.clean.fill_(9)
    assert same(after, buffers(window))


def test_a_reset_window_is_a_new_one_in_the_old_place() -> None:
    window, fresh = make_window(4), make_window(4)
    storage = addresses(window)
    window.slide(conditions(0, 3))
    for buffer in buffers(window):
        buffer.fill_(float("nan"))
    window.reset()
    assert same(buffers(fresh), buffers(window))
    assert window.first_frame == fresh.first_frame == -4
    assert addresses(window) == storage


def test_frames_before_the_first_are_the_anchor_and_have_noise_of_their_own() -> None:
    window = make_window(3)
    assert (window.clean == 0.5).all()
    for place, frame in enumerate((-3, -2, -1)):
        assert torch.equal(window.noise[0, :, place], torch.from_numpy(SOURCE.frame(frame)))
    window.hold(torch.full((1, CHANNELS, 1, *SPACE), 2.0))
    assert (window.clean == 2).all()


def test_conditions_may_be_of_another_type_than_the_window_has() -> None:
    spec = WindowSpec(frames=2, channels=1, conditions={VOICE: Rows((2, 1))}, dtype=torch.bfloat16)
    start = Start(torch.zeros(1, 1, 1), {VOICE: torch.zeros(1, 1)})
    window = StreamWindow(spec, FrameNoise(0, (1,)), start)
    window.slide({VOICE: torch.ones(1, 1)})
    assert window.conditions[VOICE].dtype == torch.bfloat16
    assert window.latents.dtype == window.noise.dtype == torch.float32
    assert window.latents.shape == (1, 1, 2)


@pytest.mark.parametrize("count", [0, 5])
def test_a_count_of_frames_that_does_not_fit_is_named(count: int) -> None:
    with pytest.raises(ValueError, match=f"{count} new frames: expected 1 to 4"):
        make_window(4).slide(conditions(0, count))


def test_conditions_of_unequal_counts_are_named() -> None:
    uneven = conditions(0, 3) | {POSE: conditions(0, 2)[POSE]}
    with pytest.raises(ValueError, match=r"conditions of \{'voice': 3, 'pose': 2\} frames"):
        make_window(4).slide(uneven)


@pytest.mark.parametrize("names", [[VOICE], [VOICE, POSE, "hands"], []])
def test_other_conditions_are_named_and_change_nothing(names: list[str]) -> None:
    window = make_window(4)
    before = [buffer.clone() for buffer in buffers(window)]
    with pytest.raises(ValueError, match=r"expected \['pose', 'voice'\]"):
        window.slide(dict.fromkeys(names, torch.zeros(1, 5)))
    assert same(before, buffers(window))
    assert window.first_frame == -4
