"""One session's timing, whole: what goes into the engine, and what leaves when.

Pure: time is a parameter, the engine is behind a `Performer`, and what leaves is returned.
Frames are numbered through the session on one fixed grid. An interrupt starts a new epoch of sound
and picture; an engine that falls far behind is restarted without one: the sound goes on.
"""

from dataclasses import dataclass
from typing import Generic, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.api import Samples
from engine.config import TIMING
from streamer.ingest import Ingest
from streamer.pacing import Pacer, reserve_for
from streamer.playout import CAPACITY_FRAMES, TOO_LATE_S, Playout, Shown
from streamer.protocol import Interrupted
from streamer.pursuit import Pursuit
from streamer.readings import Readings
from streamer.resample import Upsampler
from streamer.speech_queue import SpeechQueue
from streamer.voice import SILENT_FRAME, Voice, VoiceFrame

T = TypeVar("T")
RESTART_AFTER_FRAMES = TIMING.frame_rate_hz * 400 // 1000
MAX_PATIENCE_FRAMES = 4 * TIMING.frame_rate_hz  # with an engine that restarts do not help
_FULL_SCALE = 32_767


class Performer(Protocol):
    """The engine's side of one session. Both calls return at once."""

    def push(self, samples: Samples) -> bool:
        """Queue samples; False when the engine is too far behind to take any."""
        ...

    def restart(self, generation: int) -> None:
        """Forget what is queued; units that follow carry `generation`."""
        ...


@dataclass(frozen=True, slots=True)
class Sound:
    """One packet, [960] at 48 kHz."""

    wire_index: int  # of its first sample, counted through the session
    samples: NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Sight(Generic[T]):
    """One picture, in the slot of the frame of sound with the same number."""

    slot: int
    picture: T
    stands_slots: int = 0  # for how long it was shown already


Release: TypeAlias = Sound | Sight[T]


@dataclass(frozen=True, slots=True)
class EnginePace:
    """How an engine takes sound in and gives frames out."""

    look_ahead_frames: int  # of sound that a frame waits for
    chunk_frames: int  # that are finished together


