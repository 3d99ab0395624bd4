"""Poses over time: one pose as a string, or a file of keyframes in JSON or CSV. No torch.

JSON is a list of objects, CSV a table with a header; both name `time` in seconds, any of yaw,
pitch, roll, x, y and scale, and `easing`: how the pose moves from this key to the next.
"""

import csv
import json
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from math import isfinite
from pathlib import Path
from typing import Any

from engine.api import AvatarError
from engine.direction import Pose

MAX_KEYS = 100_000
_NAMES = tuple(item.name for item in fields(Pose))
_LEAST_NUMBERS = 3
_FORM = "yaw,pitch,roll[,x,y,scale]"


class Easing(StrEnum):
    """How a pose goes to the next one."""

    SMOOTH = "smooth"  # at rest in each key
    LINEAR = "linear"
    HOLD = "hold"  # jumps when the next key comes


class KeyframeError(AvatarError):
    """A pose or a file of keyframes that cannot be read."""


@dataclass(frozen=True, slots=True)
class Key:
    """A pose at a time."""

    time_s: float
    pose: Pose
    easing: Easing = Easing.SMOOTH


class PoseTrack:
    """Keys in the order of time; before the first and after the last one they hold."""

    def __init__(self, keys: list[Key]) -> None:
        if not keys:
            raise KeyframeError("no keys, expected at least one")
        self.keys = keys
        self._times_s = [key.time_s for key in keys]

    def at(self, time_s: float) -> Pose:
        """The pose at a time."""
        after = bisect_right(self._times_s, time_s)
        if after in {0, len(self.keys)}:
            return self.keys[-1 if after else 0].pose
        one, two = self.keys[after - 1], self.keys[after]
        share = (time_s - one.time_s) / (two.time_s - one.time_s)
        if one.easing is Easing.HOLD:
            return one.pose
        if one.easing is Easing.SMOOTH:
            share *= share * (3 - 2 * share)
        return Pose(
            *(
                getattr(one.pose, name)
                + share * (getattr(two.pose, name) - getattr(one.pose, name))
                for name in _NAMES
            )
        )


def parse_pose(text: str) -> tuple[Pose, tuple[str, ...]]:
    """A pose as `yaw,pitch,roll[,x,y,scale]`, inside the limits, and notes of what was limited.

    Raises `KeyframeError`.
    """
    parts = [part.strip() for part in text.split(",")]
    if not _LEAST_NUMBERS <= len(parts) <= len(_NAMES):
        raise KeyframeError(f"pose {text!r}: expected {_FORM}")
    try:
        return Pose(*(float(part) for part in parts)).limited()
    except ValueError as error:
        raise KeyframeError(f"pose {text!r}: expected {_FORM}, finite numbers") from error


def read_keyframes(path: Path) -> tuple[PoseTrack, tuple[str, ...]]:
    """Keys of a file, sorted and inside the limits, and notes of what was changed.

    Raises `KeyframeError`.
    """
    rows = _rows(path)
    if not 0 < len(rows) <= MAX_KEYS:
        raise KeyframeError(f"{path}: {len(rows)} keys, expected 1 to {MAX_KEYS}")
    notes: list[str] = []
    keys: list[Key] = []
    for number, row in enumerate(rows, start=1):
        key, limited = _key(f"{path}: key {number}", row)
        notes += [f"{path}: key {number}: {note}" for note in limited]
        keys.append(key)
    ordered = sorted(keys, key=lambda key: key.time_s)
    if ordered != keys:
        notes.append(f"{path}: the keys were not in the order of time: sorted")
    last = {key.time_s: key for key in ordered}
    if len(last) < len(ordered):
        notes.append(f"{path}: several keys at one time: the last one of each counts")
    return PoseTrack(list(last.values())), tuple(notes)


def _rows(path: Path) -> list[Mapping[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() == ".csv":
            rows: Any = [_without_blanks(row) for row in csv.DictReader(text.splitlines())]
        else:
            rows = json.loads(text)
    except (OSError, ValueError, csv.Error) as error:
        raise KeyframeError(f"{path}: cannot be read as JSON or CSV ({error})") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise KeyframeError(f"{path}: expected a list of keys such as {{'time': 0, 'yaw': 5}}")
    return rows


def _without_blanks(row: Mapping[str | None, Any]) -> dict[str, Any]:
    return {str(name).strip(): text for name, text in row.items() if text not in {None, ""}}


def _key(where: str, row: Mapping[str, Any]) -> tuple[Key, tuple[str, ...]]:
    surplus = sorted(row.keys() - {"time", "easing", *_NAMES})
    if surplus:
        expected = ", ".join(("time", *_NAMES, "easing"))
        raise KeyframeError(f"{where}: {surplus[0]!r}: expected only {expected}")
    if "time" not in row:
        raise KeyframeError(f"{where}: no time, expected seconds from the start")
    values = {name: _number(where, name, row[name]) for name in ("time", *_NAMES) if name in row}
    time_s = values.pop("time")
    easing = str(row.get("easing", Easing.SMOOTH)).strip().lower()
    if easing not in list(Easing):
        raise KeyframeError(f"{where}: easing {easing!r}: expected one of: {', '.join(Easing)}")
    pose, notes = Pose(**values).limited()
    return Key(time_s, pose, Easing(easing)), notes


def _number(where: str, name: str, given: object) -> float:
    try:
        value = float(given) if isinstance(given, int | float | str) else float("nan")
    except ValueError:
        value = float("nan")
    if not isfinite(value):
        raise KeyframeError(f"{where}: {name} {given!r}: expected a finite number")
    return value
