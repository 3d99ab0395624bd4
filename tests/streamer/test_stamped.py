import numpy as np
import pytest

from engine.api import PortraitOptions, StreamOptions
from engine.config import TIMING
from streamer.stamped import NotABenchmarkError, loading_stamped
from streamer.timecode import Code, read
from tests.fakes import FakeEngine

SIZE = 128
GREY = np.full((8, 8, 3), 9, np.uint8)


def test_every_picture_says_which_it_is_and_where_a_sound_began() -> None:
    engine = loading_stamped(FakeEngine, is_benchmark=True)()
    avatar = engine.prepare(GREY, PortraitOptions(size=SIZE))
    stream = engine.open(avatar, StreamOptions(planes=True))
    sound = np.zeros((8, TIMING.samples_per_frame), np.float32)
    sound[6, 300:] = 0.2
    units = stream.push(sound.reshape(-1)) + stream.flush()
    assert [read(unit.picture[:SIZE]) for unit in units] == [
        Code(0, index, 300 if index == 6 else None) for index in range(8)
    ]
    stream.reset(5)
    (unit, *_) = stream.push(np.zeros(3 * TIMING.samples_per_frame, np.float32))
    assert read(unit.picture[:SIZE]) == Code(5, 0, None)
    assert (stream.look_ahead_frames, stream.chunk_frames, stream.repaired_frames) == (2, 1, 0)
    stream.close()


def test_where_planes_are_not_allowed_there_is_no_strip() -> None:
    engine = loading_stamped(FakeEngine, is_benchmark=True)()
    stream = engine.open(engine.prepare(GREY, PortraitOptions(size=SIZE)), StreamOptions())
    (unit,) = stream.push(np.zeros(3 * TIMING.samples_per_frame, np.float32))
    assert unit.picture.shape == (SIZE, SIZE, 3)


def test_it_is_refused_outside_of_a_benchmark() -> None:
    with pytest.raises(NotABenchmarkError, match="--timecode: expected together with --benchmark"):
        loading_stamped(FakeEngine, is_benchmark=False)