class Stage(Generic[T]):
    """What one session hears, performs and shows."""

    def __init__(
        self, performer: Performer, pace: EnginePace, speech: SpeechQueue, start_s: float
    ) -> None:
        self.epoch = 0
        self.readings = Readings()
        self.ingest = Ingest(pace.look_ahead_frames, speech, start_s)
        self.playout: Playout[T] = Playout()
        self._performer = performer
        self._pacer = Pacer(start_s, reserve=reserve_for(pace.chunk_frames))
        self._pursuit = Pursuit(pace.chunk_frames, start_s)
        self._now_s = start_s
        self._voice = Voice()
        self._upsampler = Upsampler()
        self._skipped_samples = 0
        self._second_half = np.zeros(TIMING.wire_samples_per_packet, np.int16)
        self._fading: Samples | None = None  # what the next frame still has of an old epoch
        self._left: dict[int, tuple[VoiceFrame, float]] = {}  # the last frames, and when
        self._generation = 0
        self._first_frame = self._epoch_frame = 0
        self._patience_frames = RESTART_AFTER_FRAMES

    @property
    def next_s(self) -> float:
        """When `advance` must be called next."""
        return min(self._pacer.due_s, self.ingest.next_due_s)

    @property
    def reserve_s(self) -> float:
        """How long a frame waits after its due time, at present."""
        return self._pacer.reserve.reserve_s

    @property
    def dropped_samples(self) -> int:
        """Samples that came in and were never played."""
        return self.ingest.dropped_samples + self._skipped_samples

    @property
    def position_s(self) -> float:
        """How much of this epoch has been played."""
        pacer = self._pacer
        frames = pacer.frame - self._epoch_frame + pacer.in_second_half / 2
        return round(max(0.0, frames * TIMING.frame_s), 3)

    def hear(self, samples: Samples, now_s: float, lost_samples: int = 0) -> None:
        """Take microphone samples and pass them on as far as they are wanted."""
        self._now_s = now_s
        self.ingest.hear(samples, now_s, lost_samples)
        self._feed(now_s)

    def receive(self, generation: int, index: int, picture: T, now_s: float) -> list[Release[T]]:
        """Take unit `index` of a generation from the engine."""
        if generation != self._generation:
            return []
        frame = self._first_frame + index
        self._now_s = now_s
        needed_s = now_s - self._pacer.grid_s(frame)
        self._pacer.reserve.observe(needed_s)
        shown = self.playout.offer(frame, picture)
        if self._pursuit.is_hopeless(needed_s, now_s, self.reserve_s + TOO_LATE_S):
            self._catch_up()
        return [] if shown is None else [self._sight(shown, now_s)]

    def advance(self, now_s: float) -> list[Release[T]]:
        """Do all that is due."""
        self._now_s = now_s
        self._feed(now_s)
        releases: list[Release[T]] = []
        while self._pacer.due_s <= now_s:
            if self._pacer.in_second_half:
                releases += self._finish_frame()
            else:
                self._skip_a_stall(now_s)
                releases += self._begin_frame(now_s)
            self._pacer.advance()
        return releases

    def interrupt(self, now_s: float) -> Interrupted:
        """Stop talking: begin a new epoch with the next frame."""
        self._now_s = now_s
        played_s = self.position_s
        frame = self._pacer.next_whole_frame
        self.epoch += 1
        self._epoch_frame = frame
        self._fade_out(frame)
        self.ingest.restart(self._pacer.grid_s(frame))
        self._voice.restart(frame)
        self.playout.forget(frame)
        self._restart_engine(frame)
        self._feed(now_s)
        return Interrupted(self.epoch, played_s)

    def begin_again(self) -> None:
        """Another engine takes over: it begins close to the present, and the sound goes on."""
        self._patience_frames = RESTART_AFTER_FRAMES
        self._catch_up()

    def _fade_out(self, frame: int) -> None:
        """Let the sound of the old epoch end in the 20 ms that follow, without a click."""
        if self._pacer.in_second_half:
            wire = self._second_half
            ramp = np.linspace(1, 0, len(wire))
            self._second_half = (wire * ramp).astype(wire.dtype)
        else:
            samples = self._voice.frame(frame).samples
            ramp = np.clip(np.linspace(1, -1, len(samples)), 0, 1)
            self._fading = np.asarray(samples * ramp, np.float32)

    def _feed(self, now_s: float) -> None:
        for piece in self.ingest.take(now_s):
            self._voice.append(piece)
            if not self._performer.push(piece.samples):
                self._catch_up()

    def _begin_frame(self, now_s: float) -> list[Release[T]]:
        frame = self._pacer.frame
        voice = self._voice.frame(frame)
        samples = voice.samples if self._fading is None else voice.samples + self._fading
        self._fading = None
        wire = np.clip(self._upsampler.push(samples), -1, 1) * _FULL_SCALE
        first, self._second_half = np.split(wire.astype(np.int16), 2)
        self._left[frame] = (voice, now_s)
        self._left.pop(frame - CAPACITY_FRAMES, None)
        self.readings.sound_left(voice.samples)
        releases: list[Release[T]] = [Sound(2 * frame * TIMING.wire_samples_per_packet, first)]
        shown = self.playout.due(frame)
        if shown is not None:
            releases.insert(0, self._sight(shown, now_s))
        if self.playout.frozen_slots > self._patience_frames:
            # An engine that is always too slow would never show anything if begun again each time.
            self._patience_frames = min(2 * self._patience_frames, MAX_PATIENCE_FRAMES)
            self._catch_up()
        return releases

    def _finish_frame(self) -> list[Release[T]]:
        frame = self._pacer.frame
        sound = Sound((2 * frame + 1) * TIMING.wire_samples_per_packet, self._second_half)
        repeated = self.playout.give_up()
        if repeated is None:
            return [sound]
        return [Sight(frame, repeated.picture, max(1, self.playout.frozen_slots)), sound]

    def _sight(self, shown: Shown[T], now_s: float) -> Sight[T]:
        if shown.frame == shown.slot:
            self._patience_frames = RESTART_AFTER_FRAMES
        voice, left_s = self._left.get(shown.frame, (SILENT_FRAME, now_s))
        lips_s = None if voice.heard_s is None else now_s - voice.heard_s
        self.readings.picture_left(lips_s, now_s - left_s)
        return Sight(shown.slot, shown.picture)

    def _skip_a_stall(self, now_s: float) -> None:
        """After a stall of the whole process, go on with the present instead of a burst."""
        skipped = self._pacer.overdue_frames(now_s)
        self._pacer.frame += skipped
        self._skipped_samples += skipped * TIMING.samples_per_frame

    def _catch_up(self) -> None:
        """The engine is hopelessly late: let it begin again close to the present."""
        frame = self._pacer.next_whole_frame + 1
        self.playout.hope()
        self._restart_engine(frame)
        self._performer.push(self._voice.since(frame))

    def _restart_engine(self, frame: int) -> None:
        self._generation += 1
        self._first_frame = frame
        self._pursuit.restart(self._now_s)
        self._performer.restart(self._generation)
