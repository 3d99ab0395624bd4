"""What the mouth does for each spoken sound, and how neighbouring sounds blend.

The table of mouth shapes starts from a hand-written guess and is then fitted to real clips with
known phones, through the same blending that later turns phones into motion.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from engine.config import TIMING
from engine.portrait.channels import MOUTH_CHANNELS, Channel
from engine.portrait.geometry import Doubles
from engine.portrait.landmarks import Floats
from engine.training.corpus import Phone, TalkingClip

SILENCE, LIPS_SHUT = "sil", "pbm"

_BLEND_S = 0.04  # standard deviation of the blending
_SHUT_BLEND_S = 0.014
_SHUT_EARLY_S = 0.01
_LEAST_SHARE = 0.05  # with less than that in all, the rest of the frame is silence
_RIDGE_FRAMES = 60.0  # what the guess counts, in frames
_SHIFTS_S = np.arange(-0.1, 0.101, 0.02)
_STRESSED, _UNSTRESSED = 1.12, 0.92
_STRESS_MARK = "\N{MODIFIER LETTER VERTICAL LINE}"

# name: (opening, wide, round), weight in the blend
_GUESS: dict[str, tuple[float, float, float, float]] = {
    SILENCE: (0.0, 0.0, 0.0, 1.2),
    LIPS_SHUT: (0.0, 0.0, 0.0, 2.5),
    "fv": (0.12, 0.1, 0.0, 1.8),
    "th": (0.3, 0.1, 0.0, 0.7),
    "tdn": (0.3, 0.15, 0.0, 0.5),
    "sz": (0.2, 0.35, 0.0, 0.9),
    "sh": (0.25, -0.2, 0.6, 1.3),
    "kg": (0.4, 0.1, 0.0, 0.5),
    "l": (0.4, 0.1, 0.0, 0.6),
    "r": (0.3, -0.2, 0.45, 0.8),
    "w": (0.12, -0.5, 1.0, 1.5),
    "h": (0.45, 0.0, 0.0, 0.3),
    "j": (0.25, 0.5, 0.0, 0.7),
    "aa": (1.0, 0.1, 0.0, 1.1),
    "ae": (0.85, 0.5, 0.0, 1.1),
    "ah": (0.6, 0.1, 0.0, 0.8),
    "ao": (0.75, -0.4, 0.6, 1.1),
    "eh": (0.65, 0.4, 0.0, 1.0),
    "ih": (0.4, 0.4, 0.0, 0.9),
    "iy": (0.3, 0.7, 0.0, 1.0),
    "ow": (0.5, -0.5, 0.8, 1.1),
    "uw": (0.2, -0.5, 1.0, 1.1),
    "uh": (0.35, -0.3, 0.6, 0.9),
    "er": (0.4, -0.2, 0.4, 0.9),
    "ue": (0.25, -0.4, 0.9, 1.1),
}
_NAMES = tuple(_GUESS)
_VOWELS = frozenset(_NAMES[_NAMES.index("aa") :])
# How opening, wide and round move each channel, in standard deviations of that channel.
_EFFECT = np.zeros((3, MOUTH_CHANNELS))
_EFFECT[0, [Channel.JAW_OPEN, Channel.UPPER_LIP_UP, Channel.LOWER_LIP_DOWN]] = 2.6, 1.8, 3.0
_EFFECT[0, [Channel.UPPER_LIP_THICK, Channel.LOWER_LIP_THICK]] = -1.0, -0.5
_EFFECT[1, [Channel.MOUTH_WIDE, Channel.CORNERS_UP]] = 1.2, 0.3
_EFFECT[2, [Channel.MOUTH_WIDE, Channel.PUCKER, Channel.UPPER_LIP_UP]] = -1.0, 1.8, 0.4
_EFFECT[2, [Channel.UPPER_LIP_THICK, Channel.LOWER_LIP_THICK]] = 0.8, 0.5

_ARPABET = """
SIL:sil P:pbm B:pbm M:pbm F:fv V:fv TH:th DH:th T:tdn D:tdn N:tdn S:sz Z:sz SH:sh ZH:sh CH:sh JH:sh
K:kg G:kg NG:kg L:l R:r W:w HH:h Y:j AA:aa AE:ae AH:ah AO:ao EH:eh IH:ih IY:iy UW:uw UH:uh ER:er
AY:aa+ih AW:aa+uh EY:eh+iy OW:ow+uh OY:ao+ih
"""
# Single letters of the phonetic alphabet; what is not listed changes no lip shape of its own.
_IPA = {
    LIPS_SHUT: "pbmɓ",
    "fv": "fvɱʋɸβ",
    "th": "θð",
    "tdn": "tdnɾrɖʈɳɗɽʙ",
    "sz": "szɬ",
    "sh": "ʃʒɕʑʂʐç",
    "kg": "kɡgŋxɣqχʁɟcɲɴɢ",
    "l": "lɫɭʎʟ",
    "r": "ɹɻ",
    "w": "wʍɥ",
    "h": "hɦħʔʕ",
    "j": "jʝ",
    "aa": "aɑɒ",
    "ae": "æ",
    "ah": "ʌəɐɜɵ",
    "ao": "ɔ",
    "eh": "ɛe",
    "ih": "ɪɨ",
    "iy": "i",
    "ow": "oɤ",
    "uw": "uʉɯ",
    "uh": "ʊ",
    "er": "ɚɝ",
    "ue": "yʏøœ",
}
_LETTERS = {letter: name for name, letters in _IPA.items() for letter in letters}
_WORDS = dict(pair.split(":") for pair in _ARPABET.split())


@dataclass(frozen=True, slots=True)
class Viseme:
    """One mouth shape in time."""

    name: str
    start_s: float
    end_s: float
    strength: float = 1.0


def from_arpabet(phones: Sequence[Phone]) -> list[Viseme]:
    """Visemes of phones in the English alphabet of pronouncing dictionaries."""
    visemes = []
    for phone in phones:
        names = _WORDS.get(phone.name.rstrip("012"), SILENCE).split("+")
        visemes += _spread(names, phone)
    return visemes


def from_ipa(phones: Sequence[Phone]) -> list[Viseme]:
    """Visemes of phones in the International Phonetic Alphabet; no letter is silence."""
    visemes: list[Viseme] = []
    for phone in phones:
        names = [_LETTERS[letter] for letter in phone.name if letter in _LETTERS]
        vowel = any(name in _VOWELS for name in names)
        stress = _STRESSED if _STRESS_MARK in phone.name else _UNSTRESSED
        visemes += _spread(names or [SILENCE], phone, stress if vowel else 1.0)
    return visemes


def _spread(names: Sequence[str], phone: Phone, strength: float = 1.0) -> list[Viseme]:
    borders = np.linspace(phone.start_s, phone.end_s, len(names) + 1).tolist()
    spans = zip(names, borders[:-1], borders[1:], strict=True)
    return [Viseme(name, start_s, end_s, strength) for name, start_s, end_s in spans]


def blend(visemes: Sequence[Viseme], frames: int) -> Doubles:
    """Share [frames, names] that each viseme has in each frame; silence where nothing is said."""
    centres = (np.arange(frames) + 0.5)[:, None] * TIMING.frame_s
    starts = np.array([viseme.start_s for viseme in visemes])
    ends = np.array([viseme.end_s for viseme in visemes])
    weights = np.array([_GUESS[viseme.name][3] for viseme in visemes])
    share = weights * (ndtr((centres - starts) / _BLEND_S) - ndtr((centres - ends) / _BLEND_S))
    total = np.zeros((frames, len(_NAMES)))
    strength = np.array([viseme.strength for viseme in visemes])
    columns = np.array([_NAMES.index(viseme.name) for viseme in visemes], int)
    np.add.at(total.T, columns, share.T * strength[:, None])
    sums = share.sum(1, keepdims=True)
    total[:, _NAMES.index(SILENCE)] += np.maximum(_LEAST_SHARE - sums[:, 0], 0)
    return np.asarray(total / np.maximum(sums, _LEAST_SHARE))


class VisemeTable:
    """Mouth channels of each viseme, and how far lips move before the sound."""

    def __init__(self, shapes: Doubles, shift_s: float, explained: float) -> None:
        self.shapes = shapes  # [names, 9] centimetres
        self.shift_s = shift_s  # added to the time of phones
        self.explained = explained  # share of the variance of the lip opening in the fit

    @classmethod
    def fit(cls, clips: Sequence[TalkingClip], scale: Floats) -> "VisemeTable":
        """Fit to clips with phones; scale [9] is the common std of the channels."""
        guess = np.array([_GUESS[name][:3] for name in _NAMES]) @ _EFFECT * scale
        spoken = [clip for clip in clips if clip.phones]
        if not spoken:
            return cls(guess, 0.0, 0.0)
        truth = np.concatenate([clip.mouth for clip in spoken])
        return max(
            (_fit(spoken, truth, guess, float(shift_s)) for shift_s in _SHIFTS_S),
            key=lambda table: table.explained,
        )

    def motion(self, visemes: Sequence[Viseme], frames: int) -> Floats:
        """Mouth channels [frames, 9]; lips meet in every p, b and m."""
        moved = _moved(visemes, self.shift_s)
        mouth = blend(moved, frames) @ self.shapes
        shut = _shut_share(moved, frames)
        lips = [Channel.UPPER_LIP_UP, Channel.LOWER_LIP_DOWN]
        mouth[:, lips] -= (shut * np.maximum(mouth[:, lips].sum(1), 0) / 2)[:, None]
        return mouth.astype(np.float32)


def _fit(
    clips: Sequence[TalkingClip], truth: Floats, guess: Doubles, shift_s: float
) -> VisemeTable:
    shares = np.concatenate(
        [blend(_moved(from_arpabet(clip.phones), shift_s), len(clip.mouth)) for clip in clips]
    )
    ridge = np.eye(len(_NAMES)) * _RIDGE_FRAMES
    shapes = np.linalg.solve(shares.T @ shares + ridge, shares.T @ truth + ridge @ guess)
    shapes[_NAMES.index(SILENCE)] = 0
    lips = [Channel.UPPER_LIP_UP, Channel.LOWER_LIP_DOWN]
    gap, fitted = truth[:, lips].sum(1), (shares @ shapes)[:, lips].sum(1)
    explained = 1 - float(np.var(gap - fitted) / np.var(gap))
    return VisemeTable(shapes, shift_s, explained)


def _moved(visemes: Sequence[Viseme], shift_s: float) -> list[Viseme]:
    return [Viseme(v.name, v.start_s + shift_s, v.end_s + shift_s, v.strength) for v in visemes]


def _shut_share(visemes: Sequence[Viseme], frames: int) -> Doubles:
    centres = (np.arange(frames) + 0.5) * TIMING.frame_s
    shut = np.zeros(frames)
    for viseme in visemes:
        if viseme.name == LIPS_SHUT:
            rise = ndtr((centres - viseme.start_s + _SHUT_EARLY_S) / _SHUT_BLEND_S)
            fall = ndtr((centres - viseme.end_s - _SHUT_EARLY_S) / _SHUT_BLEND_S)
            shut = np.maximum(shut, rise - fall)
    return shut
