"""What a living face does by itself: blinks, glances, breath and a head that is never still.

`life` is a function of a seed and an absolute frame number. Chance comes from hashing (seed, kind,
number), so there is no state, no loop, and any frame can be asked for at any time. How far and how
fast head, brows and lids stray is measured (`life_measures.py`); the limits here are set by hand.
"""

from dataclasses import dataclass
from functools import cache, lru_cache
from math import pi, sin, tanh

import numpy as np

from engine.config import TIMING
from engine.portrait.acting import PITCH_SHOWN, YAW_SHOWN
from engine.portrait.channels import CHANNELS, Channel
from engine.portrait.geometry import Doubles
from engine.portrait.landmarks import Floats
from engine.portrait.life_measures import KNOTS_S, WAVING, shipped_measures

# Blinks: one slot each, so that the gap is log-normal around the slot and never runs away.
_BLINKS_PER_MINUTE = (8.0, 20.0)  # limits: people who read out a speech blink more than they rest
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

_BREATH_HZ, _BREATH = 0.25, 0.06
_SPLINE_STD = 0.69  # of the spline through knots with standard deviation 1

# Who was measured was speaking. A listener keeps so much of each noise, the fast ones least.
_IDLE_SHARES = (0.0, 0.3, 0.5, 0.5)
_BROWS_SHOWN, _LIDS_SHOWN = 0.55, 0.53  # of what is asked, read off rendered faces
_SHIFT_SHOWN = 0.3  # of the way a head goes: a still's shoulders cannot come along
_LIMITS = {  # as seen
    Channel.YAW: np.radians(7.0),
    Channel.PITCH: np.radians(6.0),  # nods come on top
    Channel.ROLL: np.radians(7.0),
    Channel.SHIFT_LEFT: 2.0,
    Channel.SHIFT_UP: 1.3,
    Channel.SHIFT_NEAR: 2.0,
    Channel.BROWS_UP: 0.4,
    Channel.BLINK_LEFT: 0.16,
}
_SHOWN = {  # of a channel's unit
    Channel.YAW: YAW_SHOWN,
    Channel.PITCH: PITCH_SHOWN,
    Channel.SHIFT_LEFT: 1 / _SHIFT_SHOWN,
    Channel.SHIFT_UP: 1 / _SHIFT_SHOWN,
    Channel.SHIFT_NEAR: 1 / _SHIFT_SHOWN,
    Channel.BROWS_UP: _BROWS_SHOWN,
    Channel.BLINK_LEFT: _LIDS_SHOWN,
}

# While speaking; an accent is loudness over its own slow mean.
_LOUDEST = 1.5
_ENERGY_RATE, _SLOW_RATE = 0.35, 0.04  # per frame
_NOD_STIFFNESS, _NOD_DAMPING = 0.10, 0.45
_BROW_RATE = 0.25
_TALKING = 0.4  # slow loudness of somebody who surely speaks

_BLINK_TIME, _BLINK_DOUBLE, _GAZE_AWAY, _GAZE_X, _GAZE_Y, _GAZE_TIME, _BREATH_KIND = range(7)
_WAVE_KIND = 16  # and the following: one for each channel and noise
_MASK = (1 << 64) - 1
_KNOT_FRAMES = tuple(
    round(knot_s * TIMING.frame_rate_hz) for knot_s in KNOTS_S
)  # each twice as long


def life(seed: int, frame: int) -> Floats:
    """The channels [CHANNELS] of a face at rest in frame number `frame` (any whole number)."""
    channels = _straying(seed, frame, 0.0)
    blink = _lids(seed, frame)
    lids = blink + (1 - blink) * channels[Channel.BLINK_LEFT]
    channels[Channel.BLINK_RIGHT] = channels[Channel.BLINK_LEFT] = lids
    left, up = _gaze(seed, frame)
    channels[Channel.GAZE_LEFT] = left - _COUNTER_TURN * channels[Channel.YAW]
    channels[Channel.GAZE_UP] = up - _COUNTER_TURN * channels[Channel.PITCH]
    channels[Channel.SHIFT_UP] = _BREATH * _breath(seed, frame)
    return np.array(channels, np.float32)


