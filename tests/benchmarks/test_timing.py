"""Notes of a call made by hand, whose delays are known."""

import numpy as np
import pytest
from av import AudioFrame

from benchmarks.call import Microphone, Notes
from benchmarks.relay import Weather
from benchmarks.scenarios import spoken_words
from benchmarks.standing import held_ms
from benchmarks.timing import events, freezes, new_pictures_s, per_second, skipped_frames
from engine.config import TIMING
from streamer.timecode import Code

PACKET = TIMING.wire_samples_per_packet
LIPS_S, EARS_S = 0.150, 0.200


@pytest.fixture
def notes() -> Notes:
    """A second of silence, then a word in the middle of packet 60."""
    sound = np.zeros(TIMING.sample_rate_hz * 2, np.float32)
    sound[60 * 320 + 160 : 70 * 320] = 0.3
    made = Notes(Microphone(sound))
    made.microphone.sent_s = [100 + 0.02 * number for number in range(100)]
    for number, packet in enumerate(made.microphone.packets):
        frame = AudioFrame.from_ndarray(packet[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = TIMING.wire_rate_hz, number * PACKET
        made.sound.add(frame, 100 - 0.02 + 0.02 * number + EARS_S)
    for index in range(48):
        onset = 160 if index == 30 else None
        made.codes.append(Code(0, index, onset))
        made.shown.append((index * 3600, 100 - 0.02 + 0.04 * index + LIPS_S))
    return made


def test_delays_are_read_to_the_millisecond(notes: Notes) -> None:
    (event,) = events(notes)
    assert event.spoken_s == pytest.approx(100 + 59 * 0.02 + 0.01, abs=0.0013)
    assert event.lips_ms == pytest.approx(1000 * LIPS_S - 10, abs=1.3)
    assert event.ears_ms == pytest.approx(1000 * EARS_S, abs=1.3)
    assert event.skew_ms == pytest.approx(1000 * (LIPS_S - EARS_S), abs=1.3)


def test_what_was_not_seen_or_heard_is_none(notes: Notes) -> None:
    notes.codes[30] = None
    notes.sound.packets = [np.zeros_like(packet) for packet in notes.sound.packets]
    (event,) = events(notes)
    assert (event.lips_ms, event.ears_ms, event.skew_ms) == (None, None, None)


def test_a_repeated_picture_is_not_new_and_a_missing_one_is_counted(notes: Notes) -> None:
    notes.codes[11] = notes.codes[12] = notes.codes[13] = notes.codes[14] = notes.codes[10]
    assert len(new_pictures_s(notes)) == 44
    assert skipped_frames(notes) == 4
    assert freezes(new_pictures_s(notes)) == 1
    assert freezes(np.arange(0, 1, 0.04)) == 0
    assert per_second(np.arange(0, 1, 0.04)) == pytest.approx(25)
    assert per_second(np.zeros(1)) is None


def test_words_and_clicks_begin_after_silence() -> None:
    sound = spoken_words(10.0, seed=1)
    assert not sound[: TIMING.sample_rate_hz].any()
    assert np.abs(sound).max() > 0.3


@pytest.mark.parametrize(("loss", "stock_ms"), [(0.0, 80), (0.01, 280)])
def test_the_stock_buffer_holds_back_what_ours_passes_on(loss: float, stock_ms: float) -> None:
    held = held_ms(Weather(loss=loss))
    assert np.median(held["aiortc"]) == pytest.approx(stock_ms)
    assert held["ours"].max() < 1.0
