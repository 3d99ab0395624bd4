"""The five ways to let a film move a portrait's face points, compared on films of people.

    python -m benchmarks.vexpress_retarget --corpus CORPUS

Every driver moves every bundled portrait. No network but the landmarks' runs: what is measured is
what would be drawn for V-Express. Where the driver looks ahead, the drawn face should have the
portrait's own proportions, size and place.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.control import pearson
from benchmarks.curves import Floats
from engine.api import AvatarError
from engine.portrait.landmarks import FaceLandmarker
from engine.portraits import bundled_portraits
from engine.vexpress.driver import follow_film
from engine.vexpress.head_film import HeadFilm, read_head_film
from engine.vexpress.keypoints import find_face, points_from_landmarks
from engine.vexpress.kps import Points, fit_track
from engine.vexpress.retarget import Strategy, face_size, retarget
from engine.vexpress.solid_face import SolidFace

SIDE, RATE_HZ, SECONDS = 512, 25, 8.0
_AHEAD_DEGREES = 3.0  # from the driver's rest


@dataclass(frozen=True, slots=True)
class Drawn:
    """How one strategy draws one portrait that follows one driver."""

    proportion: float  # % by which eye distance over its distance to the nose is not the portrait's
    size: float  # % by which the eye distance is not the portrait's
    place: float  # % of the eye distance by which the face is not where the portrait has it
    yaw: float  # correlation of the nose's place between the eyes with the driver's yaw
    pitch: float  # of the nose's distance from the eyes with the driver's pitch
    jitter: float  # % of the eye distance, change of change from frame to frame


@dataclass(frozen=True, slots=True)
class Driver:
    """A film, seen both ways."""

    name: str
    track: Points  # [frames, 3, 2]
    head: HeadFilm


def measure(drawn: Points, own: Points, head: HeadFilm) -> Drawn:
    """Measure face points [frames, 3, 2] of a portrait that has them at `own`."""
    poses = head.poses[: len(drawn)].astype(np.float64)
    drawn = drawn[: len(poses)].astype(np.float64)
    ahead = np.abs(poses[:, :2]).max(axis=1) <= _AHEAD_DEGREES
    across, along, turn = (np.array(one) for one in zip(*map(_shape, drawn), strict=True))
    own_across, own_along, _ = _shape(own)
    apart = np.linalg.norm(drawn.mean(axis=1) - own.mean(axis=0), axis=1)
    bends = np.linalg.norm(np.diff(drawn, 2, axis=0), axis=2)

    def off(values: Floats, wanted: float) -> float:
        return 100 * float(np.median(np.abs(values[ahead] / wanted - 1)))

    return Drawn(
        proportion=off(across / along, own_across / own_along),
        size=off(across, own_across),
        place=100 * float(np.median(apart[ahead])) / own_across,
        yaw=pearson(turn, poses[:, 0]),
        pitch=pearson(-along / across, poses[:, 1]),
        jitter=100 * float(np.median(bends)) / own_across,
    )


def _shape(face: Floats | Points) -> tuple[float, float, float]:
    """Eye distance, distance from it to the nose, and where between the eyes the nose stands."""
    left, right, nose = face.astype(np.float64)
    line = right - left
    share = float((nose - left) @ line / (line @ line))
    return (*face_size(face.astype(np.float32)), share)


def drawn_ways(own: Points, solid: SolidFace, driver: Driver) -> Iterator[tuple[Strategy, Points]]:
    """The portrait's face points [frames, 3, 2] by every strategy."""
    frames = len(driver.track)
    for strategy in Strategy:
        if strategy is Strategy.POSE_RETARGET:
            yield strategy, driver.head.move(solid, frames, Fraction(RATE_HZ))
        else:
            yield strategy, retarget(strategy, own, driver.track, published_frame=False)


def read_drivers(corpus: Path, most: int) -> Iterator[Driver]:
    """Films of different people that are never trained on."""
    landmarker, seen = FaceLandmarker(), set[str]()
    for entry in json.loads((corpus / "index.json").read_text())["clips"]:
        if entry["role"] != "eval" or entry["kind"] != "real" or entry["identity"] in seen:
            continue
        path = corpus / f"{entry['name']}.mp4"
        try:
            track = follow_film(path, landmarker, (SIDE, SIDE), SECONDS)
            head = read_head_film(path, SECONDS)
        except AvatarError as error:
            print(f"left out: {error}")
            continue
        seen.add(entry["identity"])
        frames = round(len(track.points) * RATE_HZ / track.frame_rate_hz)
        if len(head.poses) >= frames - 1:  # neither cut nor lost
            yield Driver(entry["name"], fit_track(track.points, frames), head)
        if len(seen) == most:
            return


def main(
    corpus: Annotated[Path, typer.Option(help="A folder of films with an index.json.")],
    most: Annotated[int, typer.Option(help="Drivers, each another person.")] = 6,
) -> None:
    """Print one row for each strategy: medians over all pairs of driver and portrait."""
    landmarker, taken = FaceLandmarker(), dict[Strategy, list[Drawn]]()
    faces = [find_face(landmarker, picture, SIDE, SIDE) for picture in bundled_portraits().values()]
    drivers = list(read_drivers(corpus, most))
    for driver in drivers:
        for face in faces:
            own = points_from_landmarks(face.points)
            solid = SolidFace.of_face(own, face, SIDE, SIDE)
            for strategy, drawn in drawn_ways(own, solid, driver):
                taken.setdefault(strategy, []).append(measure(drawn, own, driver.head))
    names = [one.name for one in fields(Drawn)]
    print(f"{'strategy':16}" + "".join(f"{name:>12}" for name in names))
    numbers = dict[str, dict[str, float]]()
    for strategy, rows in taken.items():
        medians = {name: float(np.median([getattr(row, name) for row in rows])) for name in names}
        numbers[strategy] = {name: round(value, 3) for name, value in medians.items()}
        print(f"{strategy:16}" + "".join(f"{value:12.2f}" for value in medians.values()))
    print(json.dumps({"drivers": len(drivers), "portraits": len(faces)} | numbers))


if __name__ == "__main__":
    typer.run(main)
