"""Make the phone network: it learns to hear with 80 ms of future what its teacher hears with all.

    python -m engine.training.phones --corpus FOLDER --out engine/weights/phones.safetensors

It begins with the teacher's weights, with taps cut to what they may see. The sound is that of the
mouth's training: clips with the role `ship`, stored voices and espeak-ng, in rooms and noise. An
interrupted run goes on from its last checkpoint when the same command is given again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor

from engine.api import Samples
from engine.portrait.landmarks import Floats
from engine.portrait.mel import HOPS_PER_FRAME, MelStream
from engine.portrait.phone_network import LATE_FRAMES, STEPS_PER_FRAME, PhoneNetwork
from engine.training.corpus import read_corpus
from engine.training.foretelling import identity_shares, prepare
from engine.training.loop import Log, Pace, chance_of, train
from engine.training.phone_teacher import Teacher, begin, read_teacher, teacher_file
from engine.training.programmes import (
    Speakers,
    real_speakers,
    recording,
    synthetic_speakers,
    voice_speakers,
)
from engine.training.speech import synthesiser
from engine.training.voices import read_voices

Generator = np.random.Generator

_CROP_FRAMES, _CROPS = 125, 6
_NOTICE = "Changed from hama 1.7.0 (Apache-2.0), see NOTICE"
_FIRST_STEPS = 20  # of a crop, where the student has not yet heard enough
_LEVEL = 0.7  # of the bands, a natural logarithm: the running speech level is a guess
_EVERY = 25  # steps from which the teacher's spread is taken
PACE = Pace(steps=600, learning_rate=4e-4, weight_decay=0.01, average=0.99)


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is heard in a programme."""

    bands: NDArray[np.float16]  # [hops, PHONE_BANDS]
    steps: NDArray[np.float16]  # [hops / 2, 144] of the teacher


def lesson(teacher: Teacher, samples: Samples) -> Lesson:
    """What the teacher hears in a sound of whole frames."""
    hops = MelStream().push(samples)
    steps = teacher.hear(samples, hops.speech_db)
    return Lesson(hops.phone_bands.astype(np.float16), steps.astype(np.float16))


def lessons(
    teacher: Teacher, speakers: Speakers, programmes: int, generator: Generator
) -> list[Lesson]:
    """One of each programme."""
    sounds = (recording(next(speakers), generator)[0] for _ in range(programmes))
    return [lesson(teacher, sound) for sound in sounds]


def learn(
    state: dict[str, Tensor],
    given: Sequence[Lesson],
    pace: Pace,
    log: Log,
    file: Path | None = None,
) -> PhoneNetwork:
    """The network that begins with `state` and was given lessons."""
    torch.manual_seed(pace.seed)
    network = PhoneNetwork()
    network.load_state_dict(state, strict=True)
    heard = np.concatenate([one.steps[::_EVERY] for one in given]).astype(np.float32)
    spread = torch.from_numpy(heard.std(0))

    def loss_of(step: int) -> Tensor:
        bands, steps = _crops(given, chance_of(pace, step))
        off: Tensor = (network(bands) - steps) / spread
        return off[:, _FIRST_STEPS : -LATE_FRAMES * STEPS_PER_FRAME].square().mean()

    kept = train(pace, network, loss_of, log, file)
    assert isinstance(kept, PhoneNetwork)
    return kept


def _crops(given: Sequence[Lesson], chance: Generator) -> tuple[Tensor, Tensor]:
    bands, steps = list[Floats](), list[Floats]()
    for _ in range(_CROPS):
        one = given[int(chance.integers(len(given)))]
        frame = int(chance.integers(max(1, len(one.bands) // HOPS_PER_FRAME - _CROP_FRAMES)))
        hops, first = HOPS_PER_FRAME * frame, STEPS_PER_FRAME * frame
        level = chance.normal(0, _LEVEL)
        bands.append(
            one.bands[hops:][: HOPS_PER_FRAME * _CROP_FRAMES].astype(np.float32) + np.float32(level)
        )
        steps.append(one.steps[first:][: STEPS_PER_FRAME * _CROP_FRAMES].astype(np.float32))
    return torch.from_numpy(np.stack(bands)), torch.from_numpy(np.stack(steps))


def save_phones(network: PhoneNetwork, out: Path) -> None:
    """Write weights as half floats; whoever reads `out` sees the old file or the whole new one."""
    partial = out.with_suffix(".part")
    halves = {name: part.half().contiguous() for name, part in network.state_dict().items()}
    save_file(halves, partial, {"notice": _NOTICE})
    partial.replace(out)


def _speakers(corpus: Path, cache: Path, generator: Generator) -> dict[str, tuple[Speakers, int]]:
    """Kinds of speakers, and how many programmes of each."""
    clips, table, _ = prepare(read_corpus(corpus, "ship", cache))
    kinds = {
        "real": (real_speakers(clips, identity_shares(clips), generator), 60),
        "espeak": (synthetic_speakers(synthesiser(), table, generator), 34),
    }
    if voices := read_voices(cache / "voices"):
        kinds["voices"] = (voice_speakers(voices, table, generator), 40)
    return kinds


def _main(
    corpus: Annotated[Path, typer.Option(help="Corpus folder with index.json.")],
    out: Annotated[Path, typer.Option(help="Where to write the weights.")],
    cache: Annotated[Path, typer.Option(help="Where measures and voices are kept.")] = Path(
        "build/training"
    ),
    run: Annotated[Path, typer.Option(help="Folder for checkpoints.")] = Path("build/phones"),
    seed: Annotated[int, typer.Option(help="Same seed, same weights.")] = 0,
) -> None:
    """Distil the phone network from the recogniser of the package hama."""
    torch.set_num_threads(1)
    run.mkdir(parents=True, exist_ok=True)
    weights, generator = read_teacher(teacher_file()), np.random.default_rng(seed)
    teacher, given = Teacher(weights), list[Lesson]()
    for kind, (speakers, count) in _speakers(corpus, cache, generator).items():
        given += lessons(teacher, speakers, count, generator)
        print(f"{kind}: {count} programmes heard", flush=True)
    pace = replace(PACE, seed=seed)
    network = learn(begin(weights), given, pace, Log("phones"), run / "phones.checkpoint")
    save_phones(network, out)


if __name__ == "__main__":
    typer.run(_main)
