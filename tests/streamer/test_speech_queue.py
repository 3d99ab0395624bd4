import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.speech_queue import HOLD_S, SpeechQueue


@given(
    puts=st.lists(st.integers(0, 50), max_size=10), takes=st.lists(st.integers(0, 80), max_size=20)
)
def test_what_goes_in_comes_out_in_order(puts: list[int], takes: list[int]) -> None:
    queue = SpeechQueue()
    audio = np.arange(sum(puts), dtype=np.float32)
    for piece in np.split(audio, np.cumsum(puts)[:-1] if puts else []):
        queue.put(piece)
    taken = np.concatenate([np.empty(0, np.float32), *(queue.take(n, 0.0) for n in takes)])
    np.testing.assert_array_equal(taken, audio[: len(taken)])
    assert len(taken) == min(sum(takes), len(audio))
    assert len(queue) == len(audio) - len(taken)


def test_it_is_bounded_and_says_how_much_room_there_is() -> None:
    queue = SpeechQueue(capacity_samples=100)
    queue.put(np.zeros(60, np.float32))
    assert queue.room_samples == 40
    with pytest.raises(ValueError, match="expected at most 40"):
        queue.put(np.zeros(41, np.float32))


def test_an_unfinished_utterance_keeps_the_word_for_a_moment() -> None:
    queue = SpeechQueue()
    queue.put(np.zeros(10, np.float32))
    queue.take(10, now_s=5.0)
    assert queue.has_the_word(5.0 + HOLD_S / 2)
    assert not queue.has_the_word(5.0 + HOLD_S)


def test_a_finished_utterance_gives_the_word_back_at_once() -> None:
    queue = SpeechQueue()
    queue.put(np.zeros(10, np.float32))
    queue.finish()
    assert queue.has_the_word(0.0), "queued samples are spoken first"
    queue.take(10, now_s=5.0)
    assert not queue.has_the_word(5.0)
