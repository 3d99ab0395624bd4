"""How living heads and upper faces move while they speak.

    python -m engine.training.life --corpus FOLDER --out engine/weights/life.json

Each channel of a person becomes a sum of smooth noises, fitted to how far it strays within a lag
(its structure function, Kolmogorov 1941), which knows no mean and so bears short clips; what is
faster than all of them counts as trembling of the landmarks. Medians over the people of the `ship`
clips, so that nobody rules. Clips under five seconds hold still for it: GRID's people do not count.
"""

import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import soundfile
import typer
from scipy.interpolate import BSpline
from scipy.ndimage import median_filter, uniform_filter1d
from scipy.optimize import nnls

from engine.config import TIMING
from engine.portrait.acting import NEAR_SCALE
from engine.portrait.channels import LIDS, Channel
from engine.portrait.face_reading import read_face
from engine.portrait.geometry import Canonical, Doubles, PoseSolver
from engine.portrait.landmarks import Face
from engine.portrait.life import Accents
from engine.portrait.life_measures import KNOTS_S, WAVING, LifeMeasures
from engine.portrait.mel import HOPS_PER_FRAME, MelStream
from engine.training.corpus import CorpusError, corpus_entries, lip_opening, read_landmarks

_LEAST_S = 5.0
_LAGS = np.array([2, 3, 4, 6, 8, 12, 16, 25, 36, 50, 75])  # frames
_OPEN_EYES = 70  # per cent: eyes at rest are open, however often somebody blinks
_BLINK_SHARE = 0.7  # of that opening
_BLINK_MEDIAN_FRAMES = 25  # that no blink outlasts by half
_SWING_FRAMES = 50  # what is slower than that is no answer to a stress
_HEAD = [Channel.YAW, Channel.PITCH, Channel.ROLL]


@dataclass(frozen=True, slots=True)
class Scene:
    """A person speaking: frame by frame what was read off the face, and how loud it was."""

    readings: Doubles  # [frames, CHANNELS] absolute, as `FaceReading`
    loudness: Doubles  # [frames]


@dataclass(frozen=True, slots=True)
class PersonLife:
    """What was measured of one person."""

    changes: Doubles  # [WAVING, lags] mean squared change within a lag
    lift: float
    brow_raise: float
    blinks_per_minute: float


def read_scenes(corpus: Path) -> dict[str, list[Scene]]:
    """The scenes of each identity of the `ship` clips. Raises `CorpusError`."""
    solver = PoseSolver(Canonical.load())
    people: defaultdict[str, list[Scene]] = defaultdict(list)
    for entry in corpus_entries(corpus, "ship"):
        if entry["seconds"] >= _LEAST_S:
            people[entry["identity"]].append(_scene(solver, corpus, entry))
    if not people:
        raise CorpusError(f"{corpus}: no ship clip is {_LEAST_S:.0f} s long, nothing to measure")
    return dict(people)


def measure_person(scenes: Sequence[Scene]) -> PersonLife:
    """Measure one person."""
    curves = [waving(scene.readings) for scene in scenes]
    eyes = [scene.readings[:, LIDS].mean(axis=1) for scene in scenes]
    blinks = sum(_blinks(one) for one in eyes)
    followed = [_accents(scene.loudness) for scene in scenes]
    nods, raises = (_swings([one[:, k] for one in followed]) for k in range(2))
    pitch, brows = (
        _swings([curve[:, WAVING.index(channel)] for curve in curves])
        for channel in (Channel.PITCH, Channel.BROWS_UP)
    )
    openings = _swings([_opening(scene.readings) for scene in scenes])
    return PersonLife(
        changes=_changes(curves),
        lift=_share(pitch, nods, openings),
        brow_raise=_share(brows, raises, openings),
        blinks_per_minute=blinks / (sum(map(len, eyes)) * TIMING.frame_s / 60),
    )


def typical(people: Sequence[PersonLife]) -> LifeMeasures:
    """The median person."""
    changes = np.median([one.changes for one in people], axis=0)
    return LifeMeasures(
        np.stack([fit_spreads(row) for row in changes]),
        float(np.median([one.lift for one in people])),
        float(np.median([one.brow_raise for one in people])),
        float(np.median([one.blinks_per_minute for one in people])),
    )


def fit_spreads(changes: Doubles) -> Doubles:
    """Spreads [KNOTS_S] of the smooth noises that stray by `changes` [lags], mean squares."""
    cubic = BSpline.basis_element(np.arange(9), extrapolate=False)  # a cubic one with itself

    def alike(distance: Doubles) -> Doubles:
        return np.asarray(np.nan_to_num(cubic(4 + distance)) / cubic(4))

    columns = [2 - 2 * alike(_LAGS * TIMING.frame_s / knot_s) for knot_s in KNOTS_S]
    trembling = np.ones(len(_LAGS))
    model = np.column_stack([*columns, trembling]) / changes[:, None]
    return np.asarray(np.sqrt(nnls(model, trembling)[0][:-1]))


