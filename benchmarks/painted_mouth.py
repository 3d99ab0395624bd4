"""How true painted mouths are, on people that no weights have seen: painted against plain layers.

    python -m benchmarks.painted_mouth --corpus FOLDER [--sheet FILE.png] [--record]

Each person's portrait is a frame with closed lips. The engine's own renderer moves it as the film
does; mouths are compared with the film's in the crop that the network sees, the skull held still.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.harness import Value, finish, result
from benchmarks.picture_features import FeatureDistance
from engine.api import BadPictureError, Framing, Picture, PortraitOptions
from engine.portrait.channels import CHANNELS, SHAPE, measure_shape
from engine.portrait.geometry import Doubles, PoseSolver
from engine.portrait.landmarks import Floats
from engine.portrait.mouth_crop import cut_crop, opening_mask
from engine.portrait.mouth_painter import WEIGHTS_PATH, MouthModel
from engine.portrait.prepare import Preparer
from engine.portrait.renderer import Renderer, Scene
from engine.training.corpus import corpus_entries, read_landmarks
from engine.training.mouth_data import closed_frame, read_pictures, same_view, skull_map

_FRAMES = 75  # in which the widest opening is looked for
_AROUND_FRAMES = 24  # around it are rendered
_STEP = 3  # of those, every third is compared
_OPEN_SHARE = 0.004  # of the crop: smaller openings show nothing
_STILL_FRAMES = 4  # a mouth that hardly moves for so long should not flicker
_STILL_PIXELS = 0.6  # of its crop, that lips may move in that time
_RIM = 7  # crop pixels around the opening that count, too
_SHOWN = 4  # openings of each person on the sheet
KINDS = ("layers", "painted")


@dataclass(frozen=True, slots=True)
class Frame:
    """One moment: crops [128, 128, 3] of the film and of what was rendered, and the opening."""

    true: Picture
    made: dict[str, Picture]
    opening: Picture  # [128, 128], 255 inside
    lips: Doubles  # [points, 2] crop pixels


@dataclass(frozen=True, slots=True)
class Person:
    """All compared frames of one identity."""

    name: str
    still: Picture
    frames: list[Frame]


def people(corpus: Path, weights: Path) -> Iterator[Person]:
    """The first usable clip of every held-out identity."""
    preparer, model = Preparer.load(), MouthModel.load(weights)
    done = set[str]()
    for entry in corpus_entries(corpus, "eval"):
        if entry["identity"] in done:
            continue
        person = _person(corpus, entry, preparer, model)
        if person is not None:
            done.add(entry["identity"])
            yield person


def _person(
    corpus: Path, entry: dict[str, Any], preparer: Preparer, model: MouthModel
) -> Person | None:
    seen, present = read_landmarks(corpus, entry)
    pictures = read_pictures(corpus / f"{entry['name']}.mp4", _FRAMES)
    points = seen[: len(pictures)].astype(np.float64)
    first = closed_frame(points, np.flatnonzero(present[: len(pictures)]).astype(np.int64))
    try:
        scene = preparer.scene(pictures[first], PortraitOptions(framing=Framing.FULL))
    except BadPictureError:
        return None
    side, size = int(entry["video_px"]), scene.still.shape[0]
    solver = PoseSolver(preparer.canonical)
    shapes = measure_shape(
        np.stack([solver.solve(frame.astype(np.float32), side, side).mesh for frame in points])
    )
    renderers = {
        "layers": Renderer(scene),
        "painted": Renderer(scene, model.painter(scene.look)),
    }
    frames = []
    for index in _around_widest(points):
        if not present[index] or not same_view(points[first], points[index]):
            continue
        motion = np.zeros(CHANNELS, np.float32)
        motion[SHAPE] = shapes[index] - shapes[first] - scene.rig.rest
        crop = _enlarged(skull_map(points[first], points[index]), scene, size / side)
        made = {
            name: cut_crop(renderer.render(motion), scene.look.crop)
            for name, renderer in renderers.items()
        }
        lips = (points[index, :, :2] - crop[:, 2]) @ np.linalg.inv(crop[:, :2]).T
        frames.append(Frame(cut_crop(pictures[index], crop), made, opening_mask(lips), lips))
    return Person(entry["identity"], scene.look.colour, frames) if frames else None


def _around_widest(points: Doubles) -> range:
    """The frames around the widest opening of landmarks [frame, 478, 3]."""
    widest = int(np.argmax(np.linalg.norm(points[:, 13] - points[:, 14], axis=-1)))
    start = int(np.clip(widest - _AROUND_FRAMES // 2, 0, max(0, len(points) - _AROUND_FRAMES)))
    return range(start, min(start + _AROUND_FRAMES, len(points)))


def _enlarged(skull: Doubles, scene: Scene, scale: float) -> Doubles:
    """The map from crop to film pixels: the still is the film's frame, `scale` times as large."""
    crop = scene.look.crop.astype(np.float64)
    crop[:, :2] /= scale
    crop[:, 2] = (crop[:, 2] + 0.5) / scale - 0.5
    return np.column_stack([skull[:, :2] @ crop[:, :2], skull[:, :2] @ crop[:, 2] + skull[:, 2]])


