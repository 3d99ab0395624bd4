"""Train the mouth network.

    python -m engine.training.motion --corpus FOLDER --out engine/weights/motion.safetensors

Deterministic for a seed on one thread. Only clips with the role `ship` are used; half of every
batch is real, half is synthetic speech.
"""

import copy
import dataclasses
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from safetensors.torch import save_file
from torch import Tensor

from engine.portrait.landmarks import Floats
from engine.portrait.mel import BANDS, HOPS_PER_FRAME
from engine.portrait.motion import LOOK_AHEAD_FRAMES, MouthNetwork
from engine.training.corpus import TalkingClip, amplitudes, read_corpus
from engine.training.losses import LossWeights, mouth_loss
from engine.training.programmes import Programme, programmes, real_items, synthetic_items
from engine.training.speech import Espeak
from engine.training.visemes import VisemeTable

Generator = np.random.Generator
Batch = tuple[Tensor, Tensor, Tensor]  # features, mouth, known

_CROP_FRAMES = 110
_START_FRAMES = 8  # of a crop, where the network has not yet heard enough
# Another microphone and throat, strongly varied: without, the few real voices are learned by heart.
_COLOUR_KNOTS, _COLOUR = 6, 0.4
_THROAT = 0.2
_HIDDEN_STRIPES, _STRIPE_BANDS = 2, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long and how hard to train."""

    seed: int = 0
    steps: int = 1200
    rounds: int = 2  # how often the programmes are made anew
    real_minutes: float = 40.0  # of programmes, per round
    synthetic_minutes: float = 80.0
    real_crops: int = 10  # of a batch
    synthetic_crops: int = 14
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.1
    dropout: float = 0.3
    average: float = 0.995  # of the weights that are kept
    loss: LossWeights = field(default_factory=LossWeights)


class Sampler:
    """Draws crops from programmes, each as if another microphone and another throat had made it."""

    def __init__(self, made: Sequence[Programme], generator: Generator) -> None:
        self._made, self._generator = made, generator
        lengths = np.array([len(one.weight) for one in made], float)
        self._shares = lengths / lengths.sum()

    def draw(self, crops: int) -> Batch:
        """Features [crops, hops, BANDS], mouth [crops, frames, 9], known [crops, frames]."""
        drawn = [self._crop() for _ in range(crops)]
        features, mouth, known = (np.stack(parts) for parts in zip(*drawn, strict=True))
        return torch.from_numpy(features), torch.from_numpy(mouth), torch.from_numpy(known)

    def _crop(self) -> tuple[Floats, Floats, Floats]:
        one = self._made[self._generator.choice(len(self._made), p=self._shares)]
        start = int(self._generator.integers(0, max(1, len(one.weight) - _CROP_FRAMES)))
        heard = one.features[start * HOPS_PER_FRAME :][: _CROP_FRAMES * HOPS_PER_FRAME]
        known = one.weight[start:][: _CROP_FRAMES - LOOK_AHEAD_FRAMES].copy()
        if start:
            known[:_START_FRAMES] = 0
        mouth = one.mouth[start:][: _CROP_FRAMES - LOOK_AHEAD_FRAMES]
        return _coloured(heard.astype(np.float32), self._generator), mouth, known


def _coloured(features: Floats, generator: Generator) -> Floats:
    """Another microphone (a smooth curve over the bands) and throat (bands moved up or down)."""
    bands = np.arange(BANDS)
    knots = np.linspace(0, BANDS - 1, _COLOUR_KNOTS)
    curve = np.interp(bands, knots, generator.normal(0, _COLOUR, _COLOUR_KNOTS))
    throat = generator.uniform(1 - _THROAT, 1 + _THROAT)
    source = bands * throat + generator.uniform(-1.5, 1.5)
    low = np.clip(np.floor(source).astype(int), 0, BANDS - 2)
    share = np.clip(source - low, 0, 1).astype(np.float32)
    moved = features[:, low] * (1 - share) + features[:, low + 1] * share
    moved = np.maximum(moved + curve.astype(np.float32), features.min())
    for _ in range(_HIDDEN_STRIPES):
        width = int(generator.integers(0, _STRIPE_BANDS))
        first = int(generator.integers(0, BANDS - width))
        moved[:, first : first + width] = moved.mean()
    return np.asarray(moved, np.float32)


def prepare(clips: Sequence[TalkingClip]) -> tuple[list[TalkingClip], VisemeTable, Floats]:
    """Clips brought to the amplitude of a typical person, mouth shapes, and that amplitude [9]."""
    common, own = amplitudes(clips)
    even = [
        dataclasses.replace(clip, mouth=clip.mouth / own[clip.identity] * common) for clip in clips
    ]
    return even, VisemeTable.fit(even, common), common


def clip_shares(clips: Sequence[TalkingClip]) -> list[float]:
    """How often each clip is drawn: an identity counts by the root of its length."""
    seconds: Counter[str] = Counter()
    for clip in clips:
        seconds[clip.identity] += clip.seconds  # type: ignore[assignment]  # a sum, not a count
    return [clip.seconds / np.sqrt(seconds[clip.identity]) for clip in clips]


def train(
    plan: Plan,
    rounds: Iterator[tuple[Sampler, Sampler]],
    scale: Floats,
    report: Callable[[int, float], None],
) -> MouthNetwork:
    """Weights after `plan.steps` steps on what `rounds` yields (real and synthetic samplers)."""
    torch.manual_seed(plan.seed)
    network = MouthNetwork(plan.dropout)
    network.scale = usual = torch.from_numpy(scale)
    kept = copy.deepcopy(network)
    optimizer = torch.optim.AdamW(
        network.parameters(), plan.learning_rate, weight_decay=plan.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, plan.learning_rate, total_steps=plan.steps, pct_start=0.05
    )
    per_round = -(-plan.steps // plan.rounds)
    samplers: tuple[Sampler, ...] = ()
    for step in range(plan.steps):
        if step % per_round == 0:
            samplers = next(rounds)
        sizes = (plan.real_crops, plan.synthetic_crops)
        drawn = [one.draw(crops) for one, crops in zip(samplers, sizes, strict=True)]
        features, mouth, known = (torch.cat(parts) for parts in zip(*drawn, strict=True))
        guess, _ = network(features, network.start(len(features)))
        loss = mouth_loss(guess[:, LOOK_AHEAD_FRAMES:], mouth, known, usual, plan.loss)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        _average(kept, network, min(plan.average, (step + 1) / (step + 10)))
        report(step, loss.item())
    return kept


@torch.no_grad()
def _average(kept: MouthNetwork, newest: MouthNetwork, share: float) -> None:
    """Move the weights of `kept` towards `newest`."""
    for old, new in zip(kept.parameters(), newest.parameters(), strict=True):
        old.lerp_(new, 1 - share)


def make_rounds(
    plan: Plan, clips: Sequence[TalkingClip], table: VisemeTable
) -> Iterator[tuple[Sampler, Sampler]]:
    """Fresh programmes, real and synthetic, as often as asked."""
    espeak, shares = Espeak(), clip_shares(clips)
    for number in range(plan.rounds):
        generator = np.random.default_rng([plan.seed, number])
        items = (real_items(clips, shares, generator), synthetic_items(espeak, table, generator))
        minutes = (plan.real_minutes, plan.synthetic_minutes)
        began = time.monotonic()
        real, synthetic = (
            programmes(kind, length, generator) for kind, length in zip(items, minutes, strict=True)
        )
        print(f"round {number}: programmes made in {time.monotonic() - began:.0f} s", flush=True)
        yield Sampler(real, generator), Sampler(synthetic, generator)


def save(network: MouthNetwork, out: Path) -> None:
    """Write weights; whoever reads `out` sees the old file or the whole new one."""
    partial = out.with_suffix(".part")
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, partial)
    partial.replace(out)


def _main(
    corpus: Annotated[Path, typer.Option(help="Corpus folder with index.json.")],
    out: Annotated[Path, typer.Option(help="Where to write the weights.")],
    cache: Annotated[Path, typer.Option(help="Where measures are kept.")] = Path("build/training"),
    seed: Annotated[int, typer.Option(help="Same seed, same weights.")] = 0,
    steps: Annotated[int, typer.Option(help="Training steps.")] = Plan().steps,
) -> None:
    """Train motion weights on the ship clips of a corpus and on synthetic speech."""
    torch.set_num_threads(1)
    plan = Plan(seed=seed, steps=steps)
    clips, table, scale = prepare(read_corpus(corpus, "ship", cache))
    print(f"{len(clips)} clips; mouth shapes explain {table.explained:.2f} of the lip opening")
    began, smooth = time.monotonic(), 0.0

    def report(step: int, loss: float) -> None:
        nonlocal smooth
        smooth = loss if step == 0 else smooth * 0.98 + loss * 0.02
        if step % 100 == 0:
            print(
                f"step {step} loss {smooth:.3f} after {time.monotonic() - began:.0f} s", flush=True
            )

    save(train(plan, make_rounds(plan, clips, table), scale, report), out)


if __name__ == "__main__":
    typer.run(_main)
