import asyncio

import av
import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError
from av.video.frame import PictureType

from streamer.performance import to_video_frame
from streamer.stage import Sight, Sound
from streamer.tracks import FaceTrack, VoiceTrack


def picture(level: int = 90) -> av.VideoFrame:
    return to_video_frame(np.full((64, 64, 3), level, np.uint8))


async def test_a_packet_is_20_ms_of_48_khz_mono() -> None:
    track = VoiceTrack()
    track.release(Sound(1920, np.arange(960, dtype=np.int16)))
    frame = await track.recv()
    assert (frame.sample_rate, frame.samples, frame.pts) == (48_000, 960, 1920)
    assert frame.format.name == "s16"
    assert frame.layout.name == "mono"
    np.testing.assert_array_equal(frame.to_ndarray()[0], np.arange(960))


async def test_a_picture_is_stamped_by_its_number() -> None:
    track = FaceTrack()
    track.release(Sight(25, picture()))
    frame = await track.recv()
    assert (frame.pts, frame.time_base) == (90_000, track_time_base())
    assert frame.format.name == "yuv420p"


def track_time_base() -> object:
    frame = picture()
    track = FaceTrack()
    track.release(Sight(0, frame))
    assert float(frame.time_base or 0) == pytest.approx(1 / 90_000)
    return frame.time_base


async def test_a_repeated_picture_is_no_key_frame_again() -> None:
    track = FaceTrack()
    frame = picture()
    track.release(Sight(0, frame))
    (await track.recv()).pict_type = PictureType.I
    track.release(Sight(1, frame))
    again = await track.recv()
    assert (again.pict_type, again.pts) == (PictureType.NONE, 3600)


async def test_repeating_a_picture_does_not_restamp_the_one_that_waits() -> None:
    track = FaceTrack()
    frame = picture()
    track.release(Sight(0, frame))
    track.release(Sight(1, frame))
    waiting, repeated = await track.recv(), await track.recv()
    assert (waiting.pts, repeated.pts) == (0, 3600)
    np.testing.assert_array_equal(waiting.to_ndarray(), repeated.to_ndarray())


async def test_a_busy_encoder_gets_the_newest_pictures() -> None:
    track = FaceTrack()
    for number in range(5):
        track.release(Sight(number, picture()))
    assert [(await track.recv()).pts, (await track.recv()).pts] == [3 * 3600, 4 * 3600]
    assert track.dropped == 3


async def test_stop_ends_whoever_waits_and_whoever_comes_later() -> None:
    track = VoiceTrack()
    waiting = asyncio.create_task(track.recv())
    await asyncio.sleep(0)
    track.stop()
    with pytest.raises(MediaStreamError):
        await waiting
    track.release(Sound(0, np.zeros(960, np.int16)))
    with pytest.raises(MediaStreamError):
        await track.recv()


def test_colours_survive_the_conversion() -> None:
    colours = np.zeros((64, 64, 3), np.uint8)
    colours[:, :32], colours[:, 32:] = (200, 40, 40), (40, 40, 200)
    frame = to_video_frame(colours)
    back = frame.to_ndarray(format="rgb24").astype(int)
    assert np.abs(back[:, 4:28] - colours[:, 4:28]).max() <= 6
    assert np.abs(back[:, 36:60] - colours[:, 36:60]).max() <= 6


async def test_a_picture_that_stands_still_is_sent_seldom() -> None:
    track = FaceTrack()
    sent = []
    for slot in range(11):
        track.release(Sight(slot, picture(), slot))
        if track._frames:
            sent.append((await track.recv()).pts)
    assert sent == [slot * 3600 for slot in (0, 5, 10)]
