import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.api import Samples
from engine.config import TIMING
from streamer.ingest import MAX_BACKLOG_SAMPLES, Ingest, Piece
from streamer.speech_queue import SpeechQueue

FRAME = TIMING.samples_per_frame
PACKET = TIMING.packet_samples
LOOK_AHEAD_FRAMES = 2
LEAD = FRAME * (1 + LOOK_AHEAD_FRAMES)


def make(start_s: float = 0.0) -> Ingest:
    return Ingest(LOOK_AHEAD_FRAMES, SpeechQueue(), start_s)


def join(pieces: list[Piece]) -> Samples:
    return np.concatenate([np.empty(0, np.float32), *(piece.samples for piece in pieces)])


def heard(pieces: list[Piece]) -> Samples:
    """What a microphone sent, without what stood in for it."""
    return join([piece for piece in pieces if piece.heard_s is not None])


def packet(value: float) -> Samples:
    return np.full(PACKET, value, np.float32)


def listen(
    ingest: Ingest, arrivals_s: list[float], until_s: float, level: float = 1.0
) -> list[Piece]:
    """Play a microphone whose packet n carries the value (n + 1) * level, waking when told to."""
    pieces: list[Piece] = []
    waiting = [(arrival_s, number + 1) for number, arrival_s in enumerate(arrivals_s)]
    while True:
        due_s = ingest.next_due_s
        if waiting and waiting[0][0] <= due_s:
            now_s, number = waiting.pop(0)
            ingest.hear(packet(number * level), now_s)
        elif due_s <= until_s:
            now_s = due_s
        else:
            return pieces
        pieces += ingest.take(now_s)


def test_nobody_speaks_and_the_avatar_lives_on() -> None:
    pieces = listen(make(), [], until_s=10.0)
    assert len(join(pieces)) == LEAD + 10 * TIMING.sample_rate_hz
    assert not join(pieces).any()
    assert all(piece.heard_s is None for piece in pieces)


def test_before_the_start_nothing_is_given() -> None:
    ingest = make(start_s=5.0)
    ingest.hear(packet(1), 4.0)
    assert ingest.take(4.9) == []
    assert ingest.next_due_s == 5.0


def test_a_packet_is_passed_on_when_it_comes() -> None:
    ingest = make()
    ingest.take(0.0)
    ingest.hear(packet(0.5), 0.013)
    (piece,) = ingest.take(0.013)
    assert piece.heard_s == 0.013
    np.testing.assert_array_equal(piece.samples, packet(0.5))


@given(jitter_s=st.lists(st.floats(0, 0.015), min_size=150, max_size=150))
def test_jitter_costs_a_gap_once_and_never_loses_or_reorders(jitter_s: list[float]) -> None:
    arrivals_s = [n * 0.02 + extra for n, extra in enumerate(jitter_s)]
    pieces = listen(make(), arrivals_s, until_s=2.99)
    assert heard(pieces)[::PACKET].tolist() == [n + 1 for n in range(150)]
    assert len(join(pieces)) - len(heard(pieces)) <= LEAD + 2 * PACKET


@given(
    arrivals_s=st.lists(st.floats(0, 3), max_size=200).map(sorted),
    until_s=st.floats(0, 3),
)
def test_the_engine_never_starves_and_never_lags(arrivals_s: list[float], until_s: float) -> None:
    ingest = make()
    given_samples = len(join(listen(ingest, arrivals_s, until_s)))
    came_s = [arrival_s for arrival_s in arrivals_s if arrival_s <= ingest.next_due_s]
    frames = sum(number * TIMING.frame_s <= until_s for number in range(1, 100))
    needed = LEAD + frames * FRAME
    assert given_samples >= needed
    late = LEAD + int(max([until_s, *came_s]) * TIMING.frame_rate_hz + 1e-6) * FRAME
    assert given_samples <= late + MAX_BACKLOG_SAMPLES


def test_a_burst_is_trimmed_to_its_newest_samples_and_counted() -> None:
    ingest = make()
    ingest.take(0.0)
    for number in range(50):
        ingest.hear(packet(number + 1), 0.001)
    pieces = listen(ingest, [], until_s=1.0)
    assert len(heard(pieces)) == MAX_BACKLOG_SAMPLES
    assert heard(pieces)[-1] == 50
    assert ingest.dropped_samples == 50 * PACKET - MAX_BACKLOG_SAMPLES


def test_standing_delay_is_cut_while_nobody_speaks() -> None:
    ingest = make()
    arrivals_s = [0.0] * 4 + [0.005 + n * 0.02 for n in range(300)]  # 80 ms at once to begin with
    given_samples = len(join(listen(ingest, arrivals_s, until_s=6.0, level=1e-5)))
    ahead = given_samples - LEAD - 6 * TIMING.sample_rate_hz
    assert 0 <= ahead <= TIMING.sample_rate_hz // 40
    assert 0 < ingest.dropped_samples <= 4 * PACKET


