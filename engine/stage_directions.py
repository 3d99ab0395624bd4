"""From what a command line says to a direction and a script. No torch.

What is given is looked at at once, so that mistakes show before an engine is loaded.
"""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from pathlib import Path
from typing import Any

from engine.api import Avatar, AvatarError
from engine.config import TIMING
from engine.direction import Direction, Pose
from engine.keyframes import parse_pose, read_keyframes
from engine.repertoire import repertoire
from engine.script import Motion, Script

_READER = "engine.portrait.reference_video"  # loaded only where a film is given: it takes a second


class MouthFrom(StrEnum):
    """What moves the mouth where a reference video is given."""

    AUDIO = "audio"
    VIDEO = "video"
    MIX = "mix"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What was asked for, as it was written."""

    pose: str | None = None
    pose_file: Path | None = None
    gestures: Sequence[str] = ()  # name@seconds
    reference_video: Path | None = None
    own_video: bool = False
    mouth_from: MouthFrom = MouthFrom.AUDIO
    mouth_mix: float = 0.5
    direction: Direction  # emotion and strengths


@dataclass(frozen=True, slots=True)
class Plan:
    """What shall be done, and what the one who asked should know."""

    direction: Direction
    script: Callable[[Avatar], Script]
    notes: tuple[str, ...]


def plan(wishes: Wishes) -> Plan:
    """Read strings and files. Raises `AvatarError`."""
    repertoire().emotion(wishes.direction.emotion)
    direction, notes = wishes.direction.limited()
    poses, more = _poses(wishes)
    notes += more
    gestures = parse_gestures(wishes.gestures)
    driven, share = None, _mouth_share(wishes)
    if wishes.reference_video is not None:
        reader = importlib.import_module(_READER)
        video = reader.read_reference_video(wishes.reference_video)
        notes += video.notes
        driven = _driver_of(reader, video, is_own=wishes.own_video)

    def script(avatar: Avatar) -> Script:
        driver = None if driven is None else driven(avatar)
        return Script(poses, gestures, driver, share)

    return Plan(direction, script, notes)


def parse_gestures(written: Sequence[str]) -> dict[int, tuple[str, ...]]:
    """Gestures as `name@seconds` -> names by frame. Raises `AvatarError`."""
    found: dict[int, tuple[str, ...]] = {}
    for text in written:
        name, _, time = text.partition("@")
        repertoire().gesture(name.strip())
        try:
            time_s = float(time)
        except ValueError:
            time_s = -1.0
        if not isfinite(time_s) or time_s < 0:
            raise AvatarError(f"gesture {text!r}: expected name@seconds, such as nod@1.5")
        frame = round(time_s * TIMING.frame_rate_hz)
        found[frame] = (*found.get(frame, ()), name.strip())
    return found


def _mouth_share(wishes: Wishes) -> float:
    if wishes.reference_video is None and (
        wishes.own_video or wishes.mouth_from is not MouthFrom.AUDIO
    ):
        raise AvatarError("--own_video and --mouth_from: expected together with --reference_video")
    if not 0 <= wishes.mouth_mix <= 1:
        raise AvatarError(f"--mouth_mix {wishes.mouth_mix}: expected 0 (audio) to 1 (video)")
    shares = {MouthFrom.AUDIO: 0.0, MouthFrom.VIDEO: 1.0, MouthFrom.MIX: wishes.mouth_mix}
    return shares[wishes.mouth_from]


def _poses(wishes: Wishes) -> tuple[Callable[[float], Pose] | None, tuple[str, ...]]:
    if wishes.pose is not None and wishes.pose_file is not None:
        raise AvatarError("--pose and --pose_file: expected one of the two")
    if wishes.pose is not None:
        pose, notes = parse_pose(wishes.pose)
        return _held(pose), notes
    if wishes.pose_file is not None:
        track, notes = read_keyframes(wishes.pose_file)
        return track.at, notes
    return None, ()


def _held(pose: Pose) -> Callable[[float], Pose]:
    return lambda _: pose


def _driver_of(
    reader: Any, video: Any, *, is_own: bool
) -> Callable[[Avatar], Callable[[int], Motion]]:
    def driver(avatar: Avatar) -> Callable[[int], Motion]:
        made: Callable[[int], Motion] = reader.drive_avatar(video, avatar, is_own=is_own)
        return made

    return driver
