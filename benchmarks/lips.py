"""From the notes of a call to delays: microphone to lips, microphone to ears, and lips to ears.

Per word: the moment the packet with the word's first sample was sent, the decoding of the first
picture whose mouth leaves its rest, and the moment the returned sound rises. A picture is one frame
(40 ms) wide, so a single number is good to one frame; means are much finer. Beside that, whole
curves are compared (cross-correlation), which needs no threshold at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.call import Notes
from benchmarks.curves import Curve, Floats, Lag, lag, noise_at_rest, rise_s
from benchmarks.mouth import opening
from benchmarks.receiving import developed, level_curve

LISTEN_S = 0.8  # after an onset; shorter than the pause before the next word
_LONGEST_S = 0.8
_SKEW_SEARCH_S = 0.4
_SOUND_NOISE = 0.004  # what a codec leaves in silence, as a share of full scale
_SMOOTH_VALUES = 9  # of 5 ms
_BEFORE_S = 0.01


@dataclass(frozen=True, slots=True)
class Word:
    """One word's delays in seconds; None where the event was not seen."""

    lips_s: float | None
    ears_s: float | None
    skew_s: float | None  # lips after ears


@dataclass(frozen=True, slots=True)
class Findings:
    """What a call showed."""

    words: Sequence[Word]
    method: str  # how the mouth was read
    mouth: Curve
    heard: Curve
    sent_to_mouth: Lag | None
    sent_to_heard: Lag | None
    heard_to_mouth: Lag | None

    def milliseconds(self, name: str) -> Floats:
        """One kind of delay of all words in which it was seen."""
        seen = [getattr(word, name) for word in self.words]
        return np.array([1000 * value for value in seen if value is not None], float)


def find(notes: Notes, onsets_s: Floats, silent_until_s: float) -> Findings:
    """Measure a call whose microphone spoke words at `onsets_s` after a silent beginning."""
    mouth, method = mouth_curve(notes)
    sent, heard = sent_level(notes), notes.sound.level()
    rest = mouth.between(0.0, notes.microphone.spoken_s(silent_until_s))
    noise = noise_at_rest(rest)
    words = []
    for onset_s in onsets_s:
        packet_s = notes.microphone.spoken_s(onset_s)
        words.append(_word(packet_s, sent, heard, mouth, noise))
    return Findings(
        words,
        method,
        mouth,
        heard,
        lag(loudness(sent), mouth, _LONGEST_S),
        lag(sent, heard, _LONGEST_S),
        lag(loudness(heard), mouth, _SKEW_SEARCH_S, -_SKEW_SEARCH_S),
    )


def mouth_curve(notes: Notes) -> tuple[Curve, str]:
    """The opening of the mouth at the moments its pictures were decoded, and how it was read."""
    film = notes.film()
    found = opening(developed(picture.encoded for picture in film))
    if len(found.values) != len(film):
        raise ValueError(f"{len(film)} pictures in the film, {len(found.values)} developed")
    shown_s = np.array([picture.shown_s for picture in film])
    return Curve(shown_s, found.values), found.method


def sent_level(notes: Notes) -> Curve:
    """Loudness of what was sent."""
    count = min(len(notes.microphone.sent_s), len(notes.microphone.packets))
    begins_s = np.array(notes.microphone.sent_s[:count])
    return level_curve(begins_s, notes.microphone.packets[:count])


def _word(packet_s: float, sent: Curve, heard: Curve, mouth: Curve, noise: float) -> Word:
    end_s = packet_s + LISTEN_S
    said_s = rise_s(sent, packet_s - _BEFORE_S, end_s)
    lips_s = rise_s(mouth, packet_s, end_s, noise)
    ears_s = rise_s(heard, packet_s, end_s, _SOUND_NOISE)
    return Word(
        _minus(lips_s, packet_s),
        _minus(ears_s, said_s),
        _minus(lips_s, ears_s),
    )


def _minus(late_s: float | None, early_s: float | None) -> float | None:
    return late_s - early_s if late_s is not None and early_s is not None else None


def loudness(curve: Curve) -> Curve:
    """Loudness as it is felt (compressed), without the ripple of the voice's own pitch."""
    window = np.ones(_SMOOTH_VALUES) / _SMOOTH_VALUES
    return Curve(curve.times_s, np.convolve(np.sqrt(curve.values), window, mode="same"))
