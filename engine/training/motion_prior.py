"""A prior of mouth motion for weak signals, and what it is worth. No part of the engine.

    python -m engine.training.motion_prior --corpus FOLDER

Residual codebooks (van den Oord et al. 2017, Zeghidour et al. 2021) over four frames of z-scored
mouth channels, learned from the `ship` clips with weights that favour small and rare movements. A
motion is drawn towards its codes, the more so the smaller it is. The ablation compares the
motion network's mouths with and without on the `eval` clips. docs/training.md has its numbers.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray

from engine.config import TIMING
from engine.portrait.channels import MOUTH_CHANNELS, Channel
from engine.portrait.geometry import Doubles
from engine.portrait.landmarks import Floats
from engine.portrait.motion import WEIGHTS_PATH, MotionModel
from engine.training.corpus import CorpusError, TalkingClip, lip_opening, read_corpus
from engine.training.evaluate import correlation, follow

WINDOW_FRAMES, STAGES, CODES = 4, 3, 64
_ROUNDS = 12
_SOFTNESS = 0.6  # squared distance per number at which a code counts e times less
_STRONGEST, _WEAK = 0.3, 0.7  # share of the way to the codes; size at which it is e times less
_SIZE_FLOOR = 0.5  # what smaller movements are not weighed up any further
_MOST_FRAMES = 6000  # of one person
_GAINS_DB = (0.0, -18.0, -30.0)
_CLIP_FRAMES = 200
_RARE_SHARE = 0.05
_SHUT_CM, _NEARLY_SHUT_CM = 0.1, 0.3


@dataclass(frozen=True, slots=True)
class MotionPrior:
    """Codebooks and the mouth at rest, in z-scored channels."""

    books: Doubles  # [STAGES, CODES, WINDOW_FRAMES * 9]
    rest: Doubles  # [9]

    def draw(self, latents: Doubles) -> Doubles:
        """A motion [frames, 9], drawn to its codes where it is weak; looks at no later frame."""
        windows = past_windows(latents)
        size = movement(windows, self.rest)[:, None]
        likely = self.project(windows)[:, -MOUTH_CHANNELS:]
        return np.asarray(
            latents + _STRONGEST * np.exp(-((size / _WEAK) ** 2)) * (likely - latents)
        )

    def project(self, windows: Doubles) -> Doubles:
        """Sums of softly chosen codes that come near to windows [frames, numbers]."""
        rest = windows.copy()
        for book in self.books:
            apart = _apart(rest, book)
            apart -= apart.min(axis=1, keepdims=True)
            share = np.exp(-apart / (_SOFTNESS * windows.shape[1]))
            rest -= share / share.sum(axis=1, keepdims=True) @ book
        return np.asarray(windows - rest)

    def rarity(self, windows: Doubles, known: Doubles) -> Doubles:
        """How common each window's first code is [frames] among `known` windows, 0..1."""
        counts = np.bincount(_apart(known, self.books[0]).argmin(1), minlength=CODES)
        return np.asarray((counts / len(known))[_apart(windows, self.books[0]).argmin(1)])


def past_windows(latents: Doubles) -> Doubles:
    """For each frame it and the three before it, [frames, 4 * 9]; the first frame repeats."""
    padded = np.concatenate([np.repeat(latents[:1], WINDOW_FRAMES - 1, axis=0), latents])
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW_FRAMES, axis=0)
    return windows.transpose(0, 2, 1).reshape(len(latents), -1)


def movement(windows: Doubles, rest: Doubles) -> Doubles:
    """Root mean square [frames] of how far windows are from rest."""
    apart = windows.reshape(len(windows), -1, MOUTH_CHANNELS) - rest
    return np.asarray(np.sqrt((apart**2).mean(axis=(1, 2))))


def learn_prior(
    people: Sequence[Doubles], rest: Doubles, *, favour_weak: bool = True
) -> MotionPrior:
    """Codebooks of each person's windows [frames, numbers]; everybody counts by the root."""
    generator = np.random.default_rng(0)
    chosen = [generator.permutation(one)[:_MOST_FRAMES] for one in people]
    windows = np.concatenate(chosen)
    weights = np.concatenate([np.full(len(one), 1 / np.sqrt(len(one))) for one in chosen])
    if favour_weak:
        _, nearest = _learn_book(windows, weights, generator)
        common = np.bincount(nearest, weights, CODES)[nearest]
        weights = weights / np.sqrt(common) / (_SIZE_FLOOR + movement(windows, rest))
    books, left = [], windows.copy()
    for _ in range(STAGES):
        book, nearest = _learn_book(left, weights, generator)
        left = left - book[nearest]
        books.append(book)
    return MotionPrior(np.stack(books), rest)


def _learn_book(
    windows: Doubles, weights: Doubles, generator: np.random.Generator
) -> tuple[Doubles, NDArray[np.int64]]:
    """Weighted k-means (Lloyd 1982): codes, and which one each window is nearest to."""
    first = generator.choice(len(windows), CODES, p=weights / weights.sum())
    book = windows[first].copy()
    nearest = _apart(windows, book).argmin(1)
    for _ in range(_ROUNDS):
        total = np.bincount(nearest, weights, CODES)
        sums = np.zeros_like(book)
        np.add.at(sums, nearest, windows * weights[:, None])
        book[total > 0] = sums[total > 0] / total[total > 0, None]
        nearest = _apart(windows, book).argmin(1)
    return book, nearest


