"""Train the mouth network.

    python -m engine.training.mouth --corpus FOLDER --out build/training/mouth.safetensors

Deterministic for a seed on one thread. Only clips with the role `ship` train. A run that was
stopped goes on from its last checkpoint; whoever reads the weights sees old ones or whole new ones.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from engine.portrait.painted_mouth_network import PLACE, PaintedMouthNetwork, hide_opening
from engine.training.mouth_batches import Batch, PairSampler
from engine.training.mouth_data import MouthPairs, read_mouth_pairs

_MOST_S = 40.0  # of one person: GRID's 20 minutes of one speaker must not drown the others
_EVAL_MOST_S = 2.9
_CHECKPOINT_STEPS = 50
_LOG_STEPS = 50
_PLACES_FASTER = 4.0
_INSIDE = 0.5  # of a pixel, from which on it counts as open


@dataclass(frozen=True, slots=True, kw_only=True)
class MouthPlan:
    """How long and how hard to train."""

    seed: int = 0
    steps: int = 2800
    pairs: int = 3  # of consecutive frames in a batch
    learning_rate: float = 2e-3
    alike: float = 0.02  # how much it costs that people's teeth stand elsewhere
    exact: float = 0.5  # of pixels in the opening
    colours: float = 2.0  # of the opening's colours as a whole
    detail: float = 0.3
    steady: float = 0.5
    average: float = 0.99  # of the weights that are kept


def compose(network: PaintedMouthNetwork, batch: Batch, person: Tensor | None = None) -> Tensor:
    """The finished mouths [batch, 3, 88, 112]: painted ones pasted into warped lips.

    `person` [batch, 9] is what is known of where the teeth stand beside the look: usually nothing.
    """
    painted = network(
        hide_opening(batch.warped, batch.opening),
        torch.cat([batch.still, batch.still_opening], 1),
        batch.coordinates,
        batch.drop,
        torch.zeros(len(batch.drop), PLACE) if person is None else person,
    )
    return torch.lerp(batch.warped, painted, batch.cover)


def detail(picture: Tensor) -> tuple[Tensor, Tensor]:
    """Differences of neighbours down and across."""
    return picture[..., 1:, :] - picture[..., :-1, :], picture[..., 1:] - picture[..., :-1]


def picture_loss(made: Tensor, batch: Batch, plan: MouthPlan) -> Tensor:
    """Colours in the opening, colour and detail around it, and change between frames."""
    weight = batch.cover * (1 - batch.opening) + plan.exact * batch.opening
    scale = (batch.cover + 2 * batch.opening).mean().clamp_min(1e-3)
    off = made - batch.target
    loss = (weight * off.abs()).mean() / scale
    for size in (1, 2):
        small = functional.avg_pool2d(off * weight, size)
        loss = loss + plan.detail * sum(part.abs().mean() for part in detail(small)) / scale
    loss = loss + plan.colours * shades_apart(made, batch.target, batch.opening) / scale
    change = off[1::2] - off[::2]
    both = torch.maximum(batch.opening[1::2], batch.opening[::2])
    return torch.as_tensor(loss + plan.steady * (both * change.abs()).mean() / scale)


def shades_apart(made: Tensor, target: Tensor, opening: Tensor) -> Tensor:
    """How far apart the colours in the opening are, wherever they stand in it.

    Earth mover's distance of each channel's values. A pixel's own error is least for a blur of
    all mouths that may stand there; this one is not, for a blur has neither white nor black.
    """
    inside = opening > _INSIDE
    first, second = (
        torch.where(inside, part, 1.0).flatten(2).sort(-1).values for part in (made, target)
    )
    return (first - second).abs().mean()


class People(nn.Module):
    """Where each person's teeth stand, as no closed mouth tells: known in training alone."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.zeros(count, PLACE))

    def forward(self, person: Tensor) -> Tensor:
        """Places [batch, 9] of people [batch]. On the mean of all people they are zero."""
        return (self.place - self.place.mean(0))[person]


class Trainer:
    """Network and optimiser, one step at a time."""

    def __init__(self, plan: MouthPlan, sampler: PairSampler) -> None:
        torch.manual_seed(plan.seed)
        self.plan, self._sampler = plan, sampler
        self.network, self.kept = PaintedMouthNetwork(), PaintedMouthNetwork()
        self.people = People(sampler.people)
        self.kept.load_state_dict(self.network.state_dict())
        self._optimizer = torch.optim.Adam(self._rates(), plan.learning_rate, (0.9, 0.99))
        self.step = 0

    def advance(self) -> dict[str, float]:
        """One step; what it cost."""
        plan = self.plan
        batch = self._sampler.draw(self.step, plan.pairs)
        for group in self._optimizer.param_groups:
            group["lr"] = group["share"] * plan.learning_rate * _rate(self.step / plan.steps)
        person = self.people(batch.person)
        loss = picture_loss(compose(self.network, batch, person), batch, plan)
        self._optimizer.zero_grad()
        torch.autograd.backward(loss + plan.alike * person.square().mean())
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self._optimizer.step()
        self._keep()
        self.step += 1
        return {"picture": loss.item()}

    def _rates(self) -> list[dict[str, object]]:
        """Few numbers that move much go faster than the many that move little."""
        network = self.network
        fast = [
            *self.people.parameters(),
            *network.teeth.parameters(),
            *network.sketcher.jaw.parameters(),
        ]
        known = {id(part) for part in fast}
        slow = [part for part in network.parameters() if id(part) not in known]
        return [{"params": slow, "share": 1.0}, {"params": fast, "share": _PLACES_FASTER}]

    @torch.no_grad()
    def _keep(self) -> None:
        share = min(self.plan.average, (self.step + 1) / (self.step + 10))
        for old, new in zip(self.kept.parameters(), self.network.parameters(), strict=True):
            old.lerp_(new, 1 - share)

    def state(self) -> dict[str, object]:
        """Everything that `restore` needs."""
        parts = self._parts()
        return {"step": self.step, **{name: part.state_dict() for name, part in parts.items()}}

    def restore(self, state: dict[str, object]) -> None:
        """Go on where `state` was taken."""
        self.step = int(str(state["step"]))
        for name, part in self._parts().items():
            part.load_state_dict(state[name])  # type: ignore[arg-type]  # as `state` made it

    def _parts(self) -> "dict[str, nn.Module | torch.optim.Optimizer]":
        return {
            "network": self.network,
            "kept": self.kept,
            "people": self.people,
            "optimizer": self._optimizer,
        }


