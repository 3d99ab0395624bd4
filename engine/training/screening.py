"""Which clips of a corpus are fit to learn from, and why the others are not.

    python -m engine.training.screening --corpus FOLDER --out build/training/screened

Makes a corpus folder with the clips that pass (links to their files, every field of their entries
kept, licence and source too) and `refused.json` with a reason for each of the others. Entries
without a role get one by identity, so that no person is on both sides.
"""

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import numpy as np
import soundfile
import typer

from engine.api import Samples
from engine.config import TIMING
from engine.portrait.channels import measure_shape
from engine.portrait.geometry import Canonical, Doubles, PoseSolver
from engine.portrait.mel import HOPS_PER_FRAME, MelStream
from engine.training.corpus import CorpusError, lip_opening
from engine.training.evaluate import correlation

Entry: TypeAlias = dict[str, Any]

_SHORTEST_S = 1.0
_LOST_SHARE = 0.1  # of the frames without a face
_SPEECH_SHARE = 0.15  # of the frames
_SILENT_LEVEL = 0.001  # root mean square, -60 dB of full scale
_FARTHEST_LAG, _NEAR_LAG = 12, 2  # frames
_LEAST_LENGTHS = 8  # of a lag in a clip: in less, words agree by chance
_SURELY_ALIKE, _CLEARLY_BETTER = 0.5, 0.3  # correlations
_LANDMARK_STEPS = 32  # stored steps per pixel
_HELD_OUT_PERCENT = 10
_NEEDED = ("identity", "licence", "video_px", "av_lag")


def screen(folder: Path) -> tuple[list[Entry], dict[str, str]]:
    """The entries of a corpus that pass, and the reason why each of the others does not.

    Raises `CorpusError` if there is no corpus, or nothing in it is fit.
    """
    entries = _entries(folder)
    solver = PoseSolver(Canonical.load())
    fit, refused = list[Entry](), dict[str, str]()
    for place, entry in enumerate(entries):
        reason = reason_against(folder, entry, solver)
        if reason is None:
            fit.append(with_role(entry))
        else:
            refused[str(entry.get("name", f"clip {place}"))] = reason
    if not fit:
        raise CorpusError(f"{folder}: every clip is refused: {_counted(refused)}")
    return fit, refused


def reason_against(folder: Path, entry: Entry, solver: PoseSolver) -> str | None:
    """Why a clip is not fit to learn from; None if it is."""
    missing = [field for field in ("name", *_NEEDED) if entry.get(field) in {None, ""}]
    if missing:
        return f"the index does not state its {' or '.join(missing)}"
    files = [folder / f"{entry['name']}{ending}" for ending in (".npz", ".flac")]
    absent = [file.name for file in files if not file.is_file()]
    if absent:
        return f"no file {absent[0]}"
    try:
        samples, rate_hz = soundfile.read(files[1], dtype="float32")
        points, present = _landmarks(files[0])
    except (OSError, ValueError, KeyError, soundfile.SoundFileError) as error:
        return f"unreadable: {error}"
    if samples.ndim != 1 or rate_hz != TIMING.sample_rate_hz:
        return f"sound of {rate_hz} Hz: expected mono at {TIMING.sample_rate_hz} Hz"
    return (
        _against_length(len(present), samples)
        or _against_face(present)
        or _against_sound(samples)
        or _against_sync(samples, _opening(solver, points, entry), int(entry["av_lag"]))
    )


def with_role(entry: Entry) -> Entry:
    """The entry with a role; if it has none, by its identity, so that people are not divided."""
    if entry.get("role"):
        return entry
    place = int(hashlib.sha256(str(entry["identity"]).encode()).hexdigest(), 16) % 100
    return {**entry, "role": "eval" if place < _HELD_OUT_PERCENT else "ship"}


