"""A whole session's timing, with a clock that the test turns."""

from collections import deque
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.api import Samples
from engine.config import TIMING
from streamer.speech_queue import SpeechQueue
from streamer.stage import EnginePace, Release, Sight, Sound, Stage

SIZE = TIMING.samples_per_frame
LOOK_AHEAD_FRAMES = 2
START_S = 50.0


@dataclass
class Painter:
    """An engine that needs `needs_s` per unit; a picture is the mean of the unit's samples."""

    needs_s: float = 0.01
    generation: int = 0
    restarts: int = 0
    index: int = 0
    free_s: float = 0.0
    now_s: float = START_S
    rest: Samples = field(default_factory=lambda: np.empty(0, np.float32))
    finished: deque[tuple[float, int, int, float]] = field(default_factory=deque)

    def push(self, samples: Samples) -> bool:
        self.rest = np.concatenate([self.rest, samples])
        while len(self.rest) >= SIZE * (1 + LOOK_AHEAD_FRAMES):
            self.free_s = max(self.free_s, self.now_s) + self.needs_s
            picture = float(self.rest[:SIZE].mean())
            self.finished.append((self.free_s, self.generation, self.index, picture))
            self.index += 1
            self.rest = self.rest[SIZE:]
        return True

    def restart(self, generation: int) -> None:
        self.restarts += 1
        self.generation, self.index = generation, 0
        self.rest = np.empty(0, np.float32)
        self.finished.clear()
        self.free_s = self.now_s


@dataclass
class Theatre:
    """Runs a stage until a time, as a session would."""

    painter: Painter
    microphone_s: deque[float] = field(default_factory=deque)
    left: list[tuple[float, Release[float]]] = field(default_factory=list)
    moved_s: list[float] = field(default_factory=list)  # when new pictures were shown

    def __post_init__(self) -> None:
        pace = EnginePace(LOOK_AHEAD_FRAMES, chunk_frames=1)
        self.stage: Stage[float] = Stage(self.painter, pace, SpeechQueue(), START_S)

    def run(self, until_s: float, level: float = 0.5) -> None:
        while True:
            picture_s = self.painter.finished[0][0] if self.painter.finished else np.inf
            packet_s = self.microphone_s[0] if self.microphone_s else np.inf
            now_s = min(picture_s, packet_s, self.stage.next_s)
            if now_s > until_s:
                return
            self.painter.now_s = now_s
            if now_s == picture_s:
                _, generation, index, picture = self.painter.finished.popleft()
                self.keep(now_s, self.stage.receive(generation, index, picture, now_s))
            elif now_s == packet_s:
                self.microphone_s.popleft()
                self.stage.hear(np.full(TIMING.packet_samples, level, np.float32), now_s)
            else:
                self.keep(now_s, self.stage.advance(now_s))

    def keep(self, now_s: float, releases: list[Release[float]]) -> None:
        self.left += [(now_s, release) for release in releases]
        if self.stage.playout.shown_frames > len(self.moved_s):
            self.moved_s.append(now_s)

    @property
    def sounds(self) -> list[tuple[float, Sound]]:
        return [(now_s, each) for now_s, each in self.left if isinstance(each, Sound)]

    @property
    def sights(self) -> list[tuple[float, Sight[float]]]:
        return [(now_s, each) for now_s, each in self.left if isinstance(each, Sight)]


def test_picture_and_sound_leave_at_the_same_instant_25_times_a_second() -> None:
    theatre = Theatre(Painter())
    theatre.run(START_S + 10.1)
    sound_s = {sound.wire_index: now_s for now_s, sound in theatre.sounds}
    assert len(theatre.sights) == pytest.approx(252, abs=2)
    for now_s, sight in theatre.sights:
        assert sound_s[sight.slot * 1920] == now_s
    numbers = [sight.slot for _, sight in theatre.sights]
    assert numbers == list(range(len(numbers)))
    indices = [sound.wire_index for _, sound in theatre.sounds]
    assert indices == list(range(0, 960 * len(indices), 960))
    assert all(len(sound.samples) == 960 for _, sound in theatre.sounds)


