import av
import numpy as np
import pytest

from engine.config import TIMING
from streamer.microphone import Microphone

PACKET = TIMING.wire_samples_per_packet


def packet(number: int, rate_hz: int = TIMING.wire_rate_hz) -> av.AudioFrame:
    sound = np.full((1, 2 * PACKET), 16_384, np.int16)
    frame = av.AudioFrame.from_ndarray(sound, format="s16", layout="stereo")
    frame.sample_rate, frame.pts = rate_hz, number * PACKET
    return frame


def lost_samples(numbers: list[int]) -> list[int]:
    microphone = Microphone()
    heard = [microphone.convert(packet(number), 0.0) for number in numbers]
    return [each.lost_samples for each in heard if each is not None]


def test_sound_comes_out_at_the_rate_of_the_engine() -> None:
    microphone = Microphone()
    heard = [microphone.convert(packet(number), 0.0) for number in range(10)]
    samples = np.concatenate([each.samples for each in heard if each is not None])
    assert len(samples) == pytest.approx(10 * TIMING.packet_samples, abs=2)
    assert samples[-100:] == pytest.approx(0.5, abs=0.01)


def test_what_is_missing_in_between_is_told() -> None:
    one = TIMING.packet_samples
    assert lost_samples([0, 1, 2, 4, 5, 9]) == [0, 0, 0, one, 0, 3 * one]


def test_a_microphone_that_was_off_lost_nothing() -> None:
    assert lost_samples([0, 1, 500, 501]) == [0, 0, 0, 0]


def test_another_rate_is_not_taken() -> None:
    assert Microphone().convert(packet(0, 8000), 0.0) is None
