"""Which samples the engine gets, and when. Pure: time comes in as a parameter.

Frame k of an epoch is due at `start + k * 40 ms`; by then the engine must have been given the
frame's samples and its look-ahead. The microphone is passed on as it arrives; what is missing at a
due time is taken from queued speech, else filled with silence, so that the avatar lives on.
"""

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from engine.api import Samples
from engine.config import TIMING
from streamer.speech_queue import SpeechQueue

MAX_BACKLOG_SAMPLES = TIMING.sample_rate_hz * 120 // 1000
MAX_AHEAD_SAMPLES = TIMING.sample_rate_hz * 60 // 1000  # of a due time, inside the engine
_GUARD_SAMPLES = TIMING.sample_rate_hz * 5 // 1000  # spared by the trimming of standing delay
_LOUD_TRIM_SAMPLES = TIMING.sample_rate_hz * 60 // 1000  # more than this goes even while loud
_QUIET_RMS = 0.004  # about -48 dB: a cut here is not heard
_WATCH_FRAMES = 2 * TIMING.frame_rate_hz
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
        self._margins_samples: deque[int] = deque(maxlen=_WATCH_FRAMES)
        self._surplus_samples = 0
        self._start_s = start_s
        self._given_samples = 0
        self._due_frame = -1

    def restart(self, start_s: float) -> None:
        """Begin an epoch whose frame 0 is due at `start_s`; all that waits is forgotten."""
        self._start_s = start_s
        self._given_samples = 0
        self._due_frame = -1
        self._forget_pending()
        self._margins_samples.clear()
        self._surplus_samples = 0
        self.speech.clear()

    @property
    def next_due_s(self) -> float:
        """When `take` must be called next."""
        return self._start_s + (self._due_frame + 1) * TIMING.frame_s

    def hear(self, samples: Samples, now_s: float) -> None:
        """Take microphone samples [time]."""
        self._last_heard_s = now_s
        if self.speech.has_the_word(now_s):
            return
        samples = self._cut_standing_delay(samples)
        for begin in range(0, len(samples), TIMING.packet_samples):
            self._pending.append(Piece(samples[begin : begin + TIMING.packet_samples], now_s))
        self._pending_samples += len(samples)
        self._trim_backlog(now_s)

    def take(self, now_s: float) -> list[Piece]:
        """What to push into the engine now, in order."""
        due_samples = self._due_samples(now_s)
        self._watch(now_s, due_samples)
        if self.speech.has_the_word(now_s):
            self._forget_pending()
        pieces = self._ready_pieces(due_samples)
        missing = due_samples - self._given_samples
        if missing > 0:
            spoken = self.speech.take(missing, now_s)
            silence = np.zeros(missing - len(spoken), np.float32)
            pieces += [Piece(part, None) for part in (spoken, silence) if len(part)]
            self._given_samples = due_samples
        return pieces

    def _due_samples(self, now_s: float) -> int:
        # A nanosecond of grace: the caller wakes exactly at a due time, give or take rounding.
        frame = math.floor((now_s - self._start_s) * TIMING.frame_rate_hz + 1e-6)
        if frame < 0:
            return 0
        return self._lead_samples + frame * TIMING.samples_per_frame

    def _ready_pieces(self, due_samples: int) -> list[Piece]:
        pieces: list[Piece] = []
        limit = due_samples + MAX_AHEAD_SAMPLES if due_samples else 0
        while self._pending and self._given_samples + len(self._pending[0].samples) <= limit:
            piece = self._pending.popleft()
            pieces.append(piece)
            self._given_samples += len(piece.samples)
            self._pending_samples -= len(piece.samples)
        return pieces

    def _trim_backlog(self, now_s: float) -> None:
        backlog = self._given_samples + self._pending_samples - self._due_samples(now_s)
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
        if now_s - self._last_heard_s > _SOURCE_GONE_S:
            self._margins_samples.clear()
        else:
            ahead = self._given_samples + self._pending_samples - due_samples
            self._margins_samples.append(ahead)

    def _cut_standing_delay(self, samples: Samples) -> Samples:
        """Shorten what comes when, for two seconds, more lay waiting than was ever needed."""
        if len(self._margins_samples) == _WATCH_FRAMES:
            self._surplus_samples = max(0, min(self._margins_samples) - _GUARD_SAMPLES)
            self._margins_samples.clear()
        cut = min(self._surplus_samples, len(samples))
        if not cut or not (self._surplus_samples > _LOUD_TRIM_SAMPLES or _is_quiet(samples)):
            return samples
        self._surplus_samples -= cut
        self.dropped_samples += cut
        return samples[cut:]

    def _forget_pending(self) -> None:
        self._pending.clear()
        self._pending_samples = 0


def _is_quiet(samples: Samples) -> bool:
    return float(np.sqrt(np.mean(samples**2))) < _QUIET_RMS
