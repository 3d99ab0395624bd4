"""Hours of one session's timing in minutes: the pure stage, its clock turned by hand.

    python -m benchmarks.soak_stage [--hours 2] [--drift-ppm 100] [--loss 0.01]

The visitor's sound card runs at a rate of its own, packets are late and some are lost. Every ten
seconds a click is spoken: the delay until it leaves must be the same at the end as at the
beginning, and memory must be flat. The engine is one that needs a fixed time for a frame.
"""

import argparse
import random
import sys
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from benchmarks.harness import Spread, Value, finish, print_spreads, result
from benchmarks.server_process import rss_mb
from engine.api import Samples
from engine.config import TIMING
from streamer.drift import HairResampler
from streamer.resample import Downsampler
from streamer.speech_queue import SpeechQueue
from streamer.stage import EnginePace, Release, Sound, Stage

_LOOK_AHEAD_FRAMES = 2
_ENGINE_S = 0.012
_PACKET_S = TIMING.packet_ms / 1000
_CLICK_EVERY_PACKETS = 500
_LOUD = 3000
_HOUR_S = 3600
_JITTER_S = 0.006


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the session must stand."""

    hours: float
    drift_ppm: float
    loss: float
    seed: int = 0


@dataclass(slots=True)
class Painter:
    """An engine that needs a fixed time for a frame; pictures are their numbers."""

    now_s: float = 0.0
    generation: int = 0
    samples: int = 0
    frames: int = 0
    finished: deque[tuple[float, int, int]] = field(default_factory=deque)

    def push(self, samples: Samples) -> bool:
        """Take samples."""
        self.samples += len(samples)
        while self.samples >= (self.frames + 1 + _LOOK_AHEAD_FRAMES) * TIMING.samples_per_frame:
            self.finished.append((self.now_s + _ENGINE_S, self.generation, self.frames))
            self.frames += 1
        return True

    def restart(self, generation: int) -> None:
        """Begin again."""
        self.generation, self.samples, self.frames = generation, 0, 0
        self.finished.clear()


class Soak:
    """One stage, one microphone, one clock."""

    def __init__(self, conditions: Conditions) -> None:
        self.delays_ms: list[float] = []
        self.restarts = 0
        self._chance = random.Random(conditions.seed)
        self._loss = conditions.loss
        self._period_s = _PACKET_S / (1 + conditions.drift_ppm / 1e6)
        self._painter = Painter()
        pace = EnginePace(_LOOK_AHEAD_FRAMES, chunk_frames=1)
        self.stage: Stage[int] = Stage(self._painter, pace, SpeechQueue(), 0.0)
        self._hair, self._down = HairResampler(), Downsampler()
        self._click = self._quiet = np.zeros(TIMING.wire_samples_per_packet, np.float32)
        self._click = self._quiet + 0.5
        self._spoken_s: float | None = None
        self._number = 0
        self._lost_samples = 0

    def run(self, until_s: float) -> None:
        """Turn the clock."""
        while True:
            picture_s = self._painter.finished[0][0] if self._painter.finished else np.inf
            packet_s = self._number * self._period_s + self._late_s()
            now_s = min(picture_s, packet_s, self.stage.next_s)
            if now_s > until_s:
                return
            self._painter.now_s = now_s
            if now_s == picture_s:
                _, generation, index = self._painter.finished.popleft()
                self._note(now_s, self.stage.receive(generation, index, index, now_s))
            elif now_s == packet_s:
                self._speak(now_s)
            else:
                self._note(now_s, self.stage.advance(now_s))

    def _late_s(self) -> float:
        """The same for the same packet, however often it is asked."""
        return random.Random(self._number).uniform(0, _JITTER_S)

    def _speak(self, now_s: float) -> None:
        is_click = self._number % _CLICK_EVERY_PACKETS == _CLICK_EVERY_PACKETS - 1
        if not is_click and self._chance.random() < self._loss:
            self._lost_samples += TIMING.packet_samples
        else:
            wire = self._click if is_click else self._quiet
            samples = self._down.push(self._hair.push(wire, self.stage.ingest.stretch))
            self.stage.hear(samples, now_s, self._lost_samples)
            self._lost_samples = 0
        if is_click:
            self._spoken_s = now_s
        self._number += 1

    def _note(self, now_s: float, releases: list[Release[int]]) -> None:
        for release in releases:
            if isinstance(release, Sound) and self._spoken_s is not None:
                loud = np.flatnonzero(np.abs(release.samples) > _LOUD)
                if len(loud):
                    late_s = now_s - self._spoken_s + loud[0] / TIMING.wire_rate_hz
                    self.delays_ms.append(1000 * late_s)
                    self._spoken_s = None


def soak(conditions: Conditions) -> dict[str, Value]:
    """Run; the first minute settles the clock."""
    run = Soak(conditions)
    end_s = conditions.hours * _HOUR_S
    run.run(min(60.0, end_s / 4))
    run.delays_ms.clear()
    begin_mb = rss_mb()
    run.run(end_s)
    delays = np.array(run.delays_ms)
    hours = np.linspace(0, conditions.hours, len(delays))
    print_spreads("Milliseconds from a click to its sound", {"all": Spread.of(delays)})
    return {
        "hours": conditions.hours,
        "drift_ppm": conditions.drift_ppm,
        "loss": conditions.loss,
        "delay_first_ms": float(delays[: len(delays) // 4].mean()),
        "delay_last_ms": float(delays[-(len(delays) // 4) :].mean()),
        "delay_ms_per_hour": float(np.polyfit(hours, delays, 1)[0]),
        "dropped_samples": run.stage.dropped_samples,
        "repeated_frames": run.stage.playout.repeated_frames,
        "rss_growth_mb": rss_mb() - begin_mb,
    }


def main() -> int:
    """Soak and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak_stage", description=__doc__)
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--drift-ppm", type=float, default=100.0)
    parser.add_argument("--loss", type=float, default=0.01)
    parser.add_argument("--record", action="store_true", help="append to benchmarks/results/")
    given = parser.parse_args()
    values = soak(Conditions(given.hours, given.drift_ppm, given.loss))
    finish(result("soak_stage", values), record=given.record)
    return 0


if __name__ == "__main__":
    sys.exit(main())
