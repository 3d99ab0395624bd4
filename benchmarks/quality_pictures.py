"""Contact sheets and curves of the quality benchmark.

They show faces of other people's clips: keep them out of the repository.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from benchmarks.curves import Floats
from benchmarks.quality_findings import ClipScore
from benchmarks.quality_takes import KEPT_PIXELS, Performance, small
from benchmarks.tracking import Film
from engine.api import Picture
from engine.config import TIMING
from engine.training.corpus import TalkingClip, lip_opening

COLUMNS = 8
_PEOPLE = 12
_CAPTION_PIXELS = 14
_CURVES = 9


def telling_frames(clip: TalkingClip) -> list[int]:
    """In each eighth of a clip the most open or, in turn, the most closed frame of the truth."""
    opening = lip_opening(clip.mouth)
    borders = np.linspace(0, len(opening), COLUMNS + 1).astype(int)
    return [
        int(start + (np.argmax if number % 2 == 0 else np.argmin)(opening[start:end]))
        for number, (start, end) in enumerate(pairwise(borders))
    ]


def one_clip_each(clips: Iterable[TalkingClip]) -> list[TalkingClip]:
    """The first clip of each person, of at most twelve people from all over the corpus."""
    people = {clip.identity: clip for clip in reversed(list(clips))}
    first = list(reversed(people.values()))
    places = np.unique(np.linspace(0, len(first) - 1, _PEOPLE).round().astype(int))
    return [first[place] for place in places] if first else []


def clip_sheet(
    seen: Sequence[Performance], films: Mapping[str, Film], clips: Sequence[TalkingClip]
) -> Picture:
    """True frames above the rendered ones; as far as there are `films`."""
    by_name = {one.take.name: one for one in seen}
    rows = []
    for clip in clips:
        frames = telling_frames(clip)
        blank = np.zeros((KEPT_PIXELS, KEPT_PIXELS, 3), np.uint8)
        true = _picked(films[clip.name], frames) if clip.name in films else {}
        kept = by_name[clip.name].kept
        truth = [true.get(number, blank) for number in range(len(frames))]
        rows += [
            _captioned(np.concatenate(truth, axis=1), f"{clip.name}: true"),
            np.concatenate([kept.get(frame, blank) for frame in frames], axis=1),
        ]
    return np.concatenate(rows)


def row_of(pictures: Sequence[Picture], caption: str) -> Picture:
    """Small pictures side by side under a line of text."""
    return _captioned(np.concatenate(pictures, axis=1), caption)


def save_sheet(picture: Picture, path: Path) -> None:
    """Write a picture file that is whole or not there."""
    partial = path.with_name(f"part-{path.name}")
    Image.fromarray(picture).save(partial)
    partial.replace(path)


def save_curves(
    scores: Sequence[ClipScore], others: Mapping[str, Sequence[ClipScore]], path: Path
) -> None:
    """Openings over time of the best, the usual and the worst clips, each curve in its own size."""
    ranked = sorted(scores, key=lambda one: -one.opening.at_once)
    places = np.unique(np.linspace(0, len(ranked) - 1, _CURVES).round().astype(int))
    figure = Figure(figsize=(14, 2.1 * len(places)), layout="constrained")
    axes = np.atleast_1d(figure.subplots(len(places), 1))
    by_name = {
        name: {one.clip: one for one in rival_scores} for name, rival_scores in others.items()
    }
    for plot, place in zip(axes, places, strict=True):
        one = ranked[place]
        time_s = np.arange(len(one.truth)) * TIMING.frame_s
        plot.plot(time_s, _in_own_size(one.truth), "k", label="true", linewidth=1.6)
        label = f"rendered, r {one.opening.at_once:.2f}"
        plot.plot(time_s, _in_own_size(one.curve), "C3", label=label)
        for number, (name, rivals) in enumerate(by_name.items()):
            if one.clip in rivals:
                rival = rivals[one.clip]
                label = f"{name}, r {rival.opening.at_once:.2f}"
                style = f"C{number}:"
                plot.plot(time_s, _in_own_size(rival.curve), style, label=label, linewidth=1)
        plot.set_title(f"{one.clip} on {one.portrait}", fontsize=9, loc="left")
        plot.legend(fontsize=7, loc="upper right", ncols=4)
        plot.set_yticks([])
    axes[-1].set_xlabel("seconds")
    partial = path.with_name(f"part-{path.name}")
    figure.savefig(partial, dpi=80)
    partial.replace(path)


def _in_own_size(curve: Floats) -> Floats:
    size = float(curve.std())
    return (curve - curve.mean()) / size if size > 0 else curve * 0


def _picked(film: Film, frames: Sequence[int]) -> dict[int, Picture]:
    """Frames of a film by their place in the list."""
    wanted = {frame: number for number, frame in enumerate(frames)}
    return {
        wanted[frame]: small(picture)
        for frame, picture in enumerate(film.pictures(max(frames) + 1))
        if frame in wanted
    }


def _captioned(picture: Picture, text: str) -> Picture:
    line: NDArray[np.uint8] = np.full((_CAPTION_PIXELS, picture.shape[1], 3), 255, np.uint8)
    cv2.putText(line, text, (3, 11), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (0, 0, 0), 1, cv2.LINE_AA)
    return np.concatenate([line, picture])
