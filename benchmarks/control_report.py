"""`python -m benchmarks.quality --control`: does the portrait do what it is told?

Reference films of people who are never trained on drive a bundled portrait; all is measured again
from frames. Contact sheets show faces of others: keep them out of the repository.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from benchmarks.control import Following
from benchmarks.control_sheet import direction_sheet
from benchmarks.control_takes import STRENGTHS, Axis, ControlStudio, DrivenTake
from benchmarks.harness import Value
from benchmarks.tracking import FilmError
from engine.api import AvatarError, Picture
from engine.film_reader import DriverError

FEW, MANY = 2, 8
_FOLLOWS, _DROP, _BLINK_FRAMES, _SEAM = 0.95, 0.03, 1, 1.5  # goals


def report(corpus: Path, out: Path, *, is_quick: bool) -> dict[str, Value | Mapping[str, Value]]:
    """Film, measure, draw, print a table; returns the numbers of the last line.

    A film that nobody can be followed in is named and left out. Raises `DriverError` if none is
    left.
    """
    out.mkdir(parents=True, exist_ok=True)
    studio = ControlStudio(corpus, out / "scenes")
    print(
        f"{'driver':32} {'yaw':>6} {'of':>5} {'pitch':>6} {'of':>5} {'lids':>6} {'lag':>4} "
        f"{'blinks':>7} {'of':>3} {'lips':>13} {'seam':>5} {'silent':>6}"
    )
    takes = list(_takes(studio, FEW if is_quick else MANY))
    if not takes:
        raise DriverError(f"{corpus}: no film in which somebody can be followed")
    trembling = studio.trembling_degrees()
    openings = studio.openings()
    _save_sheet([row for take in takes for row in take.rows], out / "driven.png")
    _save_sheet([pictures for _, pictures, _ in openings], out / "strength.png")
    _save_sheet(direction_sheet(studio), out / "direction.png")
    _save_curves(takes, out / "curves.png")
    _save_openings([(strength, parts) for strength, _, parts in openings], out / "opening.png")
    numbers = _numbers(takes, [parts for _, _, parts in openings])
    numbers |= {"still_yaw_degrees": trembling[0], "still_pitch_degrees": trembling[1]}
    print(f"pictures: {out}", file=sys.stderr)
    return numbers


def _takes(studio: ControlStudio, most: int) -> Iterator[DrivenTake]:
    for name in studio.drivers(most):
        try:
            take = studio.drive(name)
        except (AvatarError, FilmError) as error:
            print(f"{name:32} left out: {error}", flush=True)
            continue
        print(_line(take), flush=True)
        yield take


def _line(take: DrivenTake) -> str:
    angles = [_of(take.yaw), _of(take.pitch), f"{take.lids.correlation:6.3f}"]
    lags = [one.lag_frames for one in _followed(take)]
    prompt, same = take.blinks.prompt, take.same_blinks.prompt
    blinks = f"{prompt}/{take.blinks.driver_blinks} {same:3}"
    lips = f"{take.lips_alone:.2f} -> {take.lips_driven:.2f}"
    lag = max(lags, key=abs, default=0)
    seams = f"{take.seam:5.2f} {take.silent_seam:6.2f}"
    return f"{take.name:32} {' '.join(angles)} {lag:4} {blinks:>11} {lips:>13} {seams}"


def _of(axis: Axis | None) -> str:
    return f"{axis.found.correlation:6.3f} {axis.ceiling:5.3f}" if axis else f"{'-':>6} {'-':>5}"


def _followed(take: DrivenTake) -> tuple[Following, ...]:
    return *(axis.found for axis in (take.yaw, take.pitch) if axis), take.lids


def _numbers(
    takes: Sequence[DrivenTake], parts: Sequence[float]
) -> dict[str, Value | Mapping[str, Value]]:
    yaws = [take.yaw for take in takes if take.yaw]
    pitches = [take.pitch for take in takes if take.pitch]
    drop = float(np.mean([take.lips_alone - take.lips_driven for take in takes]))
    blinks = sum(take.blinks.driver_blinks for take in takes)
    numbers: dict[str, Value | Mapping[str, Value]] = {
        "drivers": len(takes),
        "yaw_correlation": _median([one.found.correlation for one in yaws]),
        "yaw_ceiling": _median([one.ceiling for one in yaws]),
        "pitch_correlation": _median([one.found.correlation for one in pitches]),
        "pitch_ceiling": _median([one.ceiling for one in pitches]),
        "lids_correlation": _median([take.lids.correlation for take in takes]),
        "largest_lag_frames": max(abs(one.lag_frames) for take in takes for one in _followed(take)),
        "blinks": blinks,
        "blinks_found": sum(take.blinks.found for take in takes),
        "blinks_prompt": sum(take.blinks.prompt for take in takes),
        "blinks_prompt_ceiling": sum(take.same_blinks.prompt for take in takes),
        "blink_latest_frames": max(take.blinks.latest_frames for take in takes),
        "lips_drop": round(drop, 3),
        "loop_seam": _median([take.seam for take in takes]),
        "loop_seam_silent": _median([take.silent_seam for take in takes]),
        "openings_cm": {str(one): part for one, part in zip(STRENGTHS, parts, strict=True)},
        "opening_grows": bool((np.diff(parts) > 0).all()),
    }
    print(
        f"goals: correlations >= {_FOLLOWS}, lag 0, blinks within {_BLINK_FRAMES} frame, "
        f"lips drop <= {_DROP}, seam < {_SEAM}, opening grows"
    )
    return numbers


def _median(values: Sequence[float]) -> float | None:
    return round(float(np.median(values)), 3) if values else None


def _save_sheet(rows: Sequence[Sequence[Picture]], path: Path) -> None:
    lines = [np.concatenate(row, axis=1) for row in rows]
    Image.fromarray(np.concatenate(lines)).save(path)


def _save_curves(takes: Sequence[DrivenTake], path: Path) -> None:
    figure = Figure(figsize=(10, 2.2 * len(takes)), layout="constrained")
    for plot, take in zip(figure.subplots(len(takes), 2, squeeze=False), takes, strict=True):
        for axis, (number, title) in zip(plot, ((0, "yaw"), (1, "pitch")), strict=True):
            for track, label in ((take.driver, "driver"), (take.output, "portrait")):
                angle = np.degrees(track.angles[:, number])
                axis.plot(angle - np.median(angle), label=label, linewidth=1)
            axis.set_title(f"{take.name}: {title}, degrees from the median", fontsize=7)
            axis.tick_params(labelsize=6)
        plot[0].legend(fontsize=6)
    figure.savefig(path, dpi=90)


def _save_openings(points: Sequence[tuple[float, float]], path: Path) -> None:
    figure = Figure(figsize=(5, 3), layout="constrained")
    axis = figure.subplots()
    axis.plot(*zip(*points, strict=True), marker="o")
    axis.set_xlabel("expression strength")
    axis.set_ylabel("lips part by, cm")
    axis.grid(alpha=0.3)
    figure.savefig(path, dpi=90)
