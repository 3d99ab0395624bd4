"""Speech whose every p, b and m is known to the millisecond, in three languages and four voices.

From espeak-ng, with sentences that no training reads. The voices `edward2` and `steph2` are
never trained on (`engine/training/speech.py` lists those that are).
"""

from dataclasses import dataclass
from itertools import islice

from engine.api import AvatarError, Samples
from engine.training.speech import Espeak, Voice, synthesiser
from engine.training.visemes import LIPS_SHUT, Viseme

OPEN_VOWELS = ("aa", "ae", "ao")
TRAINED_VOICES, UNHEARD_VOICES = ("f2", "m3"), ("edward2", "steph2")
SENTENCES = {
    "en-us": "A small bird hopped past the open barn, but Pam and Bob ate apple pie by the lamp.",
    "es": "El mapa de Panamá pesaba poco, pero mamá lo compraba para la pampa y el campo abierto.",
    "fr": "Papa emporte sa belle lampe à la campagne, et maman apporte la pomme à la table.",
}
_HELD_S = 0.07  # a vowel that is shorter is only passed through
_WORDS_PER_MINUTE = 160


@dataclass(frozen=True, slots=True)
class PhonedSpeech:
    """One sentence of one voice."""

    language: str
    voice: str
    samples: Samples
    shut_s: tuple[float, ...]  # middles of p, b and m
    open_s: tuple[float, ...]  # middles of held open vowels


def phoned_speech(voices: tuple[str, ...], languages: int) -> list[PhonedSpeech]:
    """The sentence of each of the first `languages` in each of the voices.

    Raises `AvatarError` where espeak-ng is missing.
    """
    try:
        espeak = synthesiser()
    except ImportError as error:
        raise AvatarError(f"{error}: expected what `pip install '.[train]'` installs") from error
    return [
        _spoken(espeak, language, voice, text)
        for voice in voices
        for language, text in islice(SENTENCES.items(), languages)
    ]


def middles(visemes: tuple[Viseme, ...]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Middles in seconds of all closures, and of the open vowels that are held."""
    shut = [one for one in visemes if one.name == LIPS_SHUT]
    held = [
        one for one in visemes if one.name in OPEN_VOWELS and one.end_s - one.start_s >= _HELD_S
    ]
    return _middles(shut), _middles(held)


def _middles(visemes: list[Viseme]) -> tuple[float, ...]:
    return tuple((one.start_s + one.end_s) / 2 for one in visemes)


def _spoken(espeak: Espeak, language: str, voice: str, text: str) -> PhonedSpeech:
    speech = espeak.speak(text, Voice(f"{language}+{voice}", _WORDS_PER_MINUTE))
    return PhonedSpeech(language, voice, speech.samples, *middles(speech.visemes))
