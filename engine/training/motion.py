"""Train the mouth motion: first what sound foretells, then the denoiser that starts from it.

    python -m engine.training.motion --corpus FOLDER --out engine/weights/motion.safetensors

Only clips with the role `ship` are used. Deterministic for a seed on one thread. An interrupted run
goes on from its last checkpoint when the same command is given again.
"""

import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import matplotlib as mpl
import numpy as np
import torch
import typer
from matplotlib.figure import Figure
from safetensors.torch import save_file

from engine.portrait.landmarks import Floats
from engine.portrait.motion import MotionModel
from engine.portrait.motion_denoiser import MotionNetwork
from engine.portrait.mouth_network import MouthNetwork
from engine.training.corpus import TalkingClip, read_corpus
from engine.training.denoising import DenoiserPlan, train_denoiser
from engine.training.foretelling import (
    Batches,
    Mixture,
    MouthPlan,
    Voices,
    make_rounds,
    prepare,
    train_mouth,
)
from engine.training.loop import Log
from engine.training.visemes import VisemeTable
from engine.training.voices import read_voices

_SMOOTH_STEPS = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The whole training."""

    mouth: MouthPlan = field(default_factory=MouthPlan)
    denoiser: DenoiserPlan = field(default_factory=DenoiserPlan)
    mixture: Mixture = field(default_factory=Mixture)
    windows: Mixture = field(  # of the denoiser
        default_factory=lambda: Mixture(rounds=1, real_crops=10, synthetic_crops=6)
    )

    def with_seed(self, seed: int) -> "Plan":
        """The same plan with another chance."""
        mouth = replace(self.mouth, pace=replace(self.mouth.pace, seed=seed))
        denoiser = replace(self.denoiser, pace=replace(self.denoiser.pace, seed=seed))
        return replace(self, mouth=mouth, denoiser=denoiser)


@dataclass(frozen=True, slots=True)
class Material:
    """What is trained on."""

    clips: Sequence[TalkingClip]
    table: VisemeTable
    voices: Voices
    scale: Floats  # [9], the usual standard deviation of the channels

    @classmethod
    def read(cls, corpus: Path, cache: Path) -> "Material":
        """The ship clips of a corpus, and the voices beside their measures in `cache`."""
        clips, table, scale = prepare(read_corpus(corpus, "ship", cache))
        return cls(clips, table, read_voices(cache / "voices"), scale)

    def middle(self) -> Floats:
        """The mean of the channels [9] while people speak."""
        return np.asarray(np.mean([clip.mouth.mean(0) for clip in self.clips], axis=0), np.float32)


def train_motion(
    plan: Plan, material: Material, run: Path, mouth: MouthNetwork | None = None
) -> tuple[MotionNetwork, list[Log]]:
    """Train both parts, or only the denoiser of a given mouth network; checkpoints go to `run`."""
    logs = [Log("mouth"), Log("denoiser")]
    seed, pace = plan.mouth.pace.seed, plan.mouth.pace
    made = material.clips, material.table, material.voices
    if mouth is None:
        batches = Batches(plan.mixture, pace, make_rounds(plan.mixture, seed, *made))
        mouth = train_mouth(plan.mouth, batches, material.scale, logs[0], run / "mouth.checkpoint")
    else:
        del logs[0]
    torch.manual_seed(seed)
    network = MotionNetwork(plan.mouth.dropout)
    network.mouth = mouth
    network.spread = torch.from_numpy(material.scale)
    network.middle = torch.from_numpy(material.middle())
    pace = plan.denoiser.pace
    batches = Batches(plan.windows, pace, make_rounds(plan.windows, seed, *made))
    network = train_denoiser(
        network, plan.denoiser, batches.draw, logs[-1], run / "denoiser.checkpoint"
    )
    return network, logs


def save(network: MotionNetwork, out: Path) -> None:
    """Write weights; whoever reads `out` sees the old file or the whole new one."""
    partial = out.with_suffix(".part")
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, partial)
    partial.replace(out)


def write_log(plan: Plan, logs: Sequence[Log], run: Path) -> None:
    """Curves as PNG; wall time, machine and plan as JSON."""
    told = {
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "torch": torch.__version__,
        "plan": repr(plan),
        "seconds": {log.name: round(log.seconds) for log in logs},
        "last_loss": {log.name: float(np.mean(log.losses[-_SMOOTH_STEPS:])) for log in logs},
    }
    (run / "log.json").write_text(json.dumps(told, indent=1) + "\n")
    with mpl.rc_context({"font.size": 9}):
        figure = Figure(figsize=(8, 3), layout="constrained")
        for axes, log in zip(figure.subplots(1, len(logs), squeeze=False)[0], logs, strict=True):
            width = min(_SMOOTH_STEPS, len(log.losses))
            smooth = np.convolve(log.losses, np.ones(width) / width, "valid")
            axes.plot(np.arange(len(smooth)) + width, smooth)
            axes.set(title=f"{log.name}, {log.seconds:.0f} s", xlabel="step", ylabel="loss")
        figure.savefig(run / "curves.png", dpi=110)


def _main(
    corpus: Annotated[Path, typer.Option(help="Corpus folder with index.json.")],
    out: Annotated[Path, typer.Option(help="Where to write the weights.")],
    cache: Annotated[Path, typer.Option(help="Where measures are kept.")] = Path("build/training"),
    run: Annotated[Path, typer.Option(help="Folder for checkpoints, log and curves.")] = Path(
        "build/motion"
    ),
    seed: Annotated[int, typer.Option(help="Same seed, same weights.")] = 0,
    mouth: Annotated[
        Path | None, typer.Option(help="Weights whose mouth network is kept: train the rest only.")
    ] = None,
) -> None:
    """Train motion weights on the ship clips of a corpus and on synthetic speech."""
    torch.set_num_threads(1)
    run.mkdir(parents=True, exist_ok=True)
    plan = Plan().with_seed(seed)
    material = Material.read(corpus, cache)
    print(
        f"{len(material.clips)} clips; mouth shapes explain {material.table.explained:.2f} of the "
        f"lip opening; voices: {', '.join(material.voices) or 'none'}"
    )
    kept = None if mouth is None else MotionModel.load(mouth).network.mouth
    network, logs = train_motion(plan, material, run, kept)
    save(network, out)
    write_log(plan, logs, run)


if __name__ == "__main__":
    typer.run(_main)
