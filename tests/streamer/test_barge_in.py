import numpy as np

from engine.api import Samples
from engine.config import TIMING
from streamer.barge_in import VOICED_PACKETS, WATCHED_PACKETS, BargeIn, voice_detector
from tests.speech import Pace, syllables

PACKET = TIMING.packet_samples


def packets(sound: Samples) -> list[Samples]:
    return np.split(sound[: len(sound) // PACKET * PACKET], len(sound) // PACKET)


def decided(sound: Samples, *, avatar_speaks: bool = True) -> list[int]:
    barge_in = BargeIn(voice_detector())
    return [
        number
        for number, packet in enumerate(packets(sound))
        if barge_in.takes_word(packet, avatar_speaks)
    ]


def test_a_voice_takes_the_word_soon_and_noise_does_not() -> None:
    words, (begin_s, *_) = syllables(3.0, 2, Pace((8, 8), (0.5, 0.5)))
    (first, *_) = decided(words)
    assert 0.1 < first * TIMING.packet_ms / 1000 - begin_s < 0.6
    noise = np.random.default_rng(0).normal(0, 0.003, 3 * TIMING.sample_rate_hz)
    assert decided(noise.astype(np.float32)) == []


def test_while_the_avatar_is_silent_there_is_nothing_to_interrupt() -> None:
    words, _ = syllables(3.0, 2, Pace((8, 8), (0.5, 0.5)))
    assert decided(words, avatar_speaks=False) == []


def test_a_short_sound_is_no_wish_to_speak_and_one_wish_is_one_interrupt() -> None:
    heard = iter([True] * (VOICED_PACKETS - 1) + [False] * WATCHED_PACKETS + [True] * 10)
    barge_in = BargeIn(lambda _: next(heard))
    silence = np.zeros(PACKET, np.float32)
    count = VOICED_PACKETS - 1 + WATCHED_PACKETS + 10
    taken = [barge_in.takes_word(silence, True) for _ in range(count)]
    assert taken.count(True) == 1
    assert taken.index(True) == count - 10 + VOICED_PACKETS - 1


def test_pieces_of_any_size_are_heard_as_packets() -> None:
    sizes: list[int] = []

    def note(packet: bytes) -> bool:
        sizes.append(len(packet))
        return False

    barge_in = BargeIn(note)
    for count in (100, 500, 0, 700):
        barge_in.takes_word(np.zeros(count, np.float32), True)
    assert sizes == [2 * PACKET] * 4