@dataclass(slots=True)
class Accents:
    """The stresses of a voice: how far a head would follow them, in units of loudness."""

    talking: float = 0.0  # 0 silent, 1 surely speaking
    nod: float = 0.0  # 1 is as far as an accent of 1 brings a head in the end
    brow: float = 0.0
    _energy: float = 0.0
    _slow: float = 0.0
    _nod_speed: float = 0.0

    def push(self, loudness: float) -> None:
        """Take the speech level of the next frame (0 silent, 1 usual)."""
        level = min(max(loudness, 0.0), _LOUDEST)
        self._energy += (level - self._energy) * _ENERGY_RATE
        self._slow += (level - self._slow) * _SLOW_RATE
        self.talking = min(self._slow / _TALKING, 1.0)
        accent = max(self._energy - self._slow, 0.0)
        # A damped spring: stress pushes the head, and it swings back without a jolt.
        self._nod_speed += (accent - self.nod) * _NOD_STIFFNESS - self._nod_speed * _NOD_DAMPING
        self.nod += self._nod_speed
        self.brow += (accent - self.brow) * _BROW_RATE


class SpeechLife:
    """What a voice adds to `life`: a livelier head, brows and nods."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self.reset()

    def push(self, loudness: float, frame: int) -> Floats:
        """Take the speech level of the next frame (0 silent, 1 usual); return channels.

        `frame` is the absolute frame of `life`, so that the motion goes on across a `reset`.
        """
        self._accents.push(loudness)
        measures = shipped_measures()
        idle = _straying(self._seed, frame, 0.0)
        channels = _straying(self._seed, frame, self._accents.talking)
        for channel in WAVING:
            channels[channel] -= idle[channel]
        channels[Channel.PITCH] += measures.lift / PITCH_SHOWN * self._accents.nod
        channels[Channel.BROWS_UP] += measures.brow_raise / _BROWS_SHOWN * self._accents.brow
        channels[Channel.GAZE_UP] = -_COUNTER_TURN * channels[Channel.PITCH]
        channels[Channel.GAZE_LEFT] = -_COUNTER_TURN * channels[Channel.YAW]
        return np.array(channels, np.float32)

    def reset(self) -> None:
        """Come to rest at once."""
        self._accents = Accents()


def _straying(seed: int, frame: int, talking: float) -> list[float]:
    """Channels [CHANNELS] of the smooth noises; lids are never wider than in the still.

    Lists: on numbers as few as these NumPy takes longer.
    """
    idle, livelier = _waves(seed, frame)
    channels = [0.0] * CHANNELS
    for channel, limit, one, more in zip(WAVING, _limits(), idle, livelier, strict=True):
        channels[channel] = limit * tanh(one + talking * more)
    channels[Channel.BLINK_LEFT] = max(channels[Channel.BLINK_LEFT], 0.0)
    return channels


@cache
def _limits() -> tuple[float, ...]:
    """Of each channel that strays [WAVING], channel units."""
    return tuple(_LIMITS[channel] / _SHOWN.get(channel, 1.0) for channel in WAVING)


@cache
def _amplitudes() -> tuple[Doubles, Doubles]:
    """Of each noise [KNOTS_S, WAVING] at rest, and what speech adds, as shares of the limits."""
    shown = np.array([_SHOWN.get(channel, 1.0) for channel in WAVING])
    spoken = shipped_measures().spreads / shown[:, None]
    idle = spoken * _IDLE_SHARES
    idle[WAVING.index(Channel.SHIFT_UP)] = 0.0  # at rest the breath alone
    lids = WAVING.index(Channel.BLINK_LEFT)
    idle[lids] = spoken[lids]
    return idle.T / _limits(), (spoken - idle).T / _limits()


def _chance(seed: int, kind: int, number: int) -> float:
    """A number in 0..1 that belongs to this place alone (SplitMix64, Steele et al. 2014)."""
    value = seed * 0x9E3779B97F4A7C15 + kind * 0xD1B54A32D192ED03 + number * 0x8CB92BA72F3D8DD7
    value &= _MASK
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        value = ((value ^ (value >> shift)) * factor) & _MASK
    return ((value ^ (value >> 31)) >> 11) / float(1 << 53)


@lru_cache(maxsize=1024)  # of which breath and gaze of a stream ask for the same dozen for a second
def _bell(seed: int, kind: int, number: int) -> float:
    """Nearly normal with standard deviation 1, never beyond 3: the sum of three chances."""
    return 2 * sum(_chance(seed, kind + 1000 * part, number) for part in range(1, 4)) - 3


def _spline_weights(t: float) -> tuple[float, float, float, float]:
    """What the four knots about a place count, `t` of the way between the middle two."""
    weights = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    first, second, third, fourth = (weight / 6 / _SPLINE_STD for weight in weights)
    return first, second, third, fourth


@lru_cache(maxsize=4096)
def _knot(seed: int, octave: int, number: int) -> tuple[float, ...]:
    """One knot of one noise of each channel [WAVING]."""
    kinds = range(_WAVE_KIND + octave, _WAVE_KIND + len(KNOTS_S) * len(WAVING), len(KNOTS_S))
    return tuple(_bell(seed, kind, number) for kind in kinds)


@lru_cache(maxsize=256)
def _scaled_knots(seed: int, firsts: tuple[int, ...]) -> Doubles:
    """Four knots of every noise, those of each octave from a number of `firsts` on.

    [KNOTS_S * knots, rest and what speech adds * WAVING]
    """
    numbers = enumerate(firsts)
    knots = np.array(
        [[_knot(seed, octave, first + step) for step in range(4)] for octave, first in numbers]
    )
    scaled = [knots * amplitudes[:, None] for amplitudes in _amplitudes()]
    return np.concatenate(scaled, axis=-1).reshape(knots.shape[0] * knots.shape[1], -1)


@cache
def _knot_weights(place: int) -> Doubles:
    """What those knots count [KNOTS_S * knots], `place` frames after a knot of the slowest."""
    weights = [_spline_weights(place % frames / frames) for frames in _KNOT_FRAMES]
    return np.ravel(weights)


@lru_cache(maxsize=256)
def _waves(seed: int, frame: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Sums of smooth noises [WAVING] at rest, and what speech adds, as shares of the limits.

    B-splines: no jump in place, speed or force.
    """
    knots = _scaled_knots(seed, tuple(frame // frames for frames in _KNOT_FRAMES))
    waves = tuple(_knot_weights(frame % _KNOT_FRAMES[-1]).dot(knots).tolist())
    return waves[: len(WAVING)], waves[len(WAVING) :]


def _wave(seed: int, kind: int, position: float) -> float:
    """One such noise with a knot per unit."""
    first, t = divmod(position, 1.0)
    knots = (_bell(seed, kind, int(first) + step) for step in range(4))
    return sum(weight * knot for weight, knot in zip(_spline_weights(t), knots, strict=True))


def _breath(seed: int, frame: int) -> float:
    """About -1..1, a quarter of a hertz, each breath a little different."""
    turns = frame * TIMING.frame_s * _BREATH_HZ
    drift = 0.12 * _wave(seed, _BREATH_KIND, turns / 3)
    depth = 1 + 0.15 * _wave(seed, _BREATH_KIND + 8, turns / 2)
    return sin(2 * pi * (turns + drift)) * min(max(depth, 0.5), 1.4)


@cache
def _blink_slot_frames() -> int:
    per_minute = float(np.clip(shipped_measures().blinks_per_minute, *_BLINKS_PER_MINUTE))
    return round(60 * TIMING.frame_rate_hz * (1 + _DOUBLE_SHARE) / per_minute)


@lru_cache(maxsize=256)
def _blink_frames(seed: int, slot: int) -> tuple[int, ...]:
    """First frames of the blinks of one slot."""
    place = 0.5 * np.exp(_BLINK_SPREAD * _bell(seed, _BLINK_TIME, slot))
    length = _blink_slot_frames()
    first = slot * length + int(min(place, 0.99) * length)
    if _chance(seed, _BLINK_DOUBLE, slot) < _DOUBLE_SHARE:
        return first, first + _DOUBLE_AFTER_FRAMES
    return (first,)


def _lids(seed: int, frame: int) -> float:
    """How closed the lids are, 0..1."""
    closed = 0.0
    slot = frame // _blink_slot_frames()
    for first in _blink_frames(seed, slot - 1) + _blink_frames(seed, slot):
        since = frame - first
        if 0 <= since < len(_LIDS):
            closed = max(closed, _LIDS[since])
    return closed


def _gaze(seed: int, frame: int) -> tuple[float, float]:
    """Where the eyes look, (left, up) in radians, head straight."""
    slot, within = divmod(frame, _GAZE_SLOT_FRAMES)
    jump = int(_chance(seed, _GAZE_TIME, slot) * (_GAZE_SLOT_FRAMES - _SACCADE_FRAMES))
    done = min(max((within - jump) / _SACCADE_FRAMES, 0.0), 1.0)
    (from_left, from_up), (left, up) = _fixation(seed, slot - 1), _fixation(seed, slot)
    return (1 - done) * from_left + done * left, (1 - done) * from_up + done * up


def _fixation(seed: int, slot: int) -> tuple[float, float]:
    away = 1.0 if _chance(seed, _GAZE_AWAY, slot) < _AWAY_SHARE else 0.15
    left, up = _bell(seed, _GAZE_X, slot), _bell(seed, _GAZE_Y, slot)
    return away * _GAZE_LEFT * left, away * _GAZE_UP * up
