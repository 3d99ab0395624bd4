import numpy as np
import torch

from engine.portrait.gate import LOOK_AHEAD_FRAMES
from engine.portrait.hearing import FEATURES
from engine.portrait.mel import BANDS
from engine.training.crops import Sampler
from tests.engine.training.programmes_of_beats import beats


def test_crops_are_in_step() -> None:
    features, mouth, known = Sampler([beats(0)]).draw(3, np.random.default_rng(0))
    assert features.shape == (3, 4 * (mouth.shape[1] + LOOK_AHEAD_FRAMES), FEATURES)
    assert mouth.shape[:2] == known.shape
    level = features[..., :BANDS].mean(-1).reshape(3, -1, 4).mean(-1)[:, :-LOOK_AHEAD_FRAMES]
    for crop in range(3):
        together = torch.stack([level[crop], mouth[crop, :, 0]])
        assert torch.corrcoef(together)[0, 1] > 0.8


def test_the_chance_decides_the_crops() -> None:
    sampler = Sampler([beats(0)])
    first, again, other = (sampler.draw(2, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(first[0], again[0])
    assert not torch.equal(first[0], other[0])
