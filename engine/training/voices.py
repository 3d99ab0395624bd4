"""Stored speech with the time of every phone, as `engine.training.make_voices` makes it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from engine.api import Samples
from engine.training.corpus import CorpusError, Phone
from engine.training.speech import Speech
from engine.training.visemes import from_arpabet, from_ipa

Alphabet = Literal["ipa", "arpabet"]

_READERS = {"ipa": from_ipa, "arpabet": from_arpabet}
_FULL_SCALE = np.iinfo(np.int16).max


@dataclass(frozen=True, slots=True)
class Utterance:
    """Sound at 16 kHz and its phones (name, start s, end s)."""

    samples: Samples
    phones: tuple[tuple[str, float, float], ...]


def save_voice(file: Path, alphabet: Alphabet, spoken: Sequence[Utterance]) -> None:
    """Write one voice; whoever reads `file` sees nothing or the whole."""
    sound = np.concatenate([one.samples for one in spoken])
    peak = max(float(np.abs(sound).max()), 1e-6)
    told = {"alphabet": alphabet, "phones": [one.phones for one in spoken]}
    partial = file.with_suffix(".part.npz")
    np.savez(
        partial,
        sound=(sound / peak * _FULL_SCALE).astype(np.int16),
        ends=np.cumsum([len(one.samples) for one in spoken]),
        told=json.dumps(told),
    )
    partial.replace(file)


def read_voice(file: Path) -> list[Speech]:
    """The utterances of one voice."""
    with np.load(file) as arrays:
        sound = arrays["sound"].astype(np.float32) / _FULL_SCALE
        pieces = np.split(sound, arrays["ends"][:-1])
        told = json.loads(str(arrays["told"]))
    if told["alphabet"] not in _READERS:
        raise CorpusError(f"{file}: phones in {told['alphabet']!r}: expected {list(_READERS)}")
    read = _READERS[told["alphabet"]]
    return [
        Speech(piece, tuple(read([Phone(*phone) for phone in phones])))
        for piece, phones in zip(pieces, told["phones"], strict=True)
    ]


def read_voices(folder: Path) -> dict[str, list[Speech]]:
    """Every voice of a folder by its name; none if there is no such folder."""
    return {file.stem: read_voice(file) for file in sorted(folder.glob("*.npz"))}
