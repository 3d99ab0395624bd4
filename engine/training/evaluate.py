"""How well the mouth follows people it was never trained on.

    python -m engine.training.evaluate --corpus ../shared/corpus

Prints a table, a line per kind of clip and, last, one line of JSON.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray

from engine.api import Samples
from engine.config import TIMING
from engine.portrait.channels import Channel
from engine.portrait.gate import MouthGate
from engine.portrait.landmarks import Floats
from engine.portrait.mel import HOPS_PER_FRAME
from engine.portrait.motion import LOOK_AHEAD_FRAMES, WEIGHTS_PATH, MotionModel, shown
from engine.training.corpus import TalkingClip, lip_opening, read_corpus
from engine.training.whole_hearing import hear

_LAGS = range(-5, 6)
_SHUT_CM, _NEARLY_SHUT_CM = 0.1, 0.3
_SILENCE_S = 1.0
_ROOM_NOISE = 0.001  # root mean square, -60 dB of full scale
_WARM_UP_FRAMES = 25
_QUIET = np.float32(10 ** (-18 / 20))
_LEAST_STEP_CM = 0.005

Way = Callable[[MotionModel, Samples], Floats]  # from sound to mouth channels [frames, 9]


@dataclass(frozen=True, slots=True)
class Score:
    """One clip, or the mean of several."""

    name: str
    kind: str
    opening_r: float  # Pearson correlation of the lip opening at lag 0
    best_r: float
    best_lag: int  # frames by which the guess comes late
    loudness_r: float  # the same correlation for plain loudness
    width_r: float
    amplitude: float  # standard deviation of the opening over the true one
    shut_recall: float  # of the frames with touching lips, those with a nearly closed guess
    shut_false: float  # of the frames well open, those with a closed guess
    silence: float  # standard deviation of the mouth in silence over that in speech
    jerk: float  # mean absolute third difference over the true one
    seam: float  # large steps over usual ones, next to the true mouth: every frame is a seam
    quiet: float  # standard deviation of the opening at -18 dB over that at 0 dB


def follow(model: MotionModel, samples: Samples) -> Floats:
    """Mouth channels [frames, 9] of whole frames of sound, as a stream gives them."""
    stream, frames = model.open(), _padded(samples).reshape(-1, TIMING.samples_per_frame)
    pushed = [stream.push(frame) for frame in frames]
    return np.stack([mouth for mouth in pushed if mouth is not None])


def foretell(model: MotionModel, samples: Samples) -> Floats:
    """Mouth channels [frames, 9] that sound alone foretells: what the denoiser starts from."""
    heard, gate = hear(_padded(samples)), MouthGate()
    network = model.network.mouth
    with torch.inference_mode():
        told, _ = network(torch.from_numpy(heard.features)[None], network.start())
    excess = heard.hops.excess_db.reshape(-1, HOPS_PER_FRAME)
    openness = np.array([gate.push(one) for one in excess], np.float32)
    return shown(told[0].numpy(), openness[:, None])[LOOK_AHEAD_FRAMES:]


def score(model: MotionModel, clip: TalkingClip, way: Way = follow) -> Score:
    """Compare the model, or what `way` makes of it, with the true mouth of a clip."""
    guess = way(model, clip.samples)
    opening, truth = lip_opening(guess), lip_opening(clip.mouth)
    by_lag = {lag: _correlation_at(opening, truth, lag) for lag in _LAGS}
    best = max(by_lag, key=lambda lag: by_lag[lag])
    shut, clear = truth < _SHUT_CM, truth > np.median(truth) + _NEARLY_SHUT_CM
    return Score(
        clip.name,
        clip.kind,
        by_lag[0],
        by_lag[best],
        best,
        correlation(_loudness(clip.samples), truth),
        correlation(guess[:, Channel.MOUTH_WIDE], clip.mouth[:, Channel.MOUTH_WIDE]),
        float(opening.std() / truth.std()),
        _share(opening[shut] < _NEARLY_SHUT_CM),
        _share(opening[clear] < _SHUT_CM),
        _silence_motion(way, model, clip.samples, float(opening.std())),
        float(np.abs(np.diff(opening, 3)).mean() / np.abs(np.diff(truth, 3)).mean()),
        _large_steps(opening) / _large_steps(truth),
        float(lip_opening(way(model, clip.samples * _QUIET)).std() / opening.std()),
    )


def mean_score(scores: Sequence[Score], name: str) -> Score:
    """The mean of every number; the lag becomes the mean distance from 0, rounded."""
    numbers = {
        field: float(np.nanmean([getattr(one, field) for one in scores]))
        for field in list(Score.__dataclass_fields__)[2:]
    }
    numbers["best_lag"] = round(float(np.median([one.best_lag for one in scores])))
    return Score(name, scores[0].kind, **numbers)  # type: ignore[arg-type]  # the lag is whole


def correlation(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Pearson's r; 0 where one of the two never moves."""
    one, other = one - one.mean(), other - other.mean()
    product = float(np.sqrt((one**2).sum() * (other**2).sum()))
    return float((one * other).sum() / product) if product > 0 else 0.0


