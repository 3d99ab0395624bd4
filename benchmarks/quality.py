"""What the rendered face does, measured again by the landmark networks.

    python -m benchmarks.quality --corpus ../shared/corpus

Every held-out clip is spoken by a bundled portrait; its frames are landmarked, and the opening of
the lips is compared with the true mouth of the clip. Then the portrait is left alone for a minute.
The engine's own numbers are never used.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.harness import result
from engine.api import Avatar, Engine, Picture, PortraitOptions, Samples, StreamOptions
from engine.config import TIMING
from engine.portrait.channels import lip_gap
from engine.portrait.engine import load_engine
from engine.portrait.geometry import Canonical, PoseSolver
from engine.portrait.landmarks import Face, FaceLandmarker, Floats
from engine.portraits import bundled_portraits
from engine.training.corpus import TalkingClip, lip_opening, read_corpus
from engine.training.evaluate import correlation

_LAGS = range(-5, 6)
_ROOM_NOISE = 0.001  # root mean square, -60 dB of full scale
_SILENCE_S, _SETTLE_S = 2.0, 0.6
_SHUT_CM = 0.12
_ALONE_S = 60.0
_LIDS = ((159, 145, 33, 133), (386, 374, 362, 263))  # upper, lower, corners
_BLINK_SHARE = 0.75  # of the usual opening of the eyes
_BONES = (33, 133, 168, 263, 362)  # points that no expression moves
_CORNER_SHARE = 10  # a corner of the frame is a tenth of its side


@dataclass(frozen=True, slots=True)
class Spoken:
    """One clip through one portrait."""

    clip: str
    portrait: str
    opening_r: float
    best_r: float
    best_lag: int  # frames by which the rendered mouth comes late
    amplitude: float
    shut_in_silence: float  # share of the silent frames with closed lips


@dataclass(frozen=True, slots=True)
class Alone:
    """A minute without speech."""

    portrait: str
    largest_gap_cm: float
    blinks_per_minute: float
    still_frames: float  # share of frames equal to the one before: a frozen face
    shape_drift: float  # of the bones of the face, share of the eye distance
    background_change: float  # mean grey levels in the corners of the frame


class Watcher:
    """Looks at rendered frames as a stranger would."""

    def __init__(self) -> None:
        self._landmarker = FaceLandmarker()
        self._solver = PoseSolver(Canonical.load())
        self._face: Face | None = None

    def look(self, frame: Picture) -> Face:
        """The face of a frame, followed from the frame before."""
        before = self._face
        found = self._landmarker.landmarks(frame, before.region) if before else None
        face = found or self._landmarker.find(frame)
        if face is None:
            raise RuntimeError("the rendered frame shows no face")
        self._face = face
        return face

    def gap_cm(self, face: Face, frame: Picture) -> float:
        """Opening of the lips on the canonical face."""
        return float(lip_gap(self._solver.solve(face.points, frame.shape[1], frame.shape[0]).mesh))


def frames_of(engine: Engine, avatar: Avatar, samples: Samples, seed: int) -> Iterator[Picture]:
    """The frames of some speech, one by one."""
    stream = engine.open(avatar, StreamOptions(seed=seed, badge=False))
    for piece in np.split(
        samples, range(TIMING.sample_rate_hz, len(samples), TIMING.sample_rate_hz)
    ):
        yield from (unit.picture for unit in stream.push(piece))
    yield from (unit.picture for unit in stream.flush())
    stream.close()


def speak(engine: Engine, avatar: Avatar, portrait: str, clip: TalkingClip) -> Spoken:
    """Render a clip and silence after it, and measure both."""
    noise = np.random.default_rng(0).normal(0, _ROOM_NOISE, round(_SILENCE_S * 16_000))
    samples = np.concatenate([clip.samples, noise.astype(np.float32)])
    watcher = Watcher()
    frames = frames_of(engine, avatar, samples, seed=1)
    gaps = np.array([watcher.gap_cm(watcher.look(frame), frame) for frame in frames])
    spoken, silent = gaps[: len(clip.mouth)], gaps[len(clip.mouth) :]
    truth = lip_opening(clip.mouth)
    by_lag = {lag: _at_lag(spoken, truth, lag) for lag in _LAGS}
    best = max(by_lag, key=lambda lag: by_lag[lag])
    settled = silent[round(_SETTLE_S * TIMING.frame_rate_hz) :]
    return Spoken(
        clip.name,
        portrait,
        by_lag[0],
        by_lag[best],
        best,
        float(spoken.std() / truth.std()),
        float((settled < _SHUT_CM).mean()),
    )


def leave_alone(engine: Engine, avatar: Avatar, portrait: str) -> Alone:
    """Render a minute of a quiet room and measure what goes on."""
    noise = np.random.default_rng(1).normal(0, _ROOM_NOISE, round(_ALONE_S * 16_000))
    watcher, gaps, eyes, bones, corners = Watcher(), [], [], [], []
    same, before = 0, None
    for frame in frames_of(engine, avatar, noise.astype(np.float32), seed=1):
        face = watcher.look(frame)
        gaps.append(watcher.gap_cm(face, frame))
        eyes.append(_eye_opening(face.points))
        bones.append(_normal_bones(face.points))
        corners.append(_corner_change(frame, avatar.still))
        same += before is not None and np.array_equal(frame, before)
        before = frame
    closed = np.array(eyes) < _BLINK_SHARE * np.median(eyes)
    blinks = int((closed[1:] & ~closed[:-1]).sum())
    drift = np.linalg.norm(np.array(bones) - np.mean(bones, axis=0), axis=-1)
    return Alone(
        portrait,
        max(gaps),
        blinks * 60 / _ALONE_S,
        same / len(gaps),
        float(drift.mean()),
        float(np.mean(corners)),
    )


def _at_lag(guess: np.ndarray[tuple[int], np.dtype[np.float64]], truth: Floats, lag: int) -> float:
    early, late = max(-lag, 0), max(lag, 0)
    return correlation(guess[late : len(guess) - early], truth[early : len(truth) - late])


def _eye_opening(points: Floats) -> float:
    opened = [
        np.linalg.norm(points[upper] - points[lower]) / np.linalg.norm(points[right] - points[left])
        for upper, lower, right, left in _LIDS
    ]
    return float(np.mean(opened))


def _normal_bones(points: Floats) -> Floats:
    """Points about the eyes, with position, size and tilt taken out, as complex numbers' parts."""
    places = points[list(_BONES), 0] + 1j * points[list(_BONES), 1]
    places = (places - places.mean()) / (places[3] - places[0])
    return np.stack([places.real, places.imag], -1).astype(np.float32)