def test_queued_speech_replaces_the_microphone_and_is_given_in_real_time() -> None:
    ingest = make()
    ingest.take(0.0)
    ingest.speech.put(np.full(10 * FRAME, 9.0, np.float32))
    ingest.speech.finish()
    given_samples = join(listen(ingest, [n * 0.02 for n in range(100)], until_s=1.0))
    assert (given_samples == 9.0).sum() == 10 * FRAME
    first, last = np.flatnonzero(given_samples == 9.0)[[0, -1]]
    assert last - first == 10 * FRAME - 1, "spoken in one piece"
    assert given_samples[last + 1 :].any(), "then the microphone again"


def test_speech_keeps_no_arrival_time() -> None:
    ingest = make()
    ingest.speech.put(np.ones(LEAD, np.float32))
    (piece,) = ingest.take(0.0)
    assert piece.heard_s is None
    assert piece.samples.all()


def test_restart_forgets_all_that_waits() -> None:
    ingest = make()
    ingest.take(0.0)
    for _ in range(6):
        ingest.hear(packet(1), 0.0)
    ingest.speech.put(np.ones(FRAME, np.float32))
    ingest.restart(1.0)
    pieces = listen(ingest, [], until_s=2.0)
    assert not join(pieces).any()
    assert len(join(pieces)) == LEAD + TIMING.sample_rate_hz


@pytest.mark.parametrize("count", [0, 1, 319, 1000])
def test_any_piece_size_is_welcome(count: int) -> None:
    ingest = make()
    ingest.take(0.0)
    ingest.hear(np.ones(count, np.float32), 0.0)
    assert heard(listen(ingest, [], until_s=1.0)).sum() == count


def test_lost_sound_is_replaced_sample_for_sample_and_nothing_is_late_afterwards() -> None:
    ingest = make()
    pieces = ingest.take(0.0)
    for number in range(100):
        now_s = 0.012 + number * 0.02
        pieces += ingest.take(min(now_s, ingest.next_due_s))
        if number % 10 != 5:
            ingest.hear(packet(0.5), now_s, PACKET * (number % 10 == 6))
            pieces += ingest.take(now_s)
    given_samples = join(pieces)[LEAD + FRAME :]
    assert (given_samples > 0.3).all(), "no hole"
    assert len(given_samples) <= 100 * PACKET
    assert ingest.dropped_samples == 0


def test_standing_delay_is_cut_out_of_speech_by_whole_periods() -> None:
    voice = np.tile(np.hanning(160).astype(np.float32), 2)  # 100 Hz
    ingest = make()
    ingest.take(0.0)
    for _ in range(4):  # 80 ms at once to begin with
        ingest.hear(voice, 0.001)
    pieces = ingest.take(0.001)
    for number in range(350):
        now_s = 0.005 + number * 0.02
        while ingest.next_due_s <= now_s:
            pieces += ingest.take(ingest.next_due_s)
        ingest.hear(voice, now_s)
        pieces += ingest.take(now_s)
    spoken = join(pieces)[np.argmax(join(pieces) > 0) - 1 :]  # a period begins with a zero
    assert ingest.dropped_samples >= 3 * PACKET
    np.testing.assert_allclose(spoken, np.resize(voice, len(spoken)), atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("clock", [1.0002, 0.999])
def test_in_half_an_hour_of_another_clock_no_queue_grows_and_nothing_is_lost(clock: float) -> None:
    ingest, random = make(), np.random.default_rng(1)
    ingest.take(0.0)
    depth_samples: list[int] = []
    filled, made = 0, 0.0
    sound = np.full(2 * PACKET, 0.1, np.float32)
    for number in range(round(30 * 60 / 0.02 * clock)):
        now_s = number * 0.02 / clock + random.uniform(0, 0.004)
        while ingest.next_due_s <= now_s:
            pieces = ingest.take(ingest.next_due_s)
            if number > 3 * 60 * 50:  # the clock is known by then
                filled += sum(len(piece.samples) for piece in pieces if piece.heard_s is None)
        made += PACKET * (1 + ingest.stretch)
        ingest.hear(sound[: int(made)], now_s)
        made -= int(made)
        ingest.take(now_s)
        due_frames = round(ingest.next_due_s * TIMING.frame_rate_hz)
        depth_samples.append(ingest.given_samples - due_frames * FRAME)
    minutes = np.array(depth_samples[: 29 * 3000]).reshape(-1, 3000).mean(axis=1)[3:]
    assert np.ptp(minutes) < TIMING.sample_rate_hz * 5 // 1000
    assert abs(np.polyfit(np.arange(len(minutes)), minutes, 1)[0]) < 2.0
    assert (ingest.dropped_samples, filled) == (0, 0)