def _rate(progress: float) -> float:
    """Of the learning rate: up at once, then down along a cosine."""
    return float(min(progress / 0.02, 1) * (0.52 + 0.48 * np.cos(np.pi * min(progress, 1))))


@torch.no_grad()
def held_out_error(network: PaintedMouthNetwork, batch: Batch) -> float:
    """Mean absolute error in the opening, 0..1, of people never trained on."""
    made = compose(network, batch).clamp(-0.5, 0.5)
    return float(((made - batch.target).abs() * batch.opening).sum() / batch.opening.sum() / 3)


def save(network: PaintedMouthNetwork, out: Path) -> None:
    """Write weights; whoever reads `out` sees the old file or the whole new one."""
    partial = out.with_suffix(".part")
    halves = {name: value.half().contiguous() for name, value in network.state_dict().items()}
    save_file(halves, partial)
    partial.replace(out)


def train(
    trainer: Trainer,
    checkpoint: Path,
    seconds: float,
    report: Callable[[int, dict[str, float]], None],
) -> None:
    """Advance to the end of the plan or of the time, leaving checkpoints."""
    if checkpoint.is_file():
        trainer.restore(torch.load(checkpoint, weights_only=True))
    end_s = time.monotonic() + seconds
    while trainer.step < trainer.plan.steps and time.monotonic() < end_s:
        report(trainer.step, trainer.advance())
        if trainer.step % _CHECKPOINT_STEPS == 0 or trainer.step == trainer.plan.steps:
            partial = checkpoint.with_suffix(".part")
            torch.save(trainer.state(), partial)
            partial.replace(checkpoint)


class Log:
    """Curves as lines of JSON and as a picture."""

    def __init__(self, folder: Path, measure: Callable[[], float]) -> None:
        self._path, self._measure = folder / "mouth.jsonl", measure
        self._begun_s = time.monotonic()
        self._sums: dict[str, list[float]] = {}

    def __call__(self, step: int, losses: dict[str, float]) -> None:
        """Take one step's losses; write a line now and then."""
        for name, value in losses.items():
            self._sums.setdefault(name, []).append(value)
        if (step + 1) % _LOG_STEPS:
            return
        line = {name: round(float(np.mean(values)), 4) for name, values in self._sums.items()}
        seconds = round(time.monotonic() - self._begun_s)
        line = {"step": step + 1, "seconds": seconds, **line, "held_out": round(self._measure(), 5)}
        self._sums.clear()
        with self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        print(line, flush=True)

    def draw(self, out: Path) -> None:
        """The curves as a picture file."""
        from matplotlib.figure import Figure  # noqa: PLC0415  # only when there is something to draw

        lines = [json.loads(line) for line in self._path.read_text().splitlines()]
        figure = Figure((10, 6))
        for axes, name in zip(figure.subplots(1, 2).flat, ("picture", "held_out"), strict=True):
            known = [line for line in lines if name in line]
            axes.plot([line["step"] for line in known], [line[name] for line in known])
            axes.set_title(name)
        figure.savefig(out)


def _main(
    corpus: Annotated[Path, typer.Option(help="Corpus folder with index.json.")],
    out: Annotated[Path, typer.Option(help="Where to write the weights.")],
    cache: Annotated[Path, typer.Option(help="Where crops and checkpoints are kept.")] = Path(
        "build/training"
    ),
    seed: Annotated[int, typer.Option(help="Same seed, same weights.")] = 0,
    steps: Annotated[int, typer.Option(help="Training steps.")] = MouthPlan().steps,
    minutes: Annotated[float, typer.Option(help="Stop after this long.")] = 180.0,
) -> None:
    """Train mouth weights on the ship clips of a corpus."""
    torch.set_num_threads(1)
    plan = MouthPlan(seed=seed, steps=steps)
    trainer = Trainer(plan, PairSampler(read_mouth_pairs(corpus, "ship", cache, _MOST_S), seed))
    held_out = _held_out(read_mouth_pairs(corpus, "eval", cache, _EVAL_MOST_S))
    run = cache / f"mouth-run-{seed}-{steps}"
    run.mkdir(parents=True, exist_ok=True)
    log = Log(run, lambda: held_out_error(trainer.kept, held_out))
    train(trainer, run / "checkpoint.pt", minutes * 60, log)
    save(trainer.kept, out)
    log.draw(run / "curves.png")


def _held_out(pairs: MouthPairs) -> Batch:
    return PairSampler(pairs, 0, augment=False).draw(0, 30)


if __name__ == "__main__":
    typer.run(_main)
