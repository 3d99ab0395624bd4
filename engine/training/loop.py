"""The training loop: one optimiser, a calm average of the weights, checkpoints to resume from.

All chance of a step comes from the seed and the step's number, so an interrupted run that is
resumed ends with the same weights as one that was not.
"""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engine.training.corpus import CorpusError

Report = Callable[[int, float], None]

_CHECKPOINT_STEPS = 100
_SMOOTHING = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long and how fast to train."""

    seed: int = 0
    steps: int = 1200
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.1
    average: float = 0.995  # of the weights that are kept


@dataclass(slots=True)
class Log:
    """Losses by step, smoothed for the eye."""

    name: str
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0
    _smooth: float = 0.0
    _seen_s: float = field(default_factory=time.monotonic)

    def add(self, loss: float) -> None:
        """Take the loss of the next step; tell about every hundredth."""
        step = len(self.losses)
        self._smooth = loss if step == 0 else self._smooth + (loss - self._smooth) * _SMOOTHING
        self.losses.append(loss)
        now_s = time.monotonic()
        self.seconds, self._seen_s = self.seconds + now_s - self._seen_s, now_s
        if step % 100 == 0:
            print(f"{self.name} {step}: loss {self._smooth:.3f}, {self.seconds:.0f} s", flush=True)


def train(
    pace: Pace, trained: nn.Module, loss_of: Callable[[int], Tensor], log: Log, file: Path | None
) -> nn.Module:
    """Minimise `loss_of(step)` over the weights of `trained`; return the average of its weights.

    With a `file`, goes on from where an earlier run with the same pace was interrupted.
    """
    kept = copy.deepcopy(trained)
    optimizer = torch.optim.AdamW(
        trained.parameters(), pace.learning_rate, weight_decay=pace.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, pace.learning_rate, total_steps=pace.steps, pct_start=0.05
    )
    parts = {"trained": trained, "kept": kept, "optimizer": optimizer, "schedule": schedule}
    if file is not None:
        _resume(file, pace, parts, log)
    for step in range(len(log.losses), pace.steps):
        torch.manual_seed(pace.seed * pace.steps + step)
        loss = loss_of(step)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(trained.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        _move_average(kept, trained, min(pace.average, (step + 1) / (step + 10)))
        log.add(loss.item())
        if file is not None and (step + 1) % _CHECKPOINT_STEPS == 0:
            _keep(file, pace, parts, log)
    if file is not None:
        _keep(file, pace, parts, log)
    return kept


def chance_of(pace: Pace, step: int) -> np.random.Generator:
    """The chance of one step."""
    return np.random.default_rng([pace.seed, step])


@torch.no_grad()
def _move_average(kept: nn.Module, newest: nn.Module, share: float) -> None:
    for old, new in zip(kept.parameters(), newest.parameters(), strict=True):
        old.lerp_(new, 1 - share)


def _keep(file: Path, pace: Pace, parts: dict[str, Any], log: Log) -> None:
    partial = file.with_suffix(".part")
    states = {name: part.state_dict() for name, part in parts.items()}
    told = {"losses": log.losses, "seconds": log.seconds, "pace": repr(pace)}
    try:
        torch.save({**states, **told}, partial)
    except (OSError, RuntimeError) as error:
        partial.unlink(missing_ok=True)
        raise CorpusError(
            f"{file}: the checkpoint could not be written ({error}); make room and run again, "
            "training goes on from the last one"
        ) from error
    partial.replace(file)


def _resume(file: Path, pace: Pace, parts: dict[str, Any], log: Log) -> None:
    if not file.is_file():
        return
    found = torch.load(file, weights_only=True)
    if found["pace"] != repr(pace):
        raise CorpusError(
            f"{file} belongs to another run, {found['pace']}: remove it to begin anew"
        )
    for name, part in parts.items():
        part.load_state_dict(found[name])
    log.losses[:] = found["losses"]
    log.seconds = found["seconds"]
