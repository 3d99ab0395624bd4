"""A strip must come back through the very codec, and damage must be noticed."""

from fractions import Fraction

import av
import numpy as np
import pytest
from aiortc.codecs import get_decoder
from aiortc.jitterbuffer import JitterFrame
from hypothesis import given
from hypothesis import strategies as st

from engine.config import TIMING
from streamer.encoder_limits import LiveVp8Encoder
from streamer.timecode import Code, OnsetFinder, read, stamp
from tests.streamer.test_encoder_limits import VP8

CODES = st.builds(
    Code, st.integers(0, 63), st.integers(0, 2**20 - 1), st.none() | st.integers(0, 639)
)


@given(code=CODES, size=st.sampled_from([128, 256, 300, 512]))
def test_what_is_written_is_read(code: Code, size: int) -> None:
    planes = np.full((size * 3 // 2, size), 90, np.uint8)
    assert read(stamp(planes, code)[:size]) == code
    assert (planes == 90).all()


@pytest.mark.parametrize("size", [128, 512])
def test_it_survives_the_video_codec(size: int) -> None:
    encoder, decoder = LiveVp8Encoder(), get_decoder(VP8)
    encoder.target_bitrate = 400_000
    random = np.random.default_rng(0)
    for number in range(20):
        code = Code(3, 1000 + 77 * number, 320 if number % 2 else None)
        planes = stamp(random.integers(60, 190, (size * 3 // 2, size), np.uint8), code)
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts, frame.time_base = number * 3600, Fraction(1, 90_000)
        payloads, timestamp = encoder.encode(frame)
        data = b"".join(payload[4:] for payload in payloads)
        (decoded,) = decoder.decode(JitterFrame(data, timestamp))
        assert isinstance(decoded, av.VideoFrame)
        assert read(decoded.to_ndarray()[:size].astype(np.uint8)) == code


def test_a_picture_without_a_strip_says_nothing() -> None:
    assert read(np.random.default_rng(1).integers(0, 255, (128, 128), np.uint8)) is None


def test_sound_after_silence_is_found_once_and_where_it_begins() -> None:
    frames = np.zeros((12, TIMING.samples_per_frame), np.float32)
    frames[7, 200:] = frames[8] = 0.2
    frames[10, 100:] = 0.2  # after 40 ms of silence only
    finder = OnsetFinder()
    found = [finder.push(frame) for frame in frames]
    assert found == [None] * 7 + [200] + [None] * 4
