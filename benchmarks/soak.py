"""Does it stay as it began? Minutes of speech through the engine, and through a live server.

    python -m benchmarks.soak [--minutes 10] [--live] [--record]

Alone, the engine gets its samples as fast as it takes them. Live, a headless visitor speaks at real
time and the server is watched from outside. Memory must be flat, and lips and sound must keep
their distance from the first minute to the last.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.call import CallError, Notes, calling
from benchmarks.curves import Curve, Floats, lag
from benchmarks.harness import Value, finish, result
from benchmarks.lips import loudness, mouth_curve, sent_level
from benchmarks.mouth import opening
from benchmarks.server_process import ServerError, ServerProcess, rss_mb, running_server
from engine.api import Engine, Picture, PortraitOptions, Stream, StreamOptions, Unit
from engine.config import TIMING
from engine.portrait.engine import load_engine
from engine.portraits import bundled_portraits
from tests.speech import sentences

MINUTE_S = 60.0
_BLOCK_S = 20.0  # of speech made at a time, so that the measurement itself stays flat
_SEARCH_S = 0.4
_LONGEST_S = 0.8
_SAMPLE_EVERY_S = 2.0
_SETTLE_S = 20.0  # of a live call: caches, encoder, first garbage
_CONNECT_WITHIN_S = 15.0
_FREEZE_S = 0.19


@dataclass(slots=True)
class Memory:
    """Resident memory over time."""

    read_mb: Callable[[], float]
    at_s: list[float] = field(default_factory=list)
    mb: list[float] = field(default_factory=list)

    def note(self, now_s: float) -> None:
        """Read once."""
        self.at_s.append(now_s)
        self.mb.append(self.read_mb())

    def values(self, name: str) -> dict[str, Value]:
        """Start, middle, end, and the slope of the second half."""
        half = len(self.mb) // 2
        late_min = np.array(self.at_s[half:]) / MINUTE_S
        slope = float(np.polyfit(late_min, self.mb[half:], 1)[0]) if len(late_min) > 1 else None
        return {
            f"{name}_rss_start_mb": self.mb[0],
            f"{name}_rss_mid_mb": self.mb[half],
            f"{name}_rss_end_mb": self.mb[-1],
            f"{name}_rss_growth_mb": self.mb[-1] - self.mb[0],
            f"{name}_rss_late_mb_per_minute": slope,
        }


@dataclass(slots=True)
class EngineRun:
    """Speech through one stream, block by block."""

    stream: Stream
    memory: Memory
    begun_s: float = field(default_factory=time.monotonic)
    levels: list[float] = field(default_factory=list)
    pushed_samples: int = 0
    units: int = 0
    longest_lag_frames: int = 0

    def offset_ms(self, seconds: float) -> float | None:
        """Lips after sound while this much speech goes through; read from the pictures."""
        first = self.units
        values = opening(self._pictures(seconds)).values
        times_s: Floats = (first + np.arange(len(values), dtype=np.float64)) * TIMING.frame_s
        loud = Curve(times_s, np.sqrt(np.array(self.levels)))
        self.levels = []
        found = lag(loud, Curve(times_s, values), _SEARCH_S, -_SEARCH_S)
        return found.delay_s * 1000 if found else None

    def skip(self, seconds: float) -> None:
        """Let speech pass unwatched."""
        for _ in self._pictures(seconds):
            self.levels = []

    def _pictures(self, seconds: float) -> Iterator[Picture]:
        for unit in self._units(seconds):
            assert unit.frame_index == self.units
            self.units += 1
            self.levels.append(float(np.sqrt(np.mean(unit.samples**2))))
            yield unit.picture

    def _units(self, seconds: float) -> Iterator[Unit]:
        for block in range(round(seconds / _BLOCK_S)):
            samples, _ = sentences(_BLOCK_S, self.units + block)
            for begin in range(0, len(samples), TIMING.packet_samples):
                piece = samples[begin : begin + TIMING.packet_samples]
                self.pushed_samples += len(piece)
                yield from self.stream.push(piece)
                behind = self.pushed_samples // TIMING.samples_per_frame - self.units
                self.longest_lag_frames = max(self.longest_lag_frames, behind)
            self.memory.note(time.monotonic() - self.begun_s)


def soak_engine(engine: Engine, minutes: float) -> dict[str, Value]:
    """As fast as it goes; the first and the last minute are watched."""
    picture = next(iter(bundled_portraits().values()))
    stream = engine.open(engine.prepare(picture, PortraitOptions()), StreamOptions())
    run = EngineRun(stream, Memory(rss_mb))
    first_ms = run.offset_ms(MINUTE_S)
    run.memory.mb.clear()  # the reader of lips has been loaded only now
    run.memory.at_s.clear()
    run.skip(max(0.0, minutes - 2) * MINUTE_S)
    last_ms = run.offset_ms(MINUTE_S)
    stream.close()
    return {
        **run.memory.values("engine"),
        "engine_offset_first_ms": first_ms,
        "engine_offset_last_ms": last_ms,
        "engine_frames": run.units,
        "engine_longest_lag_frames": run.longest_lag_frames,
        "engine_look_ahead_frames": stream.look_ahead_frames,
    }


async def soak_live(server: ServerProcess, minutes: float) -> dict[str, Value]:
    """One visitor, at real time."""
    blocks = [sentences(_BLOCK_S, n)[0] for n in range(round(minutes * MINUTE_S / _BLOCK_S))]
    memory, begun_s = Memory(server.rss_mb), time.monotonic()
    async with calling(server.url, np.concatenate(blocks)) as call:
        await call.first_picture(_CONNECT_WITHIN_S)
        await asyncio.sleep(min(_SETTLE_S, minutes * MINUTE_S / 4))
        while len(call.notes.microphone.sent_s) < len(call.notes.microphone.packets):
            memory.note(time.monotonic() - begun_s)
            await asyncio.sleep(_SAMPLE_EVERY_S)
    return {
        **memory.values("live"),
        **await asyncio.to_thread(_live_offsets, call.notes),
        **_live_counts(call.notes),
    }


def _live_offsets(notes: Notes) -> dict[str, Value]:
    mouth, _ = mouth_curve(notes)
    sent, heard = sent_level(notes), notes.sound.level()
    skew, ears = [], []
    begins_s = np.arange(notes.microphone.sent_s[0], sent.times_s[-1] - MINUTE_S / 2, MINUTE_S)
    for begin_s in begins_s:
        part = heard.between(begin_s, begin_s + MINUTE_S)
        skew.append(_lag_ms(loudness(part), mouth, -_SEARCH_S))
        ears.append(_lag_ms(sent.between(begin_s, begin_s + MINUTE_S), heard, 0.0))
    return {
        "live_skew_first_ms": skew[0],
        "live_skew_last_ms": skew[-1],
        "live_skew_range_ms": _range(skew),
        "live_mic_to_ears_first_ms": ears[0],
        "live_mic_to_ears_last_ms": ears[-1],
        "live_mic_to_ears_range_ms": _range(ears),
    }


def _live_counts(notes: Notes) -> dict[str, Value]:
    names = ("repeated_frames", "dropped_frames", "dropped_samples")
    counted = {name: notes.stats(name) for name in names}
    gaps_s = np.diff(notes.pictures_s)
    return {
        "live_freezes": int((gaps_s >= _FREEZE_S).sum()),
        "live_fps": float(1 / gaps_s.mean()),
        **{f"live_{name}": float(seen[-1]) for name, seen in counted.items() if len(seen)},
    }


def _lag_ms(cause: Curve, effect: Curve, earliest_s: float) -> float | None:
    begin_s, end_s = cause.times_s[0] - _LONGEST_S, cause.times_s[-1] + 2 * _LONGEST_S
    longest_s = _SEARCH_S if earliest_s else _LONGEST_S
    found = lag(cause, effect.between(begin_s, end_s), longest_s, earliest_s)
    return found.delay_s * 1000 if found else None


def _range(values: list[float | None]) -> float | None:
    known: Floats = np.array([value for value in values if value is not None])
    return float(np.ptp(known)) if len(known) else None


def main() -> int:
    """Soak and print; 1 when the live part could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="of speech, 3 or more")
    parser.add_argument("--live", action="store_true", help="a live server too, at real time")
    parser.add_argument("--live-only", action="store_true", help="not the engine alone")
    parser.add_argument("--record", action="store_true", help="append to benchmarks/results/")
    given = parser.parse_args()
    values: dict[str, Value] = {"minutes": given.minutes}
    if not given.live_only:
        with tempfile.TemporaryDirectory() as cache:
            values |= soak_engine(load_engine("auto", Path(cache)), given.minutes)
    try:
        if given.live or given.live_only:
            with running_server() as server:
                values |= asyncio.run(soak_live(server, given.minutes))
    except (CallError, ServerError, OSError) as error:
        print(f"nothing measured live: {error}", file=sys.stderr)
        return 1
    for name, value in values.items():
        print(f"{name:32} {value if not isinstance(value, float) else round(value, 2)}")
    finish(result("soak", values), record=given.record)
    return 0


if __name__ == "__main__":
    sys.exit(main())
