"""The mouth network's training: from sound alone to the mouth that goes with it on average.

Most of every batch is real, the rest is synthetic speech.
"""

import dataclasses
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.portrait.gate import LOOK_AHEAD_FRAMES
from engine.portrait.landmarks import Floats
from engine.portrait.mouth_network import MouthNetwork
from engine.training.corpus import TalkingClip, amplitudes
from engine.training.crops import Batch, Sampler
from engine.training.loop import Log, Pace, chance_of, train
from engine.training.losses import LossWeights, mouth_loss
from engine.training.programmes import (
    mixed_speakers,
    programmes,
    real_speakers,
    synthetic_speakers,
    voice_speakers,
)
from engine.training.speech import Speech, synthesiser
from engine.training.visemes import VisemeTable

_MOST_S = 60.0

Voices = Mapping[str, Sequence[Speech]]
Samplers = tuple[Sampler, Sampler]  # real, synthetic


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """What batches are made of."""

    rounds: int = 1  # how often the programmes are made anew
    real_minutes: float = 45.0  # of programmes, per round
    synthetic_minutes: float = 20.0
    voice_share: float = 0.75  # of synthetic speech comes from stored voices, if there are any
    real_crops: int = 16  # of a batch
    synthetic_crops: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class MouthPlan:
    """How to train the mouth network."""

    pace: Pace = field(
        default_factory=lambda: Pace(steps=100, learning_rate=2e-3, weight_decay=0.02)
    )
    dropout: float = 0.3
    loss: LossWeights = field(
        default_factory=lambda: LossWeights(speed=0.3, shut=0.6, likeness=2.0)
    )


class Batches:
    """Batches of steps; programmes are made anew after an equal share of the steps."""

    def __init__(self, mixture: Mixture, pace: Pace, rounds: Iterator[Samplers]) -> None:
        self._mixture, self._pace, self._rounds = mixture, pace, rounds
        self._per_round = -(-pace.steps // mixture.rounds)
        self._round, self._samplers = -1, tuple[Sampler, ...]()

    def draw(self, step: int) -> Batch:
        """Features, mouth and known frames of one step."""
        while self._round < step // self._per_round:
            self._samplers = next(self._rounds)
            self._round += 1
        chance = chance_of(self._pace, step)
        sizes = (self._mixture.real_crops, self._mixture.synthetic_crops)
        drawn = [one.draw(crops, chance) for one, crops in zip(self._samplers, sizes, strict=True)]
        features, mouth, known = (torch.cat(parts) for parts in zip(*drawn, strict=True))
        return features, mouth, known


def prepare(clips: Sequence[TalkingClip]) -> tuple[list[TalkingClip], VisemeTable, Floats]:
    """Clips brought to the amplitude of a typical person, mouth shapes, and that amplitude [9]."""
    common, own = amplitudes(clips)
    even = [
        dataclasses.replace(clip, mouth=clip.mouth / own[clip.identity] * common) for clip in clips
    ]
    return even, VisemeTable.fit(even, common), common


def identity_shares(clips: Sequence[TalkingClip]) -> dict[str, float]:
    """How often each person is heard: by the root of the seconds there are, up to a minute."""
    seconds: defaultdict[str, float] = defaultdict(float)
    for clip in clips:
        seconds[clip.identity] += clip.seconds
    return {identity: min(length, _MOST_S) ** 0.5 for identity, length in seconds.items()}


def make_rounds(
    mixture: Mixture, seed: int, clips: Sequence[TalkingClip], table: VisemeTable, voices: Voices
) -> Iterator[Samplers]:
    """Fresh programmes, real and synthetic, as often as asked."""
    espeak, shares = synthesiser(), identity_shares(clips)
    for number in range(mixture.rounds):
        generator = np.random.default_rng([seed, number])
        made_up = synthetic_speakers(espeak, table, generator)
        if voices:
            stored = voice_speakers(voices, table, generator)
            made_up = mixed_speakers(made_up, stored, mixture.voice_share, generator)
        speakers = (real_speakers(clips, shares, generator), made_up)
        minutes = (mixture.real_minutes, mixture.synthetic_minutes)
        began = time.monotonic()
        real, synthetic = (
            programmes(kind, length, generator)
            for kind, length in zip(speakers, minutes, strict=True)
        )
        print(f"round {number}: programmes made in {time.monotonic() - began:.0f} s", flush=True)
        yield Sampler(real), Sampler(synthetic)


def train_mouth(
    plan: MouthPlan, batches: Batches, scale: Floats, log: Log, file: Path | None = None
) -> MouthNetwork:
    """A mouth network trained on `batches`; scale [9] is the usual std of the channels."""
    torch.manual_seed(plan.pace.seed)
    network = MouthNetwork(plan.dropout)
    network.scale = usual = torch.from_numpy(scale)

    def loss_of(step: int) -> Tensor:
        features, mouth, known = batches.draw(step)
        guess, _ = network(features, network.start(len(features)))
        return mouth_loss(guess[:, LOOK_AHEAD_FRAMES:], mouth, known, usual, plan.loss)

    kept = train(plan.pace, network, loss_of, log, file)
    assert isinstance(kept, MouthNetwork)
    return kept