def _corner_change(frame: Picture, still: Picture) -> float:
    side = min(frame.shape[:2]) // _CORNER_SHARE
    change = [
        np.abs(frame[:side, columns].astype(int) - still[:side, columns]).mean()
        for columns in (slice(0, side), slice(-side, None))
    ]
    return float(np.mean(change))


def _show(title: str, rows: list[Spoken] | list[Alone]) -> None:
    table = Table(*asdict(rows[0]), title=title)
    for row in rows:
        table.add_row(
            *(f"{v:.3f}" if isinstance(v, float) else str(v) for v in asdict(row).values())
        )
    Console().print(table)


def main(
    corpus: Annotated[Path, typer.Option(help="Corpus folder with index.json.")],
    cache: Annotated[Path, typer.Option(help="Where measures are kept.")] = Path("build/training"),
    record: Annotated[bool, typer.Option(help="Append to benchmarks/results.")] = False,
) -> None:
    """Measure the rendered face on held-out speech and in silence."""
    clips = read_corpus(corpus, "eval", cache)
    with tempfile.TemporaryDirectory() as scenes:
        engine = load_engine("cpu", Path(scenes))
        avatars = {
            name: engine.prepare(picture, PortraitOptions())
            for name, picture in bundled_portraits().items()
        }
        names = list(avatars)
        spoken = [
            speak(engine, avatars[names[number % len(names)]], names[number % len(names)], clip)
            for number, clip in enumerate(clips)
        ]
        alone = [leave_alone(engine, avatar, name) for name, avatar in avatars.items()]
    _show("Held-out speech", spoken)
    _show("A minute alone", alone)
    found = result(
        "quality",
        {
            "clips": len(spoken),
            "opening_r": float(np.mean([one.opening_r for one in spoken])),
            "best_r": float(np.mean([one.best_r for one in spoken])),
            "median_lag_frames": float(np.median([one.best_lag for one in spoken])),
            "lag_within_1": float(np.mean([abs(one.best_lag) <= 1 for one in spoken])),
            "amplitude": float(np.mean([one.amplitude for one in spoken])),
            "shut_in_silence": float(np.mean([one.shut_in_silence for one in spoken])),
            "blinks_per_minute": float(np.mean([one.blinks_per_minute for one in alone])),
            "still_frames": max(one.still_frames for one in alone),
            "shape_drift": max(one.shape_drift for one in alone),
            "background_change": max(one.background_change for one in alone),
        },
    )
    if record:
        found.record()
    print(found.line())


if __name__ == "__main__":
    typer.run(main)