def _correlation_at(guess: Floats, truth: Floats, lag: int) -> float:
    early, late = max(-lag, 0), max(lag, 0)
    return correlation(guess[late : len(guess) - early], truth[early : len(truth) - late])


def _loudness(samples: Samples) -> Floats:
    frames = samples.reshape(-1, TIMING.samples_per_frame)
    return np.asarray(np.sqrt((frames**2).mean(1)))


def _share(hits: NDArray[np.bool_]) -> float:
    return float(hits.mean()) if len(hits) else float("nan")


def _padded(samples: Samples) -> Samples:
    return np.pad(samples, (0, LOOK_AHEAD_FRAMES * TIMING.samples_per_frame))


def _large_steps(opening: Floats) -> float:
    """The step that one of twenty exceeds over the median one."""
    steps = np.abs(np.diff(opening))
    return float(np.quantile(steps, 0.95) / (np.median(steps) + _LEAST_STEP_CM))


def _silence_motion(way: Way, model: MotionModel, samples: Samples, spoken: float) -> float:
    """Room noise after the clip: what moves once the mouth had time to close."""
    count = round(_SILENCE_S * TIMING.frame_rate_hz) * TIMING.samples_per_frame
    room = np.random.default_rng(0).normal(0, _ROOM_NOISE, 2 * count).astype(np.float32)
    opening = lip_opening(way(model, np.concatenate([samples, room])))
    return float(opening[-_WARM_UP_FRAMES:].std() / max(spoken, 1e-6))


def _table(scores: Sequence[Score]) -> str:
    fields = list(Score.__dataclass_fields__)[2:]
    lines = [f"{'clip':32}" + "".join(f"{field:>13}" for field in fields)]
    for one in scores:
        numbers = (f"{getattr(one, field):13.2f}" for field in fields)
        lines.append(f"{one.name:32}" + "".join(numbers))
    return "\n".join(lines)


def _main(
    corpus: Annotated[Path, typer.Option(help="Corpus folder with index.json.")],
    weights: Annotated[Path, typer.Option(help="Weights to measure.")] = WEIGHTS_PATH,
    cache: Annotated[Path, typer.Option(help="Where measures are kept.")] = Path("build/training"),
) -> None:
    """Measure motion weights on the eval clips of a corpus."""
    model = MotionModel.load(weights)
    clips = read_corpus(corpus, "eval", cache)
    scores = [score(model, clip) for clip in clips]
    simple = [score(model, clip, foretell) for clip in clips]
    kinds = sorted({one.kind for one in scores})
    means = [
        mean_score([one for one in scores if one.kind == kind], f"mean of {kind}") for kind in kinds
    ]
    means.append(mean_score(scores, "mean of all"))
    means.append(mean_score(simple, "without denoiser"))
    print(_table([*scores, *means]))
    in_step = np.mean([abs(one.best_lag) <= 1 for one in scores])
    print(json.dumps({"lag_within_1": float(in_step)} | {one.name: asdict(one) for one in means}))


if __name__ == "__main__":
    typer.run(_main)