def waving(readings: Doubles) -> Doubles:
    """Curves [frames, WAVING] of readings [frames, CHANNELS], as motion channels."""
    curves = readings.copy()
    distance = readings[:, Channel.SHIFT_NEAR]
    curves[:, Channel.SHIFT_NEAR] = (np.median(distance) / distance - 1) / NEAR_SCALE
    eyes = readings[:, LIDS].mean(axis=1)
    slow = median_filter(eyes, _BLINK_MEDIAN_FRAMES, mode="nearest")
    curves[:, Channel.BLINK_LEFT] = 1 - slow / np.percentile(eyes, _OPEN_EYES)
    return np.asarray(curves[:, list(WAVING)])


def _scene(solver: PoseSolver, corpus: Path, entry: dict[str, Any]) -> Scene:
    points, present = read_landmarks(corpus, entry)
    side, lag = int(entry["video_px"]), int(entry["av_lag"])
    readings = np.stack([read_face(Face(one, 1.0), solver, side, side).vector for one in points])
    known, frames = np.flatnonzero(present), np.arange(len(readings))
    readings = np.stack([np.interp(frames, known, row[known]) for row in readings.T], axis=1)
    samples, _ = soundfile.read(corpus / f"{entry['name']}.flac", dtype="float32")
    hops = MelStream().push(samples).loudness
    whole = len(hops) // HOPS_PER_FRAME
    loudness = hops[: whole * HOPS_PER_FRAME].reshape(whole, -1).mean(axis=1)
    readings, loudness = readings[max(lag, 0) :], loudness[max(-lag, 0) :]
    count = min(len(readings), len(loudness))
    return Scene(readings[:count], loudness[:count].astype(np.float64))


def _changes(curves: Sequence[Doubles]) -> Doubles:
    """Mean squared changes [WAVING, lags] over all curves [frames, WAVING]."""
    means = [
        np.concatenate([(curve[lag:] - curve[:-lag]) ** 2 for curve in curves]).mean(axis=0)
        for lag in _LAGS
    ]
    return np.asarray(np.maximum(np.stack(means, axis=1), 1e-12))


def _accents(loudness: Doubles) -> Doubles:
    """How a head and brows would follow a voice [frames, 2]."""
    accents, found = Accents(), []
    for level in loudness.tolist():
        accents.push(level)
        found.append((accents.nod, accents.brow))
    return np.array(found)


def _opening(readings: Doubles) -> Doubles:
    return np.asarray(lip_opening(readings.astype(np.float32)), np.float64)


def _swings(curves: Sequence[Doubles]) -> Doubles:
    """Curves [frames] in a row, without what is slow."""
    return np.concatenate(
        [curve - uniform_filter1d(curve, _SWING_FRAMES, mode="nearest") for curve in curves]
    )


def _share(effect: Doubles, cause: Doubles, opening: Doubles) -> float:
    """What one unit of a cause does, beside what an open mouth does or seems to do to the pose."""
    return float(np.linalg.lstsq(np.stack([cause, opening], 1), effect, rcond=None)[0][0])


def _blinks(eyes: Doubles) -> int:
    closed = eyes < _BLINK_SHARE * np.percentile(eyes, _OPEN_EYES)
    return int((closed[1:] & ~closed[:-1]).sum())


def _table(people: Mapping[str, PersonLife], median: LifeMeasures) -> str:
    """Spreads of head in degrees and the rest in centimetres, lids in openings of the eye."""
    scales = [np.degrees(1.0) if channel in _HEAD else 1.0 for channel in WAVING]
    titles = [channel.name.lower() for channel in WAVING] + ["lift", "brow_raise", "blinks/min"]
    lines = [f"{'':20}" + "".join(f"{title:>11}" for title in titles)]

    def line(name: str, spreads: Doubles, others: Sequence[float]) -> str:
        numbers = [*(spreads * scales), *others]
        return f"{name:20}" + "".join(f"{number:11.3f}" for number in numbers)

    for name, one in people.items():
        whole = np.array([np.hypot.reduce(fit_spreads(row)) for row in one.changes])
        lines.append(line(name, whole, (one.lift, one.brow_raise, one.blinks_per_minute)))
    others = median.lift, median.brow_raise, median.blinks_per_minute
    lines.append(line("median", np.hypot.reduce(median.spreads, axis=1), others))
    for knot_s, spreads in zip(KNOTS_S, median.spreads.T, strict=True):
        lines.append(line(f"  knots of {knot_s} s", spreads, ()))
    return "\n".join(lines)


def _main(
    corpus: Annotated[Path, typer.Option(help="Corpus folder with index.json.")],
    out: Annotated[Path, typer.Option(help="Where to write the measures.")],
) -> None:
    """Measure how the people of a corpus move while they speak."""
    try:
        people = {name: measure_person(scenes) for name, scenes in read_scenes(corpus).items()}
        median = typical(list(people.values()))
        median.save(out)
    except (CorpusError, OSError) as error:
        print(f"engine.training.life: {error}", file=sys.stderr)
        raise typer.Exit(1) from error
    print(_table(people, median))
    print(f"{out}: {len(people)} people")


if __name__ == "__main__":
    typer.run(_main)
