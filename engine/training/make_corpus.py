"""A corpus from a folder of films of people who talk.

    python -m engine.training.make_corpus --videos FOLDER --out CORPUS

A film in a subfolder belongs to the identity that the subfolder is named for, others to one of
their own name. Its licence is the first line of the nearest file LICENCE or LICENSE, or stands in
`licences.json` at the top: {"film or folder": "licence"}. What is done is not done again; a film
that is of no use is named with its reason. Screen the corpus before you learn from it.
"""

import hashlib
import json
import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import av
import numpy as np
import soundfile
import typer

from engine.api import AvatarError, Samples
from engine.audio import SILENT_PEAK
from engine.config import TIMING
from engine.film_reader import DriverError
from engine.portrait.channels import measure_shape
from engine.portrait.geometry import Canonical, PoseSolver
from engine.portrait.landmarks import FaceLandmarker
from engine.training.corpus import CorpusError, lip_opening
from engine.training.face_films import (
    WatchedFilm,
    clip_pixels,
    clip_ranges,
    clip_square,
    points_in_square,
    read_sound,
    watch_film,
    write_crops,
)
from engine.training.screening import agreement, clear_lag, with_role

Entry: TypeAlias = dict[str, Any]

_SUFFIXES = {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ogv"}
_LICENCE_FILES = ("LICENCE", "LICENCE.txt", "LICENSE", "LICENSE.txt")
_LANDMARK_STEPS = 32  # stored steps per pixel
_CLEAR_FACE_PIXELS, _FRONTAL = 120.0, np.radians(20)
_MADE = "made.json"  # what became of each film


@dataclass(frozen=True, slots=True)
class Folders:
    """Where films are, and where the corpus grows."""

    videos: Path
    out: Path


def find_films(videos: Path) -> list[Path]:
    """Films below a folder in order. Raises `CorpusError` if there are none."""
    if not videos.is_dir():
        raise CorpusError(f"{videos}: no such folder, expected one with films of people who talk")
    found = [
        path
        for path in sorted(videos.rglob("*"))
        if path.is_file() and path.suffix.lower() in _SUFFIXES and not path.name.startswith(".")
    ]
    if not found:
        raise CorpusError(f"{videos}: holds no film, expected MP4, MOV, MKV or WebM")
    return found


def licence_of(videos: Path, film: Path) -> str | None:
    """What is said of the licence of a film: for itself, its folders, or beside it; or None."""
    inside = film.relative_to(videos)
    listed = _listed_licences(videos)
    for place in (inside, *inside.parents):
        if place.as_posix() in listed:
            return listed[place.as_posix()]
    for folder in (videos / parent for parent in inside.parents):
        for name in _LICENCE_FILES:
            if (folder / name).is_file():
                lines = (folder / name).read_text(errors="replace").strip().splitlines()
                return lines[0].strip() if lines else None
    return None


def make_corpus(folders: Folders) -> tuple[list[Entry], dict[str, str]]:
    """Work through all films; return the entries of all clips, and why films gave none.

    The index is written after each film. Raises `CorpusError` if no clip is left.
    """
    films = find_films(folders.videos)
    folders.out.mkdir(parents=True, exist_ok=True)
    for left_over in folders.out.glob("*.part*"):
        left_over.unlink()
    maker = _Maker(folders)
    made = _read_made(folders.out)
    known: dict[str, Any] = {}
    for film in films:
        name = film.relative_to(folders.videos).as_posix()
        state = _state(folders.videos, film)
        done = made.get(name)
        if done is None or done["state"] != state:
            done = {"state": state} | maker.work(film)
            print(f"{name}: {done['skipped'] or _counted(done['clips'])}", file=sys.stderr)
        known[name] = done
        _write_json(folders.out / _MADE, {**made, **known})
        _write_index(folders.out, known)
    _write_json(folders.out / _MADE, known)
    clips = [entry for done in known.values() for entry in done["clips"]]
    skipped = {name: done["skipped"] for name, done in known.items() if done["skipped"]}
    if not clips:
        raise CorpusError(f"{folders.videos}: no film is of use; {_reasons(skipped)}")
    return clips, skipped


class _Maker:
    def __init__(self, folders: Folders) -> None:
        self._folders = folders
        self._landmarker = FaceLandmarker()
        self._solver = PoseSolver(Canonical.load())

    def work(self, film: Path) -> dict[str, Any]:
        """The clips of a film, or the reason why there are none."""
        try:
            return {"clips": self._clips(film), "skipped": None}
        except AvatarError as error:
            return {"clips": [], "skipped": str(error).removeprefix(f"{film}: ")}

    def _clips(self, film: Path) -> list[Entry]:
        licence = licence_of(self._folders.videos, film)
        if not licence:
            raise DriverError("no licence stated, expected LICENCE beside it or licences.json")
        samples = read_sound(film)
        if float(np.abs(samples).max(initial=0.0)) < SILENT_PEAK:
            raise DriverError("no sound: silent from start to end")
        seen = watch_film(film, self._landmarker)
        pieces = clip_ranges(seen)
        if not pieces:
            raise DriverError("no scene with a face lasts a second")
        inside = film.relative_to(self._folders.videos)
        identity = _plain(inside.parts[0] if len(inside.parts) > 1 else film.stem)
        told = {"identity": identity, "licence": licence, "source": inside.as_posix()}
        name = _clip_name(inside)
        return [
            with_role(told | self._clip(film, seen, samples, (piece, f"{name}_{number:04d}")))
            for number, piece in enumerate(pieces)
        ]

    def _clip(
        self, film: Path, seen: WatchedFilm, samples: Samples, named: tuple[range, str]
    ) -> Entry:
        """Write the files of one clip, each whole or not there; return its entry."""
        frames, name = named
        part = slice(frames.start, frames.stop)
        square = clip_square(seen.points[part][seen.present[part]])
        pixels = clip_pixels(square)
        points = points_in_square(seen.points[part], square)
        posed = [self._solver.solve(one, pixels, pixels) for one in points]
        spoken = _padded(samples, frames)
        target = self._folders.out / name
        steps = np.round(points * _LANDMARK_STEPS).astype(np.int32)
        partial = target.with_name(f"{name}.part")
        with partial.open("wb") as file:
            np.savez_compressed(
                file,
                landmarks_delta=np.diff(steps, axis=0, prepend=0).astype(np.int16),
                pose=np.stack([one.pose for one in posed]).astype(np.float32),
                present=seen.present[part],
            )
        partial.replace(target.with_name(f"{name}.npz"))
        soundfile.write(partial, spoken, TIMING.sample_rate_hz, "PCM_16", format="FLAC")
        partial.replace(target.with_name(f"{name}.flac"))
        write_crops(film, seen.pictures[part], square, partial)
        partial.replace(target.with_name(f"{name}.mp4"))
        opening = lip_opening(
            measure_shape(np.stack([one.mesh for one in posed])).astype(np.float32)
        )
        yaw = float(np.median(np.abs([one.angles[0] for one in posed])))
        clear = seen.face_pixels >= _CLEAR_FACE_PIXELS and yaw < _FRONTAL
        return {
            "name": name,
            "kind": "real",
            "licence_class": "stated",
            "seconds": round(len(frames) * TIMING.frame_s, 2),
            "frames": len(frames),
            "video_px": pixels,
            "source_face_px": round(seen.face_pixels, 1),
            "tier": "A" if clear else "C",
            "av_lag": clear_lag(agreement(spoken, opening.astype(np.float64))),
        }


def _padded(samples: Samples, frames: range) -> Samples:
    """The sound of frames; silence where it ends before them."""
    size = TIMING.samples_per_frame
    spoken = samples[frames.start * size : frames.stop * size]
    return np.pad(spoken, (0, len(frames) * size - len(spoken)))


def _listed_licences(videos: Path) -> dict[str, str]:
    file = videos / "licences.json"
    if not file.is_file():
        return {}
    try:
        listed = json.loads(file.read_text())
    except ValueError as error:
        raise CorpusError(f"{file}: not JSON ({error})") from error
    if not isinstance(listed, dict) or not all(isinstance(one, str) for one in listed.values()):
        raise CorpusError(f'{file}: expected {{"film or folder": "licence"}}')
    return listed


def _read_made(out: Path) -> dict[str, Any]:
    file = out / _MADE
    made: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {}
    return made


def _state(videos: Path, film: Path) -> list[int | str | None]:
    """What must be the same for a film not to be worked on again."""
    known = film.stat()
    return [known.st_size, known.st_mtime_ns, licence_of(videos, film)]


def _write_index(out: Path, known: dict[str, Any]) -> None:
    clips = [entry for done in known.values() for entry in done["clips"]]
    if clips:
        _write_json(out / "index.json", {"clips": clips})


def _write_json(path: Path, what: Any) -> None:
    partial = path.with_name(f"{path.name}.part")
    partial.write_text(json.dumps(what, ensure_ascii=False))
    partial.replace(path)


def _clip_name(inside: Path) -> str:
    """A name for files that two films never share, however alike their names."""
    digest = hashlib.sha256(inside.as_posix().encode()).hexdigest()
    return f"{_plain(inside.with_suffix('').as_posix())}_{digest[:6]}"


def _plain(words: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", words).strip("_") or "film"


def _counted(clips: list[Entry]) -> str:
    return f"{len(clips)} clips, {sum(entry['seconds'] for entry in clips):.0f} s"


def _reasons(skipped: dict[str, str]) -> str:
    return "; ".join(f"{name}: {reason}" for name, reason in skipped.items())


def _main(
    videos: Annotated[Path, typer.Option(help="Folder with films of people who talk.")],
    out: Annotated[Path, typer.Option(help="The corpus folder to make or to go on with.")],
) -> None:
    """Make a corpus from films; goes on where it was stopped."""
    try:
        clips, skipped = make_corpus(Folders(videos, out))
    except (CorpusError, OSError, av.FFmpegError) as error:
        print(f"engine.training.make_corpus: {error}", file=sys.stderr)
        raise typer.Exit(1) from error
    for name, reason in skipped.items():
        print(f"skipped {name}: {reason}")
    people = Counter(entry["identity"] for entry in clips)
    licences = Counter(entry["licence"] for entry in clips)
    print(
        json.dumps(
            {
                "clips": len(clips),
                "people": len(people),
                "skipped": len(skipped),
                "licences": licences,
            }
        )
    )


if __name__ == "__main__":
    typer.run(_main)
