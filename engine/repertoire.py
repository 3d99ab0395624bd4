"""The emotions and gestures that have names: a table that anybody may edit, read once.

Torch-free. Values are kept in the units of the motion channels: degrees become radians here.
"""

import tomllib
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from math import isfinite, radians
from pathlib import Path
from typing import Any

from engine.api import AvatarError, UnknownEmotionError, UnknownGestureError

TABLE_PATH = Path(__file__).parent / "repertoire.toml"
NEUTRAL = "neutral"
MAX_GESTURE_S = 10.0

CENTIMETRE_CHANNELS = (
    "jaw_open", "upper_lip_up", "lower_lip_down", "mouth_wide", "pucker", "corners_up",
    "mouth_left", "upper_lip_thick", "lower_lip_thick", "brows_up",
    "shift_left", "shift_up", "shift_near",
)  # fmt: skip
SHARE_CHANNELS = ("blink_right", "blink_left")
ANGLE_CHANNELS = ("gaze_left", "gaze_up", "yaw", "pitch", "roll")
_SCALES = dict.fromkeys((*CENTIMETRE_CHANNELS, *SHARE_CHANNELS), 1.0) | dict.fromkeys(
    ANGLE_CHANNELS, radians(1)
)


@dataclass(frozen=True, slots=True)
class Curve:
    """One channel of a gesture: smooth between points, at rest in each, 0 before and after."""

    times_s: tuple[float, ...]
    values: tuple[float, ...]

    def at(self, time_s: float) -> float:
        """The value at a time since the gesture began."""
        after = bisect_right(self.times_s, time_s)
        if after in {0, len(self.times_s)}:
            return 0.0
        start_s, end_s = self.times_s[after - 1], self.times_s[after]
        share = (time_s - start_s) / (end_s - start_s)
        share *= share * (3 - 2 * share)
        return self.values[after - 1] + share * (self.values[after] - self.values[after - 1])


@dataclass(frozen=True, slots=True)
class Gesture:
    """A short movement, added to what the face does."""

    curves: Mapping[str, Curve]  # by channel

    @property
    def length_s(self) -> float:
        """How long it takes."""
        return max(curve.times_s[-1] for curve in self.curves.values())

    def at(self, time_s: float) -> dict[str, float]:
        """Offsets of channels at a time since it began."""
        return {name: curve.at(time_s) for name, curve in self.curves.items()}


@dataclass(frozen=True, slots=True)
class Repertoire:
    """Everything that has a name."""

    emotions: Mapping[str, Mapping[str, float]]  # offsets of channels, by emotion
    gestures: Mapping[str, Gesture]

    def emotion(self, name: str) -> Mapping[str, float]:
        """Offsets of channels. Raises `UnknownEmotionError`."""
        if name not in self.emotions:
            known = ", ".join(self.emotions)
            raise UnknownEmotionError(f"emotion {name!r}: expected one of: {known}")
        return self.emotions[name]

    def gesture(self, name: str) -> Gesture:
        """A movement. Raises `UnknownGestureError`."""
        if name not in self.gestures:
            known = ", ".join(self.gestures)
            raise UnknownGestureError(f"gesture {name!r}: expected one of: {known}")
        return self.gestures[name]


@cache
def repertoire() -> Repertoire:
    """The table of this program. Raises `AvatarError` if somebody broke it."""
    return read_repertoire(TABLE_PATH)


def read_repertoire(path: Path) -> Repertoire:
    """Read a table. Raises `AvatarError` that says where it is wrong."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise AvatarError(f"{path}: not a readable table ({error})") from error
    surplus = sorted(table.keys() - {"emotions", "gestures"})
    if surplus:
        raise AvatarError(f"{path}: {surplus[0]!r}: expected only emotions and gestures")
    emotions = {
        name: {channel: _number(path, name, channel, value) for channel, value in one.items()}
        for name, one in _tables(path, table, "emotions").items()
    }
    gestures = {
        name: Gesture({channel: _curve(path, name, channel, one[channel]) for channel in one})
        for name, one in _tables(path, table, "gestures").items()
    }
    if emotions.get(NEUTRAL) != {}:
        raise AvatarError(f"{path}: emotion {NEUTRAL!r}: expected it, and empty")
    if not all(gesture.curves for gesture in gestures.values()):
        raise AvatarError(f"{path}: a gesture without any channel, expected at least one")
    return Repertoire(emotions, gestures)


def _tables(path: Path, table: Mapping[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    named = table.get(kind, {})
    if not isinstance(named, dict) or not all(isinstance(one, dict) for one in named.values()):
        raise AvatarError(f"{path}: {kind}: expected tables such as [{kind}.name]")
    return named


def _number(path: Path, name: str, channel: str, value: object) -> float:
    where = f"{path}: {name}.{channel}"
    if channel not in _SCALES:
        raise AvatarError(f"{where}: unknown channel, expected one of: {', '.join(_SCALES)}")
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise AvatarError(f"{where}: {value!r}: expected a number")
    return value * _SCALES[channel]


def _curve(path: Path, name: str, channel: str, points: object) -> Curve:
    where = f"{path}: {name}.{channel}"
    if not isinstance(points, list) or not all(_is_pair(point) for point in points):
        raise AvatarError(f"{where}: expected a list of [seconds, value]")
    numbers = [[_number(path, name, channel, number) for number in point] for point in points]
    times = tuple(float(point[0]) for point in points)
    values = tuple(pair[1] for pair in numbers)
    rises = all(first < second for first, second in pairwise(times))
    if not times or times[0] != 0 or not rises or times[-1] > MAX_GESTURE_S:
        raise AvatarError(f"{where}: expected times from 0, rising, to {MAX_GESTURE_S:g} s at most")
    if values[0] != 0 or values[-1] != 0:
        raise AvatarError(f"{where}: expected to begin and end at 0")
    return Curve(times, values)


def _is_pair(point: object) -> bool:
    return isinstance(point, list) and len(point) == len(("seconds", "value"))
