"""Which samples the engine gets, and when. Pure: time comes in as a parameter.

Frame k of an epoch is due at `start + k * 40 ms`; by then the engine must have been given the
frame's samples and its look-ahead. The microphone is passed on as it arrives; what is missing at a
due time is taken from queued speech, else what was just heard is continued and fades to silence, so
that the avatar lives on.
"""

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from engine.api import Samples
from engine.config import TIMING
from streamer.drift import SPARE_SAMPLES, DriftControl
from streamer.speech_queue import SpeechQueue
from streamer.timescale import Concealer, shortened

MAX_BACKLOG_SAMPLES = TIMING.sample_rate_hz * 120 // 1000
MAX_AHEAD_SAMPLES = TIMING.sample_rate_hz * 60 // 1000  # of a due time, inside the engine
_CUT_FROM_SAMPLES = TIMING.sample_rate_hz * 10 // 1000  # of standing delay; less is drifted away
_QUIET_RMS = 0.004  # about -48 dB: a cut here is not heard
_WATCHES = 2  # of two seconds, in all of which more waited than was needed
_REST_PACKETS = 4  # between two cuts while loud
_SOURCE_GONE_S = 0.2


@dataclass(frozen=True, slots=True)
class Piece:
    """Samples for the engine, and when they came in; None if no microphone sent them."""

    samples: Samples
    heard_s: float | None


