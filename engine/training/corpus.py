"""Talking clips on disk to sound and mouth channels.

A corpus is a folder with `index.json`; each clip has landmarks (`NAME.npz`) and sound
(`NAME.flac`), frame k beside samples [640 k, 640 k + 640). What is expensive to measure is cached.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import savgol_filter

from engine.api import Samples
from engine.config import TIMING
from engine.portrait.channels import MOUTH, Channel, measure_shape
from engine.portrait.geometry import Canonical, Doubles, PoseSolver
from engine.portrait.landmarks import Floats

Role = Literal["ship", "eval"]

_LANDMARK_STEPS = 32  # stored steps per pixel
_SMOOTHING_FRAMES, _SMOOTHING_ORDER = 5, 2
_REST_SHARE = 0.15  # of the frames, those with the smallest opening, are the closed mouth
_OWN_REST_S = 8.0  # shorter clips share the rest of their identity
_PRIOR_FRAMES = 250.0  # what the common amplitude counts against a person's own


class CorpusError(Exception):
    """The corpus is missing, empty or not what it should be."""


@dataclass(frozen=True, slots=True)
class Phone:
    """One spoken sound."""

    name: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class TalkingClip:
    """Sound and the mouth that made it: frame k belongs to samples [640 k, 640 k + 640)."""

    name: str
    identity: str
    kind: str  # real or synthetic
    samples: Samples
    mouth: Floats  # [frames, 9] centimetres from the person's rest
    phones: tuple[Phone, ...] = ()

    @property
    def seconds(self) -> float:
        """Length."""
        return len(self.mouth) * TIMING.frame_s


def read_corpus(folder: Path, role: Role, cache: Path) -> list[TalkingClip]:
    """All clips of one role, in the order of the index."""
    entries = corpus_entries(folder, role)
    measures = _measures(folder, entries, cache)
    rests = _rests(entries, measures)
    return [
        _clip(folder, entry, measures[entry["name"]] - rests[entry["name"]]) for entry in entries
    ]


def read_meshes(folder: Path, role: Role) -> dict[str, Doubles]:
    """The pose-free meshes [frames, 468, 3] of every identity, all its clips in a row."""
    solver = PoseSolver(Canonical.load())
    people: defaultdict[str, list[Doubles]] = defaultdict(list)
    for entry in corpus_entries(folder, role):
        meshes, present = _meshes(solver, folder, entry)
        people[entry["identity"]].append(meshes[present])
    return {identity: np.concatenate(clips) for identity, clips in people.items()}


def amplitudes(clips: Iterable[TalkingClip]) -> tuple[Floats, dict[str, Floats]]:
    """How far mouths move: channel std [9] of a typical person, and of each identity."""
    groups: defaultdict[str, list[Floats]] = defaultdict(list)
    for clip in clips:
        groups[clip.identity].append(clip.mouth)
    frames = {identity: np.concatenate(mouths) for identity, mouths in groups.items()}
    common = np.median([mouth.std(0) for mouth in frames.values()], axis=0).astype(np.float32)
    own = {}
    for identity, mouth in frames.items():
        total = len(mouth) * mouth.var(0) + _PRIOR_FRAMES * common**2
        own[identity] = np.sqrt(total / (len(mouth) + _PRIOR_FRAMES)).astype(np.float32)
    return common, own


def lip_opening(mouth: Floats) -> Floats:
    """Lip gap [...] over that at rest, in centimetres, of mouth channels [..., 9]."""
    return np.asarray(mouth[..., Channel.UPPER_LIP_UP] + mouth[..., Channel.LOWER_LIP_DOWN])


def corpus_entries(folder: Path, role: Role) -> list[dict[str, Any]]:
    """The index' entries of one role."""
    index = folder / "index.json"
    if not index.is_file():
        raise CorpusError(f"{folder}: expected a corpus folder with index.json")
    entries = [entry for entry in json.loads(index.read_text())["clips"] if entry["role"] == role]
    if not entries:
        raise CorpusError(f"{index}: no clip has the role {role!r}")
    return entries


