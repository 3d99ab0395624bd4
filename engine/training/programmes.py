"""Programmes: half a minute of what a microphone might hear, and the mouth that belongs to it.

One voice says one thing after another with pauses, each at its own level, in one room with one
noise.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.api import Samples
from engine.config import TIMING
from engine.portrait.channels import MOUTH_CHANNELS
from engine.portrait.landmarks import Floats
from engine.training import acoustics
from engine.training.corpus import TalkingClip
from engine.training.speech import Espeak, Speech, espeak_voices
from engine.training.visemes import VisemeTable
from engine.training.whole_hearing import hear

Item: TypeAlias = tuple[Samples, Floats]  # [640 frames], [frames, 9]
Speakers: TypeAlias = Iterator[Iterator[Item]]  # each endless, and one voice
Generator = np.random.Generator

_SECONDS = 30.0
_USUAL_LEVEL_DB, _GAIN_DB, _ITEM_GAIN_DB = -26.0, 18.0, 5.0
_NOISY_SHARE, _NOISE_BELOW_DB = 0.25, (5.0, 30.0)
_FAINT_NOISE_DB = (-90.0, -60.0)
_ECHO_SHARE = 0.4
_PAUSE_S = (0.1, 1.6)
_LONG_PAUSE_S, _LONG_PAUSE_SHARE = (2.0, 6.0), 0.12
_SEAM_FRAMES = 2  # on each side of a cut, where the truth jumps
_STRETCH_PERCENT = (86, 117)
_NOISES: tuple[acoustics.NoiseKind, ...] = ("white", "pink", "brown", "hum")


@dataclass(frozen=True, slots=True)
class Programme:
    """Training material in step."""

    features: NDArray[np.float16]  # [4 frames, FEATURES]
    mouth: Floats  # [frames, 9]
    weight: Floats  # [frames], 0 where the truth is not known


def real_speakers(
    clips: Sequence[TalkingClip], shares: Mapping[str, float], generator: Generator
) -> Speakers:
    """Endless people, drawn by the `shares` of their identities."""
    people = list(shares)
    probability = np.array(list(shares.values())) / sum(shares.values())
    while True:
        person = people[generator.choice(len(people), p=probability)]
        yield real_items([clip for clip in clips if clip.identity == person], generator)


def real_items(clips: Sequence[TalkingClip], generator: Generator) -> Iterator[Item]:
    """Endless clips, each time a little faster and higher or slower and lower."""
    seconds = np.array([clip.seconds for clip in clips])
    probability = seconds / seconds.sum()
    while True:
        clip = clips[generator.choice(len(clips), p=probability)]
        percent = int(generator.integers(*_STRETCH_PERCENT))
        yield acoustics.stretched(clip.samples, clip.mouth, percent)


def synthetic_speakers(espeak: Espeak, table: VisemeTable, generator: Generator) -> Speakers:
    """Endless synthetic voices."""
    for speech in espeak_voices(espeak, generator):
        yield synthetic_items(speech, table)


def synthetic_items(spoken: Iterator[Speech], table: VisemeTable) -> Iterator[Item]:
    """Speech with the motion that its phones ask for."""
    size = TIMING.samples_per_frame
    for speech in spoken:
        frames = -(-len(speech.samples) // size)
        padded = np.pad(speech.samples, (0, frames * size - len(speech.samples)))
        yield padded, table.motion(speech.visemes, frames)


def voice_speakers(
    voices: Mapping[str, Sequence[Speech]], table: VisemeTable, generator: Generator
) -> Speakers:
    """Endless stored voices, every one as often."""
    names = sorted(voices)
    while True:
        yield voice_items(voices[names[int(generator.integers(len(names)))]], table, generator)


def voice_items(
    spoken: Sequence[Speech], table: VisemeTable, generator: Generator
) -> Iterator[Item]:
    """Endless stored speech of one voice, each time of another throat and pace."""
    size = TIMING.samples_per_frame
    while True:
        speech = spoken[int(generator.integers(len(spoken)))]
        frames = -(-len(speech.samples) // size)
        padded = np.pad(speech.samples, (0, frames * size - len(speech.samples)))
        percent = int(generator.integers(*_STRETCH_PERCENT))
        yield acoustics.stretched(padded, table.motion(speech.visemes, frames), percent)


def mixed_speakers(
    first: Speakers, second: Speakers, share: float, generator: Generator
) -> Speakers:
    """From `second` with probability `share`, else from `first`."""
    while True:
        yield next(second if generator.random() < share else first)


def programme(items: Iterator[Item], generator: Generator) -> Programme:
    """Half a minute of items, pauses between them, heard through one microphone."""
    heard, mouth, weight = recording(items, generator)
    return Programme(hear(heard).features.astype(np.float16), mouth, weight)


def recording(items: Iterator[Item], generator: Generator) -> tuple[Samples, Floats, Floats]:
    """What a programme is made of: its sound [640 frames], mouth [frames, 9], weight [frames]."""
    base_db = _USUAL_LEVEL_DB + generator.uniform(-_GAIN_DB, _GAIN_DB)
    sounds, mouths, weights = list[Samples](), list[Floats](), list[Floats]()
    frames = 0
    while frames * TIMING.frame_s < _SECONDS:
        sound, mouth = next(items)
        level_db = base_db + generator.uniform(-_ITEM_GAIN_DB, _ITEM_GAIN_DB)
        pause = _pause_frames(generator)
        known = np.ones(len(mouth) + pause, np.float32)
        known[:_SEAM_FRAMES] = known[-_SEAM_FRAMES:] = 0
        known[len(mouth) - _SEAM_FRAMES : len(mouth) + _SEAM_FRAMES] = 0
        sounds += [
            acoustics.at_level(sound, level_db),
            np.zeros(pause * TIMING.samples_per_frame, np.float32),
        ]
        mouths += [mouth, np.zeros((pause, MOUTH_CHANNELS), np.float32)]
        weights.append(known)
        frames += len(known)
    heard = _microphone(np.concatenate(sounds), base_db, generator)
    return heard, np.concatenate(mouths), np.concatenate(weights)


def programmes(speakers: Speakers, minutes: float, generator: Generator) -> list[Programme]:
    """At least `minutes` of programmes."""
    made: list[Programme] = []
    while sum(len(one.weight) for one in made) * TIMING.frame_s < minutes * 60:
        made.append(programme(next(speakers), generator))
    return made


def _pause_frames(generator: Generator) -> int:
    long = generator.random() < _LONG_PAUSE_SHARE
    return round(generator.uniform(*(_LONG_PAUSE_S if long else _PAUSE_S)) / TIMING.frame_s)


def _microphone(sound: Samples, level_db: float, generator: Generator) -> Samples:
    if generator.random() < _ECHO_SHARE:
        sound = acoustics.echo(sound, generator)
    if generator.random() < _NOISY_SHARE:
        noise_db = level_db - generator.uniform(*_NOISE_BELOW_DB)
    else:
        noise_db = generator.uniform(*_FAINT_NOISE_DB)
    kind = _NOISES[generator.integers(len(_NOISES))]
    room = acoustics.noise(kind, len(sound), generator) * np.float32(10 ** (noise_db / 20))
    return np.clip(sound + room, -1, 1).astype(np.float32)
