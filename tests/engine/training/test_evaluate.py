from pathlib import Path

import numpy as np
import pytest

from engine.portrait.motion import MotionModel, MouthNetwork
from engine.training.corpus import read_corpus
from engine.training.evaluate import correlation, follow, mean_score, score


def test_correlation() -> None:
    wave = np.sin(np.arange(50) * 0.3)
    assert correlation(wave, 3 * wave + 1) == pytest.approx(1)
    assert correlation(wave, -wave) == pytest.approx(-1)
    assert correlation(wave, np.ones(50)) == 0


def test_follow_gives_a_mouth_for_every_frame() -> None:
    model = MotionModel(MouthNetwork())
    assert follow(model, np.zeros(640 * 7, np.float32)).shape == (7, 9)


def test_score_knows_loudness_that_follows_the_mouth(corpus: Path, tmp_path: Path) -> None:
    (clip,) = read_corpus(corpus, "eval", tmp_path)
    one = score(MotionModel(MouthNetwork()), clip)
    assert one.name == "carl"
    assert one.loudness_r > 0.9
    assert -1 <= one.opening_r <= one.best_r <= 1
    assert one.silence < 0.02
    mean = mean_score([one, one], "mean")
    assert mean.opening_r == pytest.approx(one.opening_r)
    assert mean.best_lag == one.best_lag