def _apart(windows: Doubles, book: Doubles) -> Doubles:
    """Squared distances [frames, codes]."""
    squares = (windows**2).sum(1)[:, None] + (book**2).sum(1)
    return np.asarray(squares - 2 * windows @ book.T)


def _scores(pairs: Sequence[tuple[Floats, Floats]]) -> dict[str, float]:
    """Means over pairs of a told and a true mouth [frames, 9]."""
    found = defaultdict(list)
    for told, true in pairs:
        opening, wanted = lip_opening(told), lip_opening(true)
        shut = wanted < _SHUT_CM
        found["opening r"].append(correlation(opening, wanted))
        found["width r"].append(
            correlation(told[:, Channel.MOUTH_WIDE], true[:, Channel.MOUTH_WIDE])
        )
        found["amplitude"].append(float(opening.std() / wanted.std()))
        found["shut"] += [float((opening[shut] < _NEARLY_SHUT_CM).mean())] if shut.any() else []
    return {name: float(np.mean(values)) for name, values in found.items()}


class _Ablation:
    def __init__(self, model: MotionModel, corpus: Path, cache: Path) -> None:
        self._model = model
        self._middle = model.network.middle.numpy().astype(np.float64)
        self._spread = model.network.spread.numpy().astype(np.float64)
        self._eval = read_corpus(corpus, "eval", cache)
        people = defaultdict(list)
        for clip in read_corpus(corpus, "ship", cache):
            people[clip.identity].append(past_windows(self._latents(clip.mouth)))
        learned = [np.concatenate(one) for one in people.values()]
        rest = self._latents(np.zeros(MOUTH_CHANNELS, np.float32))
        self._priors = {
            "favouring weak": learn_prior(learned, rest),
            "even": learn_prior(learned, rest, favour_weak=False),
        }
        self._rare = self._rare_frames(np.concatenate(learned))

    def rows(self) -> dict[str, dict[str, float]]:
        """Scores by gain and way."""
        found = {}
        for gain_db in _GAINS_DB:
            told = [self._told(clip, gain_db) for clip in self._eval]
            true = [clip.mouth[: len(one)] for clip, one in zip(self._eval, told, strict=True)]
            ways: dict[str, list[Floats]] = {"without": told}
            for name, prior in self._priors.items():
                ways[name] = [self._mouth(prior.draw(self._latents(one))) for one in told]
            for name, mouths in ways.items():
                rare = [np.concatenate(self._pick(one)) for one in (mouths, true)]
                whole = _scores(list(zip(mouths, true, strict=True)))
                few = _scores([(rare[0], rare[1])])
                few.pop("shut", None)  # hardly any of them are
                few = {f"rare {field}": value for field, value in few.items()}
                found[f"{gain_db:.0f} dB, {name}"] = whole | few
        return found

    def _told(self, clip: TalkingClip, gain_db: float) -> Floats:
        samples = clip.samples[: _CLIP_FRAMES * TIMING.samples_per_frame]
        return follow(self._model, samples * np.float32(10 ** (gain_db / 20)))

    def _rare_frames(self, known: Doubles) -> list[NDArray[np.bool_]]:
        prior = self._priors["favouring weak"]
        windows = [past_windows(self._latents(one.mouth[:_CLIP_FRAMES])) for one in self._eval]
        common = [prior.rarity(one, known) for one in windows]
        line = np.quantile(np.concatenate(common), _RARE_SHARE)
        return [one <= line for one in common]

    def _pick(self, mouths: Sequence[Floats]) -> list[Floats]:
        return [mouth[rare] for mouth, rare in zip(mouths, self._rare, strict=True)]

    def _latents(self, mouth: Floats) -> Doubles:
        return np.asarray((mouth - self._middle) / self._spread)

    def _mouth(self, latents: Doubles) -> Floats:
        return np.asarray(latents * self._spread + self._middle, np.float32)


def _table(rows: Mapping[str, Mapping[str, float]]) -> str:
    fields = list(next(iter(rows.values())))
    lines = [f"{'':24}" + "".join(f"{field:>16}" for field in fields)]
    for name, row in rows.items():
        lines.append(f"{name:24}" + "".join(f"{row[field]:16.3f}" for field in fields))
    return "\n".join(lines)


def _main(
    corpus: Annotated[Path, typer.Option(help="Corpus folder with index.json.")],
    weights: Annotated[Path, typer.Option(help="Motion weights.")] = WEIGHTS_PATH,
    cache: Annotated[Path, typer.Option(help="Where measures are kept.")] = Path("build/training"),
) -> None:
    """Compare mouths with and without the prior."""
    torch.set_num_threads(1)
    try:
        rows = _Ablation(MotionModel.load(weights), corpus, cache).rows()
    except CorpusError as error:
        print(f"engine.training.motion_prior: {error}", file=sys.stderr)
        raise typer.Exit(1) from error
    print(_table(rows))
    print(json.dumps(rows))


if __name__ == "__main__":
    typer.run(_main)
