"""Held-out people as portraits, each speaking English and Spanish, as one picture to look at."""

import sys
from collections.abc import Mapping
from itertools import chain
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.filming import EngineProcess, FilmingError, Take
from benchmarks.phoned_speech import PhonedSpeech
from benchmarks.quality_pictures import one_clip_each, row_of
from benchmarks.quality_takes import Material, Studio, small
from benchmarks.tracking import Film
from engine.api import Picture, Samples
from engine.config import TIMING

_LANGUAGES = ("en-us", "es")
_PAIRS = 2  # closed and open, of each sentence


def face_sheet(studio: Studio, films: Mapping[str, Film], said: Material, out: Path) -> Picture:
    """One row for each of twelve people: the portrait, then closed and open lips in turn.

    Who cannot be a portrait (too small, turned away) is named on standard error and left out.
    """
    sound, moments = _script(said)
    people = out / "people"
    people.mkdir(exist_ok=True)
    takes = []
    for clip in one_clip_each(clip for clip in said.clips.values() if clip.name in films):
        picture = next(films[clip.name].pictures(1))
        portrait = people / f"{clip.identity}.png"
        Image.fromarray(picture).save(portrait)
        takes.append(Take(clip.identity, str(portrait), sound))

    def shown(process: EngineProcess, take: Take) -> Picture | None:
        try:
            pictures = {
                number: small(picture)
                for number, picture in enumerate(process.film(take))
                if number in moments
            }
        except FilmingError as error:
            print(error, file=sys.stderr)
            return None
        still = small(np.asarray(Image.open(take.portrait), np.uint8))
        return row_of([still, *(pictures[number] for number in moments)], take.name)

    rows = [row for row in studio.each(shown, takes, "faces") if row is not None]
    return np.concatenate(rows) if rows else np.zeros((1, 1, 3), np.uint8)


def _script(said: Material) -> tuple[Samples, list[int]]:
    """One sentence in each language, and the frames of some closures and open vowels."""
    parts, moments, begin = list[Samples](), list[int](), 0
    for language in _LANGUAGES:
        one = next(one for one in said.voices.values() if one.language == language)
        frames = -(-len(one.samples) // TIMING.samples_per_frame)
        padding = frames * TIMING.samples_per_frame - len(one.samples)
        parts.append(np.pad(one.samples, (0, padding)))
        moments += [begin + int(at_s * TIMING.frame_rate_hz) for at_s in _some(one)]
        begin += frames
    return np.concatenate(parts), moments


def _some(one: PhonedSpeech) -> list[float]:
    """Closures and open vowels in turn, from the middle of the sentence."""
    shut, opened = (times[len(times) // 2 :][:_PAIRS] for times in (one.shut_s, one.open_s))
    return list(chain.from_iterable(zip(shut, opened, strict=True)))
