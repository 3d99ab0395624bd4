"""How well the mouth follows people it was never trained on.

    python -m engine.training.evaluate --corpus ../shared/corpus

Prints a table, a line per kind of clip and, last, one line of JSON.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from engine.api import Samples
from engine.config import TIMING
from engine.portrait.channels import Channel
from engine.portrait.landmarks import Floats
from engine.portrait.motion import LOOK_AHEAD_FRAMES, WEIGHTS_PATH, MotionModel
from engine.training.corpus import TalkingClip, lip_opening, read_corpus

_LAGS = range(-5, 6)
_SHUT_CM, _NEARLY_SHUT_CM = 0.1, 0.3
_SILENCE_S = 1.0
_ROOM_NOISE = 0.001  # root mean square, -60 dB of full scale
_WARM_UP_FRAMES = 25


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


def follow(model: MotionModel, samples: Samples) -> Floats:
    """Mouth channels [frames, 9] of whole frames of sound, as a stream gives them."""
    stream, size = model.open(), TIMING.samples_per_frame
    padded = np.pad(samples, (0, LOOK_AHEAD_FRAMES * size))
    pushed = [stream.push(frame) for frame in padded.reshape(-1, size)]
    return np.stack([mouth for mouth in pushed if mouth is not None])


def score(model: MotionModel, clip: TalkingClip) -> Score:
    """Compare the model with the true mouth of a clip."""
    guess = follow(model, clip.samples)
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
        _silence_motion(model, clip.samples, float(opening.std())),
        float(np.abs(np.diff(opening, 3)).mean() / np.abs(np.diff(truth, 3)).mean()),
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


def _silence_motion(model: MotionModel, samples: Samples, spoken: float) -> float:
    """Room noise after the clip: what moves once the mouth had time to close."""
    count = round(_SILENCE_S * TIMING.frame_rate_hz) * TIMING.samples_per_frame
    room = np.random.default_rng(0).normal(0, _ROOM_NOISE, 2 * count).astype(np.float32)
    opening = lip_opening(follow(model, np.concatenate([samples, room])))
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
    scores = [score(model, clip) for clip in read_corpus(corpus, "eval", cache)]
    kinds = sorted({one.kind for one in scores})
    means = [
        mean_score([one for one in scores if one.kind == kind], f"mean of {kind}") for kind in kinds
    ]
    means.append(mean_score(scores, "mean of all"))
    print(_table([*scores, *means]))
    in_step = np.mean([abs(one.best_lag) <= 1 for one in scores])
    print(json.dumps({"lag_within_1": float(in_step)} | {one.name: asdict(one) for one in means}))


if __name__ == "__main__":
    typer.run(_main)