def write_screened(
    folder: Path, out: Path, fit: Sequence[Entry], refused: Mapping[str, str]
) -> None:
    """Make the corpus folder `out`; its index comes last, so that it is whole or not there."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "index.json").unlink(missing_ok=True)
    (out / "refused.json").write_text(json.dumps(refused, indent=1, ensure_ascii=False))
    for entry in fit:
        for file in folder.glob(f"{entry['name']}.*"):
            link = out / file.name
            link.unlink(missing_ok=True)
            link.symlink_to(file.resolve())
    partial = out / "index.json.part"
    partial.write_text(json.dumps({"clips": list(fit)}))
    partial.replace(out / "index.json")


def _entries(folder: Path) -> list[Entry]:
    index = folder / "index.json"
    if not index.is_file():
        raise CorpusError(f"{folder}: expected a corpus folder with index.json")
    entries: list[Entry] = json.loads(index.read_text())["clips"]
    if not entries:
        raise CorpusError(f"{index}: the corpus is empty")
    names = Counter(entry["name"] for entry in entries if "name" in entry)
    twice = [str(name) for name, count in names.items() if count > 1]
    if twice:
        raise CorpusError(f"{index}: {twice[0]} is there twice")
    return entries


def _landmarks(file: Path) -> tuple[Doubles, np.ndarray[Any, np.dtype[np.bool_]]]:
    with np.load(file) as arrays:
        steps = np.cumsum(arrays["landmarks_delta"], axis=0, dtype=np.int32)
        return steps / _LANDMARK_STEPS, arrays["present"]


def _opening(solver: PoseSolver, points: Doubles, entry: Entry) -> Doubles:
    side = int(entry["video_px"])
    meshes = [solver.solve(frame.astype(np.float32), side, side).mesh for frame in points]
    shape = measure_shape(np.stack(meshes))
    return lip_opening(shape.astype(np.float32)).astype(np.float64)


def _against_length(frames: int, samples: Samples) -> str | None:
    seconds = min(frames * TIMING.frame_s, len(samples) / TIMING.sample_rate_hz)
    return f"too short: {seconds:.1f} s" if seconds < _SHORTEST_S else None


def _against_face(present: np.ndarray[Any, np.dtype[np.bool_]]) -> str | None:
    if not present.any():
        return "no face in any frame"
    lost = 1 - float(present.mean())
    return f"the face is lost in {lost:.0%} of the frames" if lost > _LOST_SHARE else None


def _against_sound(samples: Samples) -> str | None:
    if float(np.sqrt((samples**2).mean())) < _SILENT_LEVEL:
        return "no sound"
    share = float((MelStream().push(samples).excess_db > 0).mean())
    return f"no speech: sound in {share:.0%} of the time" if share < _SPEECH_SHARE else None


def agreement(samples: Samples, opening: Doubles) -> dict[int, float]:
    """How well loudness and lips [frames] agree, by how many frames the lips come later."""
    hops = MelStream().push(samples).loudness
    frames = min(len(opening), len(hops) // HOPS_PER_FRAME)
    loud = hops[: frames * HOPS_PER_FRAME].reshape(frames, -1).mean(axis=1).astype(np.float64)
    return {
        lag: _at_lag(opening[:frames], loud, lag)
        for lag in range(-_FARTHEST_LAG, _FARTHEST_LAG + 1)
        if abs(lag) <= frames // _LEAST_LENGTHS
    }


def clear_lag(by_lag: Mapping[int, float]) -> int:
    """The lag at which sound and lips surely agree; 0 where nothing is sure."""
    best = max(by_lag, key=lambda lag: by_lag[lag])
    return best if by_lag[best] >= _SURELY_ALIKE else 0


def _against_sync(samples: Samples, opening: Doubles, stated: int) -> str | None:
    """Only what surely is out of step: loudness follows the lips of fluent speech but weakly."""
    by_lag = agreement(samples, opening)
    near = max((r for lag, r in by_lag.items() if abs(lag - stated) <= _NEAR_LAG), default=0.0)
    best = clear_lag(by_lag)
    if by_lag[best] >= _SURELY_ALIKE and by_lag[best] - near > _CLEARLY_BETTER:
        return f"out of sync: sound and lips agree at {best} frames, stated is {stated}"
    return None


def _at_lag(opening: Doubles, loud: Doubles, lag: int) -> float:
    late, early = max(lag, 0), max(-lag, 0)
    return correlation(opening[late : len(opening) - early], loud[early : len(loud) - late])


def _counted(refused: Mapping[str, str]) -> str:
    kinds = Counter(reason.split(":")[0] for reason in refused.values())
    return ", ".join(f"{count} x {kind}" for kind, count in kinds.most_common())


def _main(
    corpus: Annotated[Path, typer.Option(help="Corpus folder with index.json.")],
    out: Annotated[Path, typer.Option(help="The corpus folder to make.")],
) -> None:
    """Leave out the clips of a corpus that are not fit to learn from, and say why."""
    try:
        fit, refused = screen(corpus)
        write_screened(corpus, out, fit, refused)
    except (CorpusError, OSError) as error:
        print(f"engine.training.screening: {error}", file=sys.stderr)
        raise typer.Exit(1) from error
    for name, reason in refused.items():
        print(f"{name}: {reason}")
    licences = Counter(str(entry["licence"]) for entry in fit if entry["role"] == "ship")
    print(json.dumps({"fit": len(fit), "refused": len(refused), "licences": dict(licences)}))


if __name__ == "__main__":
    typer.run(_main)