def _region(opening: Picture) -> Floats:
    """The opening and its rim, [128, 128, 1]."""
    return np.asarray(cv2.dilate(opening, np.ones((_RIM, _RIM), np.uint8)), np.float32)[
        ..., None
    ] / np.float32(255)


def errors(frame: Frame, kind: str, distance: FeatureDistance) -> dict[str, float]:
    """Colour, gradient and feature error of one mouth against the film's."""
    region = _region(frame.opening)
    true, made = frame.true.astype(np.float32), frame.made[kind].astype(np.float32)
    off = made - true
    total = float(region.sum()) * 3
    slopes = [np.diff(off * region, axis=axis) for axis in (0, 1)]
    return {
        "l1": float(np.abs(off * region).sum()) / total,
        "gradient": float(sum(np.abs(slope).sum() for slope in slopes)) / total,
        "sharpness": _sharpness(made, region) / max(_sharpness(true, region), 1e-6),
        "features": distance.between(frame.true, frame.made[kind], region[..., 0]),
    }


def _sharpness(picture: Floats, region: Floats) -> float:
    bend = cv2.Laplacian(picture, cv2.CV_32F)
    return float(np.abs(bend * region).sum() / region.sum())


def flicker(frames: Sequence[Frame], crops: Sequence[Picture]) -> list[float]:
    """Temporal std, in grey levels, of each stretch in which the film's open mouth stays still."""
    found = []
    for start in range(0, len(frames) - _STILL_FRAMES + 1):
        part = frames[start : start + _STILL_FRAMES]
        lips = np.stack([frame.lips[[13, 14, 61, 291]] for frame in part])
        if np.ptp(lips, axis=0).max() > _STILL_PIXELS * _STILL_FRAMES / 2 or not _is_open(part[0]):
            continue
        region = _region(part[0].opening)
        stack = np.stack(crops[start : start + _STILL_FRAMES]).astype(np.float32)
        found.append(float((stack.std(0) * region).sum() / region.sum() / 3))
    return found


def _is_open(frame: Frame) -> bool:
    return float(frame.opening.mean()) / 255 > _OPEN_SHARE


def sheet(shown: Sequence[Person]) -> Picture:
    """Per person a row: the still, then film, layers and painted mouth at rising openings."""
    rows = []
    for person in shown:
        ranked = sorted(person.frames, key=lambda frame: int(frame.opening.sum()))
        chosen = [ranked[round(share * (len(ranked) - 1))] for share in np.linspace(0.3, 1, _SHOWN)]
        crops = [person.still]
        for frame in chosen:
            crops += [frame.true, *(frame.made[kind] for kind in KINDS)]
        rows.append(np.concatenate(crops, 1))
    return np.concatenate(rows)


def main(
    corpus: Annotated[Path, typer.Option(help="Corpus folder with index.json.")],
    sheets: Annotated[Path | None, typer.Option(help="Folder for pictures of all people.")] = None,
    weights: Annotated[Path, typer.Option(help="Of the mouth network.")] = WEIGHTS_PATH,
    record: Annotated[bool, typer.Option(help="Keep the line.")] = False,
) -> None:
    """Measure and print."""
    distance = FeatureDistance()
    sums: dict[str, dict[str, list[float]]] = {kind: defaultdict(list) for kind in KINDS}
    still: dict[str, list[float]] = defaultdict(list)
    everyone = []
    for person in people(corpus, weights):
        everyone.append(person)
        for kind in KINDS:
            scores = [
                errors(frame, kind, distance) for frame in person.frames[::_STEP] if _is_open(frame)
            ]
            for name in scores[0] if scores else ():
                sums[kind][name].append(float(np.mean([score[name] for score in scores])))
            still[kind] += flicker(person.frames, [frame.made[kind] for frame in person.frames])
        still["film"] += flicker(person.frames, [frame.true for frame in person.frames])
    table = Table(title=f"Mouths of {len(everyone)} people never trained on")
    for heading in ("", "l1", "gradient", "features", "sharpness", "flicker"):
        table.add_column(heading)
    values: dict[str, Value] = {"people": len(everyone)}
    for kind in KINDS:
        row = {name: float(np.mean(column)) for name, column in sums[kind].items()}
        row["flicker"] = float(np.mean(still[kind]))
        values |= {f"{kind}_{name}": value for name, value in row.items()}
        columns = ("l1", "gradient", "features", "sharpness", "flicker")
        table.add_row(kind, *(f"{row[name]:.3f}" for name in columns))
    values["film_flicker"] = float(np.mean(still["film"]))
    table.add_row("film", "0", "0", "0", "1", f"{values['film_flicker']:.3f}")
    Console().print(table)
    if sheets is not None:
        sheets.mkdir(parents=True, exist_ok=True)
        for number, start in enumerate(range(0, len(everyone), 10)):
            Image.fromarray(sheet(everyone[start : start + 10])).save(sheets / f"{number}.png")
    finish(result("painted_mouth", values), record=record)


if __name__ == "__main__":
    typer.run(main)
