"""Synthetic speech with exact phone times, from espeak-ng: many voices, many languages.

espeak-ng (GPL-3) is used while training only, through its C interface; nothing of it is shipped.
"""

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly

from engine.api import Samples
from engine.config import TIMING
from engine.training.corpus import Phone
from engine.training.visemes import Viseme, from_ipa

_SENTENCES = Path(__file__).parent / "sentences"
_RETRIEVAL, _OPTIONS = 1, 3 | 1 << 15  # hand sound to us; phoneme events as IPA, never exit
_PHONEME_EVENT, _LIST_END, _UTF8 = 7, 0, 1
_RATE, _PITCH, _RANGE = 1, 3, 4  # parameters

# How often each language is spoken, and which sentences it reads.
_LANGUAGES = {
    "en-us": ("en", 20), "en": ("en", 12), "en-gb-scotland": ("en", 3), "en-029": ("en", 3),
    "es": ("es", 14), "es-419": ("es", 10), "fr": ("fr", 6), "de": ("de", 6), "it": ("it", 5),
    "pt-br": ("pt", 4), "pt": ("pt", 2), "nl": ("de", 1), "ca": ("es", 1), "ro": ("it", 1),
    "pl": ("", 2), "sv": ("", 2), "tr": ("", 2), "fi": ("", 2), "hu": ("", 2), "id": ("", 2),
    "cs": ("", 2), "sw": ("", 1), "hr": ("", 1), "nb": ("", 1),
}  # fmt: skip
_VOICES = (
    "f1", "f2", "f3", "f4", "f5", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "Alex",
    "Alicia", "Andrea", "Andy", "Annie", "Denis", "Diogo", "Gene", "Gene2", "Henrique", "Hugo",
    "Jacky", "Lee", "Marco", "Mario", "Michael", "Mike", "Nguyen", "Reed", "adam", "anika",
    "announcer", "antonio", "aunty", "belinda", "benjamin", "boris", "caleb", "david", "ed",
    "edward", "grandma", "grandpa", "gustave", "ian", "iven", "john", "linda", "marcelo", "max",
    "michel", "miguel", "norbert", "pablo", "paul", "pedro", "quincy", "rob", "robert",
    "sandro", "shelby", "steph", "travis", "victor", "zac", "klatt", "klatt2", "klatt3",
    "klatt4", "croak", "whisper",
)  # fmt: skip
_ONSETS = (
    "p", "b", "t", "d", "k", "g", "f", "v", "s", "z", "m", "n", "l", "r", "w", "h", "ch", "sh",
    "st", "pr", "br", "tr", "pl", "fl", "gr", "sp", "sk",
)  # fmt: skip
_NUCLEI = (
    "a", "e", "i", "o", "u", "a", "e", "i", "o", "u", "ai", "au", "ei", "ou", "ia", "io", "ue",
)  # fmt: skip
_CODAS = ["", "", "", "", "n", "m", "s", "r", "l", "t", "p", "k", "b", "f"]
_SALAD_SHARE, _MADE_UP_SHARE = 0.3, 0.12