def read_landmarks(folder: Path, entry: dict[str, Any]) -> tuple[Floats, NDArray[np.bool_]]:
    """Landmarks [frames, 478, 3] of a clip in pixels, and where a face was seen [frames]."""
    with np.load(folder / f"{entry['name']}.npz") as arrays:
        steps = np.cumsum(arrays["landmarks_delta"], axis=0, dtype=np.int32)
        present = arrays["present"]
    return (steps / _LANDMARK_STEPS).astype(np.float32), present


def _measures(folder: Path, entries: Sequence[dict[str, Any]], cache: Path) -> dict[str, Doubles]:
    """Absolute mouth measures [frames, 9] of every clip."""
    names = "\n".join(f"{entry['name']} {entry['frames']}" for entry in entries)
    kept = cache / f"measures-{hashlib.sha256(names.encode()).hexdigest()[:12]}.npz"
    if kept.is_file():
        with np.load(kept) as arrays:
            return {name: arrays[name] for name in arrays.files}
    solver = PoseSolver(Canonical.load())
    measured = {entry["name"]: _measure(solver, folder, entry) for entry in entries}
    cache.mkdir(parents=True, exist_ok=True)
    partial = kept.with_suffix(".part.npz")
    np.savez(partial, **measured)  # type: ignore[arg-type]  # numpy's own stub names only `allow_pickle`
    partial.replace(kept)
    return measured


def _meshes(
    solver: PoseSolver, folder: Path, entry: dict[str, Any]
) -> tuple[Doubles, NDArray[np.bool_]]:
    """Pose-free meshes [frames, 468, 3], and where a face was seen at all [frames]."""
    points, present = read_landmarks(folder, entry)
    side = int(entry["video_px"])
    return np.stack([solver.solve(frame, side, side).mesh for frame in points]), present


def _measure(solver: PoseSolver, folder: Path, entry: dict[str, Any]) -> Doubles:
    meshes, present = _meshes(solver, folder, entry)
    shape = measure_shape(meshes)[:, MOUTH]
    known, frames = np.flatnonzero(present), np.arange(len(shape))
    return np.stack([np.interp(frames, known, channel[known]) for channel in shape.T], 1)


def _rests(entries: Sequence[dict[str, Any]], measures: dict[str, Doubles]) -> dict[str, Doubles]:
    """The measure of the closed mouth [9] for each clip."""
    by_identity = defaultdict(list)
    for entry in entries:
        by_identity[entry["identity"]].append(measures[entry["name"]])
    return {
        entry["name"]: _rest(
            measures[entry["name"]]
            if entry["seconds"] >= _OWN_REST_S
            else np.concatenate(by_identity[entry["identity"]])
        )
        for entry in entries
    }


def _rest(shape: Doubles) -> Doubles:
    gap = lip_opening(shape.astype(np.float32))
    return np.asarray(np.median(shape[gap <= np.quantile(gap, _REST_SHARE)], axis=0))


def _clip(folder: Path, entry: dict[str, Any], mouth: Doubles) -> TalkingClip:
    """Smooth lightly, and shift by the clip's lag: motion[k + lag] belongs to sound[k]."""
    samples, _ = soundfile.read(folder / f"{entry['name']}.flac", dtype="float32")
    smooth = savgol_filter(mouth, _SMOOTHING_FRAMES, _SMOOTHING_ORDER, axis=0).astype(np.float32)
    lag, size = int(entry["av_lag"]), TIMING.samples_per_frame
    late_frames = max(-lag, 0)  # of sound that has no motion yet
    smooth = smooth[max(lag, 0) :]
    samples = samples[late_frames * size :]
    frames = min(len(smooth), len(samples) // size)
    shift_s = late_frames * TIMING.frame_s
    phones = tuple(
        Phone(name, start - shift_s, end - shift_s) for name, start, end in entry.get("phones", ())
    )
    return TalkingClip(
        entry["name"],
        entry["identity"],
        entry["kind"],
        samples[: frames * size],
        smooth[:frames],
        phones,
    )
