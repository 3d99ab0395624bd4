"""What the rendered face does, measured again by the landmark networks.

    python -m benchmarks.quality --corpus ../shared/corpus [--quick] [--record]

Bundled portraits speak every held-out clip, sentences with known phones, and then nothing; their
frames are measured as any film would be. The engine's own numbers are never used. Beside it stand
an older engine (`--previous`, a git revision, a checkout or "none"), a mouth driven by loudness,
and the true films looked at once more. Pictures go to `--out`.
"""

import hashlib
import json
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2
import typer

from benchmarks.control_report import report
from benchmarks.filming import FilmingError, older_checkout
from benchmarks.harness import ROOT, finish, result
from benchmarks.quality_faces import face_sheet
from benchmarks.quality_findings import Findings, engine_findings, loudness_findings, true_findings
from benchmarks.quality_pictures import (
    clip_sheet,
    one_clip_each,
    save_curves,
    save_sheet,
    telling_frames,
)
from benchmarks.quality_table import LOUDNESS, OLDER, OURS, TRUE, show, values
from benchmarks.quality_takes import FULL, QUICK, Material, Performance, Plan, Studio, material
from benchmarks.tracking import TRACK_VERSION, Film, FilmError, Track, watched
from engine.api import AvatarError
from engine.portraits import bundled_portraits
from engine.training.corpus import CorpusError, read_corpus

MOTION_V1 = "d098286"  # the last commit with the first motion network
OUT = Path("build/quality")
_JOBS = 2  # engines at work at a time, each watched by a thread of its own
_COMPARED = ("clips", "voices", "quiet", "pause", "still")


@dataclass(frozen=True, slots=True)
class Settings:
    """How the benchmark is run."""

    out: Path  # pictures, prepared portraits and kept measures
    previous: str  # a git revision, a checkout or none
    plan: Plan


def measure(corpus: Path, settings: Settings) -> tuple[dict[str, Findings], Material]:
    """Film and judge everything, and draw the pictures."""
    portraits = list(bundled_portraits())[: settings.plan.portraits]
    said = material(read_corpus(corpus, "eval", settings.out), settings.plan, portraits)
    films = true_films(corpus, said)
    real = true_tracks(films, said, settings)
    found, seen = {}, dict[str, list[Performance]]()
    with Studio(ROOT, settings.out / "scenes", settings.plan.size, _JOBS) as studio:
        seen = _film(studio, said, tuple(said.takes), OURS)
        if settings.plan is FULL:
            save_sheet(face_sheet(studio, films, said, settings.out), settings.out / "faces.png")
    found[OURS] = engine_findings(seen, said, real)
    found |= _older(settings, said, real)
    found |= {LOUDNESS: loudness_findings(said), TRUE: true_findings(real, said)}
    sheet = clip_sheet(seen["clips"], films, one_clip_each(said.clips.values()))
    save_sheet(sheet, settings.out / "clips.png")
    others = {name: one.clips for name, one in found.items() if name != OURS}
    save_curves(found[OURS].clips, others, settings.out / "curves.png")
    return found, said


def true_films(corpus: Path, said: Material) -> dict[str, Film]:
    """The films of the corpus that are there, for the clips that are spoken."""
    entries = json.loads((corpus / "index.json").read_text())["clips"]
    lags = {entry["name"]: int(entry["av_lag"]) for entry in entries}
    films = {name: Film(corpus / f"{name}.mp4", max(lags[name], 0)) for name in said.clips}
    missing = [name for name, film in films.items() if not film.path.is_file()]
    if missing:
        print(f"{len(missing)} clips have no film, such as {missing[0]}.mp4", file=sys.stderr)
    return {name: film for name, film in films.items() if name not in missing}


def true_tracks(films: Mapping[str, Film], said: Material, settings: Settings) -> dict[str, Track]:
    """The true films as the landmark networks see them, in step with the sound; kept in `out`."""

    def one(name: str) -> tuple[str, Track | None]:
        film, frames = films[name], len(said.clips[name].mouth)
        source = (str(film.path.resolve()), film.path.stat().st_size, film.first_frame, frames)
        digest = hashlib.sha256(repr((TRACK_VERSION, *source)).encode()).hexdigest()
        kept = settings.out / f"true-{digest[:16]}.npz"
        if kept.is_file():
            return name, Track.load(kept)
        try:
            track = watched(film.pictures(frames))
        except FilmError as error:
            print(f"{name}: {error}", file=sys.stderr)
            return name, None
        track.save(kept)
        print(f"true film: {name}", file=sys.stderr, flush=True)
        return name, track

    with ThreadPoolExecutor(_JOBS) as workers:
        tracks = dict(workers.map(one, films))
    return {name: track for name, track in tracks.items() if track is not None}


def _film(
    studio: Studio, said: Material, kinds: tuple[str, ...], title: str
) -> dict[str, list[Performance]]:
    keep = {name: telling_frames(clip) for name, clip in said.clips.items()}
    return {kind: studio.perform(said.takes[kind], f"{title}, {kind}", keep) for kind in kinds}


def _older(settings: Settings, said: Material, real: Mapping[str, Track]) -> dict[str, Findings]:
    """The same of an older engine, if there is one. The life of the face is not compared."""
    if settings.previous == "none":
        return {}
    try:
        folder = older_checkout(settings.previous, settings.out)
    except FilmingError as error:
        print(f"no older engine to compare with: {error}", file=sys.stderr)
        return {}
    with Studio(folder, settings.out / "older_scenes", settings.plan.size, _JOBS) as studio:
        return {OLDER: engine_findings(_film(studio, said, _COMPARED, OLDER), said, real)}


def main(
    corpus: Annotated[Path, typer.Option(help="Corpus folder with index.json.")],
    out: Annotated[Path, typer.Option(help="For pictures and kept measures.")] = OUT,
    previous: Annotated[
        str, typer.Option(help="Older engine: a git revision, a checkout, or none.")
    ] = MOTION_V1,
    control: Annotated[
        bool, typer.Option(help="Measure instead whether the portrait does what it is told.")
    ] = False,
    quick: Annotated[bool, typer.Option(help="A few seconds of each: a trial.")] = False,
    record: Annotated[bool, typer.Option(help="Append to benchmarks/results.")] = False,
) -> None:
    """Measure the rendered face on held-out speech and in silence."""
    cv2.setNumThreads(1)
    out.mkdir(parents=True, exist_ok=True)
    try:
        if control:
            numbers = report(corpus, out / "control", is_quick=quick)
            finish(result("control", {"quick": quick, **numbers}), record=record)
            return
        found, said = measure(corpus, Settings(out, previous, QUICK if quick else FULL))
    except (AvatarError, CorpusError) as error:
        print(f"benchmarks.quality: {error}", file=sys.stderr)
        raise typer.Exit(1) from error
    show(found)
    print(f"pictures in {out}")
    finish(result("quality", {"quick": quick, **values(found, said)}), record=record)


if __name__ == "__main__":
    typer.run(main)