class Ingest:
    """One session's way from its sources to the engine."""

    def __init__(self, look_ahead_frames: int, speech: SpeechQueue, start_s: float) -> None:
        self.speech = speech
        self.dropped_samples = 0
        self._lead_samples = (1 + look_ahead_frames) * TIMING.samples_per_frame
        self._pending: deque[Piece] = deque()
        self._pending_samples = 0
        self._last_heard_s = -math.inf
        self._drift = DriftControl()
        self._least_samples: deque[int] = deque(maxlen=_WATCHES)
        self._concealer = Concealer()
        self._owed_samples = 0  # made up for sound that may still come
        self._surplus_samples = 0
        self._rest_packets = 0
        self._start_s = start_s
        self.given_samples = 0
        self._due_frame = -1

    def restart(self, start_s: float) -> None:
        """Begin an epoch whose frame 0 is due at `start_s`; all that waits is forgotten."""
        self._start_s = start_s
        self.given_samples = 0
        self._due_frame = -1
        self._forget_pending()
        self._drift.forget()
        self._least_samples.clear()
        self._surplus_samples = self._owed_samples = 0
        self.speech.clear()

    @property
    def next_due_s(self) -> float:
        """When `take` must be called next."""
        return self._start_s + (self._due_frame + 1) * TIMING.frame_s

    @property
    def stretch(self) -> float:
        """By how much the microphone's sound shall be made longer, so that clocks agree."""
        return self._drift.stretch

    def hear(self, samples: Samples, now_s: float, lost_samples: int = 0) -> None:
        """Take microphone samples [time]; before them some were lost on the way."""
        self._last_heard_s = now_s
        if self.speech.has_the_word(now_s):
            return
        if lost_samples > self._owed_samples:
            self._queue(self._concealer.conceal(lost_samples - self._owed_samples), now_s)
        self._owed_samples = 0
        self._concealer.heard(samples)
        self._queue(self._cut_standing_delay(samples), now_s)
        self._trim_backlog(now_s)

    def _queue(self, samples: Samples, now_s: float) -> None:
        for begin in range(0, len(samples), TIMING.packet_samples):
            self._pending.append(Piece(samples[begin : begin + TIMING.packet_samples], now_s))
        self._pending_samples += len(samples)

    def take(self, now_s: float) -> list[Piece]:
        """What to push into the engine now, in order."""
        due_samples = self._due_samples(now_s)
        self._watch(now_s, due_samples)
        if self.speech.has_the_word(now_s):
            self._forget_pending()
        pieces = self._ready_pieces(due_samples)
        missing = due_samples - self.given_samples
        if missing > 0:
            spoken = self.speech.take(missing, now_s)
            rest = self._instead(missing - len(spoken), now_s)
            pieces += [Piece(part, None) for part in (spoken, rest) if len(part)]
            self.given_samples = due_samples
        return pieces

    def _instead(self, count_samples: int, now_s: float) -> Samples:
        """What fills a gap that neither microphone nor speech has filled in time."""
        if self.speech.has_the_word(now_s) or not self._is_listening(now_s):
            return np.zeros(count_samples, np.float32)
        self._owed_samples += count_samples
        return self._concealer.conceal(count_samples)

    def _is_listening(self, now_s: float) -> bool:
        return now_s - self._last_heard_s <= _SOURCE_GONE_S

    def _due_samples(self, now_s: float) -> int:
        # A nanosecond of grace: the caller wakes exactly at a due time, give or take rounding.
        frame = math.floor((now_s - self._start_s) * TIMING.frame_rate_hz + 1e-6)
        if frame < 0:
            return 0
        return self._lead_samples + frame * TIMING.samples_per_frame

    def _ready_pieces(self, due_samples: int) -> list[Piece]:
        pieces: list[Piece] = []
        limit = due_samples + MAX_AHEAD_SAMPLES if due_samples else 0
        while self._pending and self.given_samples + len(self._pending[0].samples) <= limit:
            piece = self._pending.popleft()
            pieces.append(piece)
            self.given_samples += len(piece.samples)
            self._pending_samples -= len(piece.samples)
        return pieces

    def _trim_backlog(self, now_s: float) -> None:
        backlog = self.given_samples + self._pending_samples - self._due_samples(now_s)
        excess = min(backlog - MAX_BACKLOG_SAMPLES, self._pending_samples)
        while excess > 0:
            piece = self._pending.popleft()
            kept = piece.samples[excess:]
            if len(kept):
                self._pending.appendleft(Piece(kept, piece.heard_s))
            cut = len(piece.samples) - len(kept)
            self._pending_samples -= cut
            self.dropped_samples += cut
            excess -= cut

    def _watch(self, now_s: float, due_samples: int) -> None:
        """Note once per frame by how much the microphone ran ahead of need."""
        frame = (due_samples - self._lead_samples) // TIMING.samples_per_frame
        if not due_samples or frame == self._due_frame:
            return
        self._due_frame = frame
        if not self._is_listening(now_s):
            self._drift.forget()
            self._least_samples.clear()
            return
        spoken_since = round((now_s - self._last_heard_s) * TIMING.sample_rate_hz)
        waiting = self.given_samples + self._pending_samples - due_samples + spoken_since
        least = self._drift.observe(waiting - TIMING.packet_samples)
        if least is not None:
            self._least_samples.append(least)
            enough = len(self._least_samples) == self._least_samples.maxlen
            surplus = min(self._least_samples) - SPARE_SAMPLES if enough else 0
            self._surplus_samples = surplus if surplus > _CUT_FROM_SAMPLES else 0

    def _cut_standing_delay(self, samples: Samples) -> Samples:
        """Shorten what comes when, for four seconds, more lay waiting than was ever needed.

        In silence that is a cut, in speech a period of the voice now and then.
        """
        self._rest_packets = max(0, self._rest_packets - 1)
        if not self._surplus_samples:
            return samples
        if _is_quiet(samples):
            kept = samples[min(self._surplus_samples, len(samples)) :]
        elif self._rest_packets:
            return samples
        else:
            kept = shortened(samples, self._surplus_samples)
            self._rest_packets = _REST_PACKETS
        cut = len(samples) - len(kept)
        self._surplus_samples -= cut
        self.dropped_samples += cut
        return kept

    def _forget_pending(self) -> None:
        self._pending.clear()
        self._pending_samples = 0


def _is_quiet(samples: Samples) -> bool:
    return float(np.sqrt(np.mean(samples**2))) < _QUIET_RMS
