"""The prompt buffers hold nothing back, lose nothing that came, and note honest times."""

from fractions import Fraction

import numpy as np
import pytest
from aiortc.rtp import RtpPacket
from av import AudioFrame
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.receiving import HeardSound, PromptPictures, level_curve


def packet(number: int, picture: int, *, last: bool) -> RtpPacket:
    made = RtpPacket(sequence_number=number % 65536, timestamp=picture * 3600, marker=int(last))
    made._data = bytes([number % 256])  # type: ignore[attr-defined]
    return made


def film(pictures: int, per_picture: int, first: int = 0) -> list[RtpPacket]:
    return [
        packet(first + picture * per_picture + part, picture, last=part == per_picture - 1)
        for picture in range(pictures)
        for part in range(per_picture)
    ]


def test_a_picture_is_released_by_its_own_last_packet() -> None:
    buffer = PromptPictures()
    released = [buffer.add(item)[1] is not None for item in film(3, 2)]
    assert released == [False, True] * 3
    assert [frame.data for frame in buffer.film] == [bytes([0, 1]), bytes([2, 3]), bytes([4, 5])]


@settings(deadline=None)
@given(seed=st.integers(0, 1000), first=st.sampled_from([0, 65_530]))
def test_neighbours_may_swap_and_repeat(seed: int, first: int) -> None:
    packets, random = film(12, 3, first), np.random.default_rng(seed)
    order = np.argsort(np.arange(len(packets)) + random.uniform(0, 4, len(packets)))
    order = np.concatenate([[0], order[order != 0]])  # the first to come names the beginning
    buffer = PromptPictures()
    for index in order:
        buffer.add(packets[index])
        buffer.add(packets[index])
    for extra in film(6, 1, first + len(packets)):  # whole pictures that stood behind a late one
        buffer.add(extra)
    assert [frame.timestamp for frame in buffer.film[:12]] == [3600 * n for n in range(12)]
    assert buffer.lost == 0


def test_a_lost_packet_is_given_up_and_a_key_frame_asked_for() -> None:
    packets, buffer = film(200, 1), PromptPictures()
    answers = [buffer.add(item) for number, item in enumerate(packets) if number != 10]
    assert sum(asks for asks, _ in answers) == 1
    assert buffer.lost == 1
    assert answers[-1][1] is not None


def test_what_stood_behind_a_late_packet_can_be_taken_at_once() -> None:
    packets, buffer = film(4, 1), PromptPictures()
    buffer.add(packets[0])
    for number in (2, 3):
        assert buffer.add(packets[number]) == (False, None)
    assert not buffer.has_whole()
    assert buffer.add(packets[1])[1] is not None
    assert buffer.has_whole()
    assert [buffer.add(packets[1])[1] is not None for _ in range(3)] == [True, True, False]
    assert not buffer.has_whole()


def test_what_is_missing_is_known_until_it_comes() -> None:
    packets, buffer = film(4, 2, 65_533), PromptPictures()
    for number in (0, 1, 4, 5):
        buffer.add(packets[number])
    assert buffer.missing() == (0, [65_535, 0])
    for number in (2, 3):
        buffer.add(packets[number])
    assert buffer.missing() == (0, [])


def test_a_companion_notes_arrivals_and_decodes_nothing() -> None:
    buffer = PromptPictures(keeps=False, passes_on=False)
    assert [buffer.add(item) for item in film(3, 1)] == [(False, None)] * 3
    assert len(buffer.arrived_s) == 3
    assert buffer.film == []


def sound_packet(number: int, value: int) -> AudioFrame:
    frame = AudioFrame.from_ndarray(
        np.full((1, 1920), value, np.int16), format="s16", layout="stereo"
    )
    frame.sample_rate, frame.pts, frame.time_base = 48_000, number * 960, Fraction(1, 48_000)
    return frame


def test_the_second_packet_of_a_pair_is_heard_after_the_first() -> None:
    heard = HeardSound()
    for number, came_s in enumerate([1.0, 1.0, 1.04, 1.041, 1.2, 1.2]):
        heard.add(sound_packet(number, 3277), came_s)
    expected = [1.0, 1.02, 1.04, 1.06, 1.2, 1.22]
    np.testing.assert_allclose(heard.playable_s(), expected, atol=1e-9)
    assert heard.packet_level().values == pytest.approx([0.1] * 6, rel=1e-3)
    assert heard.level().values == pytest.approx([0.1] * 24, rel=1e-3)


def test_loudness_has_a_value_every_five_milliseconds() -> None:
    loud, quiet = np.full(960, 16384, np.int16), np.zeros(960, np.int16)
    curve = level_curve(np.array([2.0, 2.02]), [loud, quiet])
    np.testing.assert_allclose(curve.times_s, 2.0 + np.arange(8) * 0.005)
    np.testing.assert_allclose(curve.values, [0.5] * 4 + [0] * 4)
