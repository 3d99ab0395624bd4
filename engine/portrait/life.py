"""What a living face does by itself: blinks, glances, breath and a head that is never still.

`life` is a function of a seed and an absolute frame number. Chance comes from hashing (seed, kind,
number), so there is no state, no loop, and any frame can be asked for at any time.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from engine.config import TIMING
from engine.portrait.channels import CHANNELS, Channel
from engine.portrait.landmarks import Floats

# Blinks: one slot each, so that the gap is log-normal around the slot and never runs away.
_BLINK_SLOT_FRAMES = 85  # 3.4 s
_BLINK_SPREAD = 0.3  # of the logarithm of where in the slot the blink falls
_DOUBLE_SHARE = 0.08
_DOUBLE_AFTER_FRAMES = 9
_LIDS = (0.35, 0.9, 1.0, 0.8, 0.5, 0.22, 0.06)  # fast down, slower up

# Gaze: the eyes rest on a point for one slot, then jump.
_GAZE_SLOT_FRAMES = 34
_SACCADE_FRAMES = 2
_GAZE_LEFT, _GAZE_UP = 0.055, 0.03  # radians, standard deviations
_AWAY_SHARE = 0.45  # of the slots; in the others the eyes return to the viewer
_COUNTER_TURN = 0.26  # of the head's turn is undone by the eyes

# Slow waves: sums of noise whose knots are this far apart.
_HEAD_KNOTS_S = (2.9, 1.3)
_HEAD_SHARES = (0.85, 0.3)
_YAW, _PITCH, _ROLL = 0.030, 0.020, 0.016  # radians, about a standard deviation
_SHIFT = 0.08  # centimetres
_BROW = 0.03  # centimetres
_BREATH_HZ, _BREATH = 0.25, 0.06
_SPLINE_STD = 0.69  # of the spline through knots with standard deviation 1

# While speaking; an accent is loudness over its own slow mean.
_LOUDEST = 1.5
_ENERGY_RATE, _SLOW_RATE = 0.35, 0.04  # per frame
_NOD, _NOD_STIFFNESS, _NOD_DAMPING = 0.09, 0.10, 0.45  # radians per unit of accent
_BROW_RAISE, _BROW_RATE = 0.35, 0.25  # centimetres per unit of accent
_SWAY, _SWAY_SALT = 0.02, 0x5EED

_BLINK_TIME, _BLINK_DOUBLE, _GAZE_AWAY, _GAZE_X, _GAZE_Y, _GAZE_TIME, _BREATH_KIND = range(7)
_WAVE_KIND = 16  # and the following: two per wave
_WAVES = {
    Channel.YAW: _YAW,
    Channel.PITCH: _PITCH,
    Channel.ROLL: _ROLL,
    Channel.SHIFT_LEFT: _SHIFT,
    Channel.SHIFT_NEAR: _SHIFT,
    Channel.BROWS_UP: _BROW,
}
_MASK = (1 << 64) - 1


def life(seed: int, frame: int) -> Floats:
    """The channels [CHANNELS] of a face at rest in frame number `frame` (any whole number)."""
    channels = np.zeros(CHANNELS, np.float32)
    for number, (channel, amplitude) in enumerate(_WAVES.items()):
        channels[channel] = amplitude * _head_wave(seed, number, frame)
    channels[[Channel.BLINK_RIGHT, Channel.BLINK_LEFT]] = _lids(seed, frame)
    glance = _gaze(seed, frame)
    channels[Channel.GAZE_LEFT] = glance[0] - _COUNTER_TURN * channels[Channel.YAW]
    channels[Channel.GAZE_UP] = glance[1] - _COUNTER_TURN * channels[Channel.PITCH]
    channels[Channel.SHIFT_UP] = _BREATH * _breath(seed, frame)
    return channels


@dataclass(slots=True)
class SpeechLife:
    """Nods and raised brows that follow the voice. Add to `life`."""

    seed: int = 0
    _energy: float = 0.0
    _slow: float = 0.0
    _nod: float = 0.0
    _nod_speed: float = 0.0
    _brow: float = 0.0

    def push(self, loudness: float, frame: int) -> Floats:
        """Take the speech level of the next frame (0 silent, 1 usual); return channels.

        `frame` is the absolute frame of `life`, so that the sway goes on across a `reset`.
        """
        level = min(max(loudness, 0.0), _LOUDEST)
        self._energy += (level - self._energy) * _ENERGY_RATE
        self._slow += (level - self._slow) * _SLOW_RATE
        accent = max(self._energy - self._slow, 0.0)
        # A damped spring: stress pushes the head down, and it swings back without a jolt.
        pull = -_NOD * accent - self._nod
        self._nod_speed += pull * _NOD_STIFFNESS - self._nod_speed * _NOD_DAMPING
        self._nod += self._nod_speed
        self._brow += (accent * _BROW_RAISE - self._brow) * _BROW_RATE
        sway = self._slow * _head_wave(self.seed ^ _SWAY_SALT, 0, frame)
        channels = np.zeros(CHANNELS, np.float32)
        channels[Channel.PITCH] = self._nod
        channels[Channel.YAW] = _SWAY * sway
        channels[Channel.GAZE_UP] = -_COUNTER_TURN * self._nod
        channels[Channel.GAZE_LEFT] = -_COUNTER_TURN * _SWAY * sway
        channels[Channel.BROWS_UP] = self._brow
        return channels

    def reset(self) -> None:
        """Come to rest at once."""
        self._energy = self._slow = self._nod = self._nod_speed = self._brow = 0.0


def _chance(seed: int, kind: int, number: int) -> float:
    """A number in 0..1 that belongs to this place alone (SplitMix64, Steele et al. 2014)."""
    value = seed * 0x9E3779B97F4A7C15 + kind * 0xD1B54A32D192ED03 + number * 0x8CB92BA72F3D8DD7
    value &= _MASK
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        value = ((value ^ (value >> shift)) * factor) & _MASK
    return ((value ^ (value >> 31)) >> 11) / float(1 << 53)


def _bell(seed: int, kind: int, number: int) -> float:
    """Nearly normal with standard deviation 1, never beyond 3: the sum of three chances."""
    return 2 * sum(_chance(seed, kind + 1000 * part, number) for part in range(1, 4)) - 3


@lru_cache(maxsize=4096)
def _knot(seed: int, kind: int, number: int) -> float:
    return _bell(seed, kind, number)


def _wave(seed: int, kind: int, position: float) -> float:
    """Smooth noise with one knot per unit (cubic B-spline: no jump in place, speed or force)."""
    first = int(np.floor(position))
    t = position - first
    weights = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    knots = (_knot(seed, kind, first + offset) for offset in range(4))
    return sum(weight * knot for weight, knot in zip(weights, knots, strict=True)) / 6 / _SPLINE_STD


def _head_wave(seed: int, number: int, frame: int) -> float:
    return sum(
        share * _wave(seed, _WAVE_KIND + 2 * number + octave, frame * TIMING.frame_s / knot_s)
        for octave, (knot_s, share) in enumerate(zip(_HEAD_KNOTS_S, _HEAD_SHARES, strict=True))
    )


def _breath(seed: int, frame: int) -> float:
    """About -1..1, a quarter of a hertz, each breath a little different."""
    turns = frame * TIMING.frame_s * _BREATH_HZ
    drift = 0.12 * _wave(seed, _BREATH_KIND, turns / 3)
    depth = 1 + 0.15 * _wave(seed, _BREATH_KIND + 8, turns / 2)
    return float(np.sin(2 * np.pi * (turns + drift)) * np.clip(depth, 0.5, 1.4))


def _blink_frames(seed: int, slot: int) -> list[int]:
    """First frames of the blinks of one slot."""
    place = 0.5 * np.exp(_BLINK_SPREAD * _bell(seed, _BLINK_TIME, slot))
    first = slot * _BLINK_SLOT_FRAMES + int(min(place, 0.99) * _BLINK_SLOT_FRAMES)
    if _chance(seed, _BLINK_DOUBLE, slot) < _DOUBLE_SHARE:
        return [first, first + _DOUBLE_AFTER_FRAMES]
    return [first]


def _lids(seed: int, frame: int) -> float:
    """How closed the lids are, 0..1."""
    closed = 0.0
    slot = frame // _BLINK_SLOT_FRAMES
    for first in _blink_frames(seed, slot - 1) + _blink_frames(seed, slot):
        since = frame - first
        if 0 <= since < len(_LIDS):
            closed = max(closed, _LIDS[since])
    return closed


def _gaze(seed: int, frame: int) -> NDArray[np.float64]:
    """Where the eyes look, (left, up) in radians, head straight."""
    slot, within = divmod(frame, _GAZE_SLOT_FRAMES)
    jump = int(_chance(seed, _GAZE_TIME, slot) * (_GAZE_SLOT_FRAMES - _SACCADE_FRAMES))
    done = min(max((within - jump) / _SACCADE_FRAMES, 0.0), 1.0)
    return np.asarray((1 - done) * _fixation(seed, slot - 1) + done * _fixation(seed, slot))


def _fixation(seed: int, slot: int) -> NDArray[np.float64]:
    away = 1.0 if _chance(seed, _GAZE_AWAY, slot) < _AWAY_SHARE else 0.15
    return away * np.array(
        [_GAZE_LEFT * _bell(seed, _GAZE_X, slot), _GAZE_UP * _bell(seed, _GAZE_Y, slot)]
    )
