import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.config import TIMING
from streamer.ingest import Piece
from streamer.voice import CAPACITY_FRAMES, Voice

SIZE = TIMING.samples_per_frame


@given(cuts=st.lists(st.integers(0, 20 * SIZE), max_size=30).map(sorted), begin=st.integers(0, 50))
def test_frames_are_exact_however_they_came(cuts: list[int], begin: int) -> None:
    audio = np.arange(1, 20 * SIZE + 1, dtype=np.float32)
    voice = Voice()
    voice.restart(begin)
    for piece in np.split(audio, cuts):
        voice.append(Piece(piece, None))
    for number in range(20):
        expected = audio[number * SIZE : (number + 1) * SIZE]
        np.testing.assert_array_equal(voice.frame(begin + number).samples, expected)
    np.testing.assert_array_equal(voice.since(begin + 3), audio[3 * SIZE :])


def test_what_was_never_given_is_silence() -> None:
    voice = Voice()
    voice.restart(5)
    voice.append(Piece(np.ones(SIZE, np.float32), 1.0))
    assert not voice.frame(4).samples.any()
    assert not voice.frame(6).samples.any()
    assert voice.frame(6).heard_s is None


def test_a_frame_knows_its_last_microphone_packet() -> None:
    voice = Voice()
    voice.append(Piece(np.ones(SIZE // 2, np.float32), 1.0))
    voice.append(Piece(np.ones(SIZE // 2, np.float32), 2.0))
    voice.append(Piece(np.ones(SIZE // 2, np.float32), 3.0))
    voice.append(Piece(np.zeros(SIZE, np.float32), None))
    voice.append(Piece(np.zeros(SIZE // 2, np.float32), None))
    assert [voice.frame(number).heard_s for number in range(3)] == [2.0, 3.0, None]


def test_it_never_grows() -> None:
    voice = Voice()
    for number in range(3 * CAPACITY_FRAMES):
        voice.append(Piece(np.full(SIZE, number, np.float32), None))
    assert len(voice.since(0)) <= 3 * CAPACITY_FRAMES * SIZE
    assert voice.frame(3 * CAPACITY_FRAMES - 1).samples[0] == 3 * CAPACITY_FRAMES - 1
    assert not voice.frame(0).samples.any()