def test_the_picture_shows_its_own_sound() -> None:
    theatre = Theatre(Painter())
    theatre.microphone_s.extend(START_S + 1 + n * 0.02 for n in range(50))
    theatre.run(START_S + 4)
    loud = {s.wire_index // 1920 for _, s in theatre.sounds if np.abs(s.samples).max() > 10_000}
    shown = {sight.slot for _, sight in theatre.sights if sight.picture > 0.01}
    assert 24 <= len(shown) <= 28  # where the microphone stopped, its sound fades
    assert len(shown ^ loud) <= 2


@pytest.mark.parametrize("needs_s", [0.005, 0.02, 0.035])
def test_mic_to_lips_is_short_and_does_not_grow(needs_s: float) -> None:
    theatre = Theatre(Painter(needs_s=needs_s))
    theatre.microphone_s.extend(START_S + 0.007 + n * 0.02 for n in range(3000))
    theatre.run(START_S + 5)
    early_s = max(theatre.stage.readings.mic_to_lips_s)
    theatre.run(START_S + 55)
    late_s = theatre.stage.readings.mic_to_lips_s[-500:]
    assert max(late_s) <= early_s + 1e-6
    assert max(late_s) < 0.080 + 0.040 + 0.020 + max(0.040, needs_s + 0.01)


def test_lost_packets_leave_no_standing_delay() -> None:
    theatre = Theatre(Painter())
    arrivals: list[float] = []
    for number in range(3000):
        if number % 100 == 50 and number < 2000:
            continue  # lost: the three packets after it wait in the jitter buffer
        held_s = max(0.0, 0.06 - number % 100 * 0.02 + 50 * 0.02) if number % 100 > 50 else 0.0
        arrivals.append(START_S + 0.003 + number * 0.02 + (held_s if number < 2000 else 0.0))
    theatre.microphone_s.extend(arrivals)
    theatre.run(START_S + 60, level=0.001)
    lips_s = theatre.stage.readings.mic_to_lips_s
    assert max(lips_s) < 0.26
    assert max(lips_s[-250:]) <= max(lips_s[100:200]) + 0.021


def test_a_late_picture_never_makes_sound_wait() -> None:
    theatre = Theatre(Painter())
    theatre.run(START_S + 1)
    theatre.painter.free_s = START_S + 1.25  # a hiccup
    theatre.run(START_S + 3)
    gaps_s = np.diff([now_s for now_s, _ in theatre.sounds])
    assert gaps_s.max() < 0.02 + 0.006
    assert 0 < theatre.stage.playout.repeated_frames < 10
    assert theatre.painter.restarts == 0
    assert theatre.stage.dropped_samples == 0


def test_a_hopelessly_late_engine_begins_again_near_the_present() -> None:
    theatre = Theatre(Painter())
    theatre.run(START_S + 1)
    theatre.painter.free_s = START_S + 2.0
    theatre.run(START_S + 3)
    assert theatre.painter.restarts == 1
    assert theatre.stage.epoch == 0, "nobody interrupted"
    assert np.diff([now_s for now_s, _ in theatre.sounds]).max() < 0.026
    last = theatre.sights[-1][1]
    assert last.slot == theatre.sounds[-1][1].wire_index // 1920
    assert theatre.stage.playout.repeated_frames < 25


def test_another_engine_begins_near_the_present_without_a_new_epoch() -> None:
    theatre = Theatre(Painter())
    theatre.run(START_S + 1)
    theatre.painter.finished.clear()
    theatre.painter.free_s = START_S + 100  # gone, and another one comes
    theatre.run(START_S + 1.3)
    theatre.stage.begin_again()
    theatre.run(START_S + 2)
    assert (theatre.painter.restarts, theatre.stage.epoch) == (1, 0)
    assert np.diff([now_s for now_s, _ in theatre.sounds]).max() < 0.026
    assert theatre.sights[-1][1].slot == theatre.sounds[-1][1].wire_index // 1920


def test_an_engine_slower_than_real_time_never_stops_the_sound() -> None:
    theatre = Theatre(Painter(needs_s=0.05))
    theatre.run(START_S + 10)
    assert len(theatre.sounds) == pytest.approx(500, abs=10)
    assert theatre.painter.restarts > 1
    assert theatre.stage.playout.shown_frames > 100, "and moves as long as it is not too late"
    assert max(theatre.stage.readings.skew_s) <= 0.16


@pytest.mark.parametrize(
    ("needs_s", "longest_s"),
    [(0.042, 0.09), (0.05, 0.1), (0.06, 0.12), (0.08, 0.12), (0.1, 0.15), (0.13, 0.17)],
)
def test_a_share_of_an_engine_that_is_too_small_is_spent_on_pictures_that_are_shown(
    needs_s: float, longest_s: float
) -> None:
    theatre = Theatre(Painter(needs_s=needs_s))
    theatre.run(START_S + 20)
    known_s = [at_s for at_s in theatre.moved_s if at_s > START_S + 1]
    assert np.diff(known_s).max() < longest_s, "and 0.19 would be a freeze"
    assert len(theatre.moved_s) / 20 > 0.94 / needs_s


def test_an_engine_that_stumbled_and_catches_up_by_itself_is_left_alone() -> None:
    theatre = Theatre(Painter(needs_s=0.01))
    theatre.run(START_S + 1)
    theatre.painter.free_s = START_S + 1.3
    theatre.run(START_S + 3)
    assert theatre.painter.restarts == 0
    assert theatre.sights[-1][1].slot == theatre.sounds[-1][1].wire_index // 1920


def test_an_engine_that_never_keeps_up_is_begun_again_ever_more_rarely() -> None:
    theatre = Theatre(Painter(needs_s=5.0))
    theatre.run(START_S + 20)
    # Every 0.4 s would make 48 of it; after 0.4, 0.8, 1.6 and 3.2 s it is every 4 s.
    assert 4 <= theatre.painter.restarts <= 8


def test_a_stall_of_the_process_is_skipped_in_sound_and_picture_alike() -> None:
    theatre = Theatre(Painter())
    theatre.run(START_S + 1)
    theatre.painter.now_s = START_S + 2
    theatre.painter.finished.clear()
    theatre.keep(START_S + 2, theatre.stage.advance(START_S + 2))
    burst = [now_s for now_s, _ in theatre.sounds if now_s == START_S + 2]
    assert len(burst) <= 2
    assert theatre.stage.dropped_samples >= 20 * SIZE


@pytest.mark.parametrize("within_frame_s", [0.005, 0.025])
def test_an_interrupt_lets_the_sound_fade_within_20_ms(within_frame_s: float) -> None:
    theatre = Theatre(Painter())
    theatre.stage.ingest.speech.put(np.full(2 * TIMING.sample_rate_hz, 0.5, np.float32))
    theatre.run(START_S + 1 + theatre.stage.reserve_s + within_frame_s)
    asked_s = START_S + 1 + theatre.stage.reserve_s + within_frame_s
    theatre.stage.interrupt(asked_s)
    theatre.run(START_S + 2)
    before = [sound.samples for left_s, sound in theatre.sounds if left_s <= asked_s]
    fading, *silent = [sound.samples for left_s, sound in theatre.sounds if left_s > asked_s]
    assert before[-1].min() > 16_000
    assert np.abs(np.diff(fading[200:].astype(int))).max() < 200, "no click"
    assert abs(int(fading[-1])) < 2500
    assert max(np.abs(packet[200:]).max() for packet in silent) == 0


def test_an_interrupt_silences_at_once_and_reports_the_position() -> None:
    theatre = Theatre(Painter())
    theatre.stage.ingest.speech.put(np.full(10 * TIMING.sample_rate_hz, 0.5, np.float32))
    theatre.run(START_S + 2)
    theatre.painter.now_s = START_S + 2
    done = theatre.stage.interrupt(START_S + 2)
    assert done.epoch == 1
    assert done.position_s == pytest.approx(2.0, abs=0.06)
    before = len(theatre.left)
    theatre.run(START_S + 3)
    after = theatre.left[before:]
    loud = [s for _, s in after if isinstance(s, Sound) and np.abs(s.samples).max() > 500]
    assert len(loud) <= 2, "at most the fade and the tail of the filter"
    assert all(sight.picture < 0.01 for _, sight in theatre.sights[-20:])
    assert theatre.stage.interrupt(START_S + 3).position_s == pytest.approx(1.0, abs=0.06)


def test_units_of_an_older_generation_are_ignored() -> None:
    theatre = Theatre(Painter())
    theatre.run(START_S + 1)
    theatre.stage.interrupt(START_S + 1)
    shown = theatre.stage.playout.shown_frames
    assert theatre.stage.receive(0, 30, 0.9, START_S + 1.01) == []
    assert theatre.stage.playout.shown_frames == shown


def test_a_full_engine_queue_makes_it_begin_again() -> None:
    painter = Painter()
    theatre = Theatre(painter)
    theatre.run(START_S + 1)
    refused = [False]

    def refuse_once(samples: Samples) -> bool:
        if refused:
            return refused.pop()
        return Painter.push(painter, samples)

    painter.push = refuse_once  # type: ignore[method-assign]
    theatre.run(START_S + 2)
    assert painter.restarts == 1
    assert theatre.sights[-1][1].slot == theatre.sounds[-1][1].wire_index // 1920


@settings(max_examples=30, deadline=None)
@given(
    jitter_s=st.lists(st.floats(0, 0.2), min_size=100, max_size=100),
    needs_s=st.floats(0.001, 0.08),
    interrupts_s=st.lists(st.floats(0, 2), max_size=3).map(sorted),
)
def test_whatever_happens_sound_flows_and_numbers_are_in_order(
    jitter_s: list[float], needs_s: float, interrupts_s: list[float]
) -> None:
    theatre = Theatre(Painter(needs_s=needs_s))
    arrivals = (START_S + n * 0.02 + extra for n, extra in enumerate(jitter_s))
    theatre.microphone_s.extend(sorted(arrivals))
    for interrupt_s in interrupts_s:
        theatre.run(START_S + interrupt_s)
        theatre.painter.now_s = START_S + interrupt_s
        theatre.stage.interrupt(START_S + interrupt_s)
    theatre.run(START_S + 2.5)
    indices = [sound.wire_index for _, sound in theatre.sounds]
    assert indices == list(range(0, 960 * len(indices), 960))
    assert len(indices) > 110
    frames = [sight.slot for _, sight in theatre.sights]
    assert frames == sorted(set(frames))
    reserve_s = theatre.stage.reserve_s
    assert np.diff([now_s for now_s, _ in theatre.sounds]).max() < 0.02 + 0.006, reserve_s