class _EventId(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


@dataclass(frozen=True, slots=True)
class Voice:
    """Who speaks, and how."""

    name: str  # language, or language+variant
    words_per_minute: int = 170
    pitch: int = 50  # 0..100
    pitch_range: int = 50  # 0..100


@dataclass(frozen=True, slots=True)
class Speech:
    """Sound with the mouth shapes that belong to it."""

    samples: Samples
    visemes: tuple[Viseme, ...]


class Espeak:
    """The synthesiser. The library keeps global state and hangs when started twice."""

    def __init__(self) -> None:
        import espeakng_loader  # noqa: PLC0415 (only the training extra has it)

        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = Path(espeakng_loader.get_data_path()).parent
        self._rate_hz = self._library.espeak_Initialize(_RETRIEVAL, 0, str(data).encode(), _OPTIONS)
        if self._rate_hz <= 0:
            raise RuntimeError(f"espeak-ng did not start with the data in {data}")
        self._pieces: list[np.ndarray[tuple[int, ...], np.dtype[np.int16]]] = []
        self._starts: list[tuple[float, str]] = []
        self._callback = _Callback(self._receive)  # kept, or it is collected while C still calls it
        self._library.espeak_SetSynthCallback(self._callback)

    def speak(self, text: str, voice: Voice) -> Speech:
        """Synthesise `text`; `ValueError` for a voice that does not exist."""
        if self._library.espeak_SetVoiceByName(voice.name.encode()):
            raise ValueError(f"espeak-ng has no voice {voice.name!r}")
        settings = {
            _RATE: voice.words_per_minute,
            _PITCH: voice.pitch,
            _RANGE: voice.pitch_range,
        }
        for parameter, value in settings.items():
            self._library.espeak_SetParameter(parameter, value, 0)
        self._pieces, self._starts = [], []
        self._library.espeak_ng_SetRandSeed(0)  # else voices tremble by the time of day
        data = text.encode()
        self._library.espeak_Synth(data, len(data) + 1, 0, 0, 0, _UTF8, None, None)
        self._library.espeak_Synchronize()
        return self._finish()

    def _receive(
        self,
        sound: "ctypes._Pointer[ctypes.c_short]",
        count: int,
        events: "ctypes._Pointer[_Event]",
    ) -> int:
        if count:  # else `sound` is a null pointer
            self._pieces.append(np.ctypeslib.as_array(sound, (count,)).copy())
        position = 0
        while events[position].type != _LIST_END:
            event = events[position]
            if event.type == _PHONEME_EVENT:
                name = bytes(event.id.string).decode(errors="ignore")
                self._starts.append((event.audio_position / 1000, name))
            position += 1
        return 0

    def _finish(self) -> Speech:
        raw = np.concatenate(self._pieces) if self._pieces else np.zeros(self._rate_hz, np.int16)
        sound = raw.astype(np.float32) / np.iinfo(np.int16).max
        sound = resample_poly(sound, TIMING.sample_rate_hz, self._rate_hz)
        spoken = [start for start in self._starts if not start[1].startswith("(")]
        ends = [start_s for start_s, _ in spoken[1:]] + [len(raw) / self._rate_hz]
        phones = [Phone(name, at, end) for (at, name), end in zip(spoken, ends, strict=True)]
        return Speech(sound.astype(np.float32), tuple(from_ipa(phones)))


@cache
def synthesiser() -> Espeak:
    """The one synthesiser of this process."""
    return Espeak()


def sentences(language: str) -> list[str]:
    """The sentences written for a language, such as en or es."""
    return (_SENTENCES / f"{language}.txt").read_text(encoding="utf-8").splitlines()


def espeak_voices(espeak: Espeak, generator: np.random.Generator) -> Iterator[Iterator[Speech]]:
    """Endless voices, each with endless varied speech."""
    texts = {file.stem: sentences(file.stem) for file in sorted(_SENTENCES.glob("*.txt"))}
    languages = list(_LANGUAGES)
    share = np.array([_LANGUAGES[language][1] for language in languages], float)
    while True:
        language = str(generator.choice(languages, p=share / share.sum()))
        known = texts.get(_LANGUAGES[language][0])
        yield utterances(espeak, _voice(language, generator), known, generator)


def utterances(
    espeak: Espeak, voice: Voice, known: list[str] | None, generator: np.random.Generator
) -> Iterator[Speech]:
    """Endless speech: sentences of those `known`, salads of their words and made-up words."""
    while True:
        yield espeak.speak(_text(known, generator), voice)


def _voice(language: str, generator: np.random.Generator) -> Voice:
    return Voice(
        f"{language}+{generator.choice(_VOICES)}",
        int(generator.integers(120, 235)),
        int(generator.integers(20, 85)),
        int(generator.integers(25, 90)),
    )


def _text(known: list[str] | None, generator: np.random.Generator) -> str:
    kind = generator.random()
    if known is None or kind < _MADE_UP_SHARE:
        return " ".join(_made_up(generator) for _ in range(generator.integers(4, 12)))
    if kind < _MADE_UP_SHARE + _SALAD_SHARE:
        words = " ".join(known).split()
        return " ".join(generator.choice(words, generator.integers(4, 14)).tolist())
    return str(generator.choice(known))


def _made_up(generator: np.random.Generator) -> str:
    syllables = [
        str(generator.choice(_ONSETS) + generator.choice(_NUCLEI) + generator.choice(_CODAS))
        for _ in range(generator.integers(1, 4))
    ]
    return "".join(syllables)
