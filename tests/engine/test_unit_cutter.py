"""Frames from samples, and samples with their pictures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.api import BadAudioError, Picture, StreamClosedError
from engine.unit_cutter import UnitCutter

SIZE = 640


def picture() -> Picture:
    return np.zeros((2, 2, 3), np.uint8)


@given(st.lists(st.integers(0, 2000), max_size=8))
def test_frames_do_not_know_where_the_sound_was_cut(sizes: list[int]) -> None:
    sound = np.arange(sum(sizes), dtype=np.float32)
    cutter, frames, begin = UnitCutter(20), [], 0
    for size in sizes:
        frames += list(cutter.cut(sound[begin : begin + size]))
        begin += size
    assert len(frames) == len(sound) // SIZE
    assert np.array_equal(np.concatenate([np.empty(0), *frames]), sound[: len(frames) * SIZE])
    assert cutter.held_units == min(len(frames), 21) + (len(sound) % SIZE > 0)


def test_units_carry_their_samples_and_numbers() -> None:
    cutter = UnitCutter(2)
    list(cutter.cut(np.arange(3 * SIZE, dtype=np.float32)))
    units = [cutter.unit(picture()) for _ in range(2)]
    assert [unit.frame_index for unit in units] == [0, 1] == [cutter.next_frame - 2, 1]
    assert units[1].samples[0] == SIZE
    assert not units[0].samples.flags.writeable
    assert not units[0].picture.flags.writeable


@pytest.mark.parametrize(("samples", "padding"), [(0, 0), (1, 639 + 1280), (640, 1280)])
def test_silence_brings_out_what_is_held(samples: int, padding: int) -> None:
    cutter = UnitCutter(2)
    list(cutter.cut(np.zeros(samples, np.float32)))
    assert len(cutter.silence_to_finish()) == padding


def test_a_reset_begins_a_new_epoch() -> None:
    cutter = UnitCutter(1)
    list(cutter.cut(np.ones(SIZE + 5, np.float32)))
    cutter.unit(picture())
    cutter.reset(7)
    assert (cutter.held_units, cutter.next_frame, cutter.epoch) == (0, 0, 7)
    (frame,) = cutter.cut(np.zeros(SIZE, np.float32))
    assert not frame.any()


def test_what_cannot_be_is_refused_before_anything_is_taken() -> None:
    cutter = UnitCutter(1)
    with pytest.raises(BadAudioError):
        list(cutter.cut(np.full(SIZE, np.inf, np.float32)))
    assert cutter.held_units == 0
    cutter.close()
    cutter.close()
    with pytest.raises(StreamClosedError):
        list(cutter.cut(np.zeros(SIZE, np.float32)))
