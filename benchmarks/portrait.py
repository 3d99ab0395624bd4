"""What the portrait engine costs: per frame, per portrait, per start, per film.

    python -m benchmarks.portrait [--seconds 40] [--portrait NAME] [--record]

The first bundled portrait shows its own teeth; the mouth of `--portrait hopper` is painted by a
network. Times are of one thread: `processor` is what the whole process computed, `wall` what the
clock said, which on a busy machine is more. Starting and filming are measured on the real programs.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.curves import Floats
from benchmarks.harness import ROOT, Spread, Value, finish, print_spreads, result
from benchmarks.server_process import running_server
from engine.api import Avatar, Engine, Picture, PortraitOptions, Samples, StreamOptions
from engine.config import TIMING
from engine.portrait.channels import MOUTH
from engine.portrait.engine import PortraitAvatar, load_engine
from engine.portrait.life import life
from engine.portrait.motion import MotionModel
from engine.portrait.renderer import Renderer
from engine.portraits import bundled_portraits
from tests.speech import sentences, write_wav

_WARM_UP_FRAMES = 25


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds per frame, [frame] each."""

    processor_ms: Floats
    wall_ms: Floats


@dataclass(frozen=True, slots=True)
class Preparation:
    """Milliseconds of one portrait: made anew, and found in the cache."""

    fresh_ms: float
    cached_ms: float


def main() -> int:
    """Measure and print."""
    options = _parse(sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "cache"
        begun_s = time.monotonic()
        engine = load_engine("auto", cache)
        load_ms = (time.monotonic() - begun_s) * 1000
        preparation = prepare_cost(engine)
        shown = bundled_portraits()[options.portrait]
        costs = engine_costs(engine, shown, options.seconds, options.size)
        started = {} if options.engine_only else start_cost(cache.parent / "server_cache")
        filmed = {} if options.engine_only else film_cost(Path(folder), options.seconds)
    values: dict[str, Value] = {"portrait": options.portrait, "size": options.size}
    values["frames"] = len(costs["total"].wall_ms)
    for name, cost in costs.items():
        values |= _percentiles(f"{name}_ms", Spread.of(cost.processor_ms))
    values |= _percentiles("total_wall_ms", Spread.of(costs["total"].wall_ms))
    values |= {
        "engine_load_ms": load_ms,
        "prepare_ms": max(item.fresh_ms for item in preparation.values()),
        "prepare_cached_ms": max(item.cached_ms for item in preparation.values()),
    }
    print_spreads("Milliseconds per frame", _rows(costs))
    for name, item in preparation.items():
        print(f"preparing {name}: {item.fresh_ms:.0f} ms, from the cache {item.cached_ms:.0f} ms")
    finish(result("portrait", {**values, **started, **filmed}), record=options.record)
    return 0


def engine_costs(engine: Engine, picture: Picture, seconds: float, size: int) -> dict[str, Cost]:
    """The whole engine and its two parts, frame by frame, on a portrait [height, width, 3]."""
    avatar = engine.prepare(picture, PortraitOptions(size=size))
    frames = _speech_frames(seconds)
    stream = engine.open(avatar, StreamOptions())
    costs = timed({"total": lambda number: stream.push(frames[number])}, len(frames))
    stream.close()
    return {**costs, **_parts(avatar, frames)}


def _parts(avatar: Avatar, frames: Samples) -> dict[str, Cost]:
    """Motion and rendering in turn, as in a stream, with caches as the other left them."""
    if not isinstance(avatar, PortraitAvatar):
        return {}
    motion, renderer = MotionModel.load().open(), Renderer(avatar.scene, avatar.mouth_painter)
    vector = life(0, 0)

    def move(number: int) -> None:
        nonlocal vector
        mouth = motion.push(frames[number])
        vector = life(0, number)
        vector[MOUTH] = 0 if mouth is None else mouth

    return timed({"motion": move, "render": lambda _: renderer.render(vector)}, len(frames))


def timed(steps: Mapping[str, Callable[[int], object]], count: int) -> dict[str, Cost]:
    """Cost of each step of each of `count` frames, in turn; the first second is not counted."""
    clocks_ns = np.empty((count, len(steps) + 1, 2), np.int64)
    for number in range(count):
        clocks_ns[number, 0] = time.process_time_ns(), time.perf_counter_ns()
        for place, step in enumerate(steps.values(), 1):
            step(number)
            clocks_ns[number, place] = time.process_time_ns(), time.perf_counter_ns()
    spent_ms = np.diff(clocks_ns[min(_WARM_UP_FRAMES, count - 1) :], axis=1) / 1e6
    return {
        name: Cost(spent_ms[:, place, 0], spent_ms[:, place, 1]) for place, name in enumerate(steps)
    }


def prepare_cost(engine: Engine) -> dict[str, Preparation]:
    """Preparing every bundled portrait twice, with an empty cache at first."""
    found = {}
    for name, picture in bundled_portraits().items():
        times_ms = []
        for _ in range(2):
            begun_s = time.monotonic()
            engine.prepare(picture, PortraitOptions())
            times_ms.append((time.monotonic() - begun_s) * 1000)
        found[name] = Preparation(*times_ms)
    return found


def start_cost(cache: Path) -> dict[str, Value]:
    """From the start of the server's process to ready: on a fresh machine, then once more."""
    seen = []
    for _ in range(2):
        with running_server(surroundings={"VEXPRESS_CACHE_DIR": str(cache)}) as server:
            seen.append((server.ready_s, server.rss_mb()))
    return {
        "start_to_ready_s": seen[0][0],
        "start_to_ready_cached_s": seen[1][0],
        "server_rss_mb": seen[1][1],
    }


def film_cost(folder: Path, seconds: float) -> dict[str, Value]:
    """`inference.py --json` on made-up speech."""
    sound, film = folder / "speech.wav", folder / "film.mp4"
    write_wav(sound, sentences(seconds, 0)[0])
    command = [sys.executable, "inference.py", "--reference_image", "astronaut", "--json"]
    command += ["--audio", str(sound), "--output", str(film)]
    begun_s = time.monotonic()
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    took_s = time.monotonic() - begun_s
    told = json.loads(ran.stdout.splitlines()[-1])
    return {
        "film_realtime_factor": told["realtime_factor"],
        "film_engine_ms_per_frame": told["engine_ms_per_frame"],
        "film_peak_rss_mb": told["peak_rss_mb"],
        "film_with_start_realtime_factor": seconds / took_s,
    }


def _speech_frames(seconds: float) -> Samples:
    """Speech as [frame, sample]."""
    samples, _ = sentences(seconds, 0)
    whole = len(samples) // TIMING.samples_per_frame * TIMING.samples_per_frame
    return samples[:whole].reshape(-1, TIMING.samples_per_frame)


def _percentiles(name: str, spread: Spread) -> dict[str, Value]:
    return {f"{name}_p50": spread.p50, f"{name}_p95": spread.p95, f"{name}_p99": spread.p99}


def _rows(costs: Mapping[str, Cost]) -> dict[str, Spread]:
    rows = {}
    for name, cost in costs.items():
        rows[f"{name}, processor"] = Spread.of(cost.processor_ms)
        rows[f"{name}, wall"] = Spread.of(cost.wall_ms)
    return rows


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asked for."""

    seconds: float
    size: int
    portrait: str
    engine_only: bool
    record: bool


def _parse(arguments: list[str]) -> Options:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.portrait", description=__doc__)
    parser.add_argument("--seconds", type=float, default=40.0, help="of speech")
    parser.add_argument("--size", type=int, default=512, help="of the pictures, in pixels")
    names = tuple(bundled_portraits())
    parser.add_argument("--portrait", choices=names, default=names[0])
    parser.add_argument("--engine-only", action="store_true", help="start no other program")
    parser.add_argument("--record", action="store_true", help="append to benchmarks/results/")
    given = parser.parse_args(arguments)
    return Options(given.seconds, given.size, given.portrait, given.engine_only, given.record)


if __name__ == "__main__":
    sys.exit(main())
