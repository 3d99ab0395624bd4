from pathlib import Path

import numpy as np
import pytest

from engine.portrait.motion import MotionModel
from engine.portrait.motion_denoiser import MotionNetwork
from engine.training.corpus import read_corpus
from engine.training.evaluate import correlation, follow, foretell, mean_score, score


def test_correlation() -> None:
    wave = np.sin(np.arange(50) * 0.3)
    assert correlation(wave, 3 * wave + 1) == pytest.approx(1)
    assert correlation(wave, -wave) == pytest.approx(-1)
    assert correlation(wave, np.ones(50)) == 0


def test_follow_gives_a_mouth_for_every_frame() -> None:
    model = MotionModel(MotionNetwork())
    assert follow(model, np.zeros(640 * 7, np.float32)).shape == (7, 9)


def test_what_sound_foretells_is_what_a_new_denoiser_says() -> None:
    model = MotionModel(MotionNetwork())
    random = np.random.default_rng(0)
    sound = np.concatenate([random.normal(0, size, 6400) for size in (1e-4, 0.1, 1e-4, 0.1)])
    sound = sound.astype(np.float32)
    one, other = follow(model, sound), foretell(model, sound)
    assert np.abs(one).max() > 0.01
    np.testing.assert_allclose(one, other, atol=1e-4)


def test_score_knows_loudness_that_follows_the_mouth(corpus: Path, tmp_path: Path) -> None:
    (clip,) = read_corpus(corpus, "eval", tmp_path)
    one = score(MotionModel(MotionNetwork()), clip)
    assert one.name == "carl"
    assert one.loudness_r > 0.9
    assert -1 <= one.opening_r <= one.best_r <= 1
    assert one.silence < 0.02
    mean = mean_score([one, one], "mean")
    assert mean.opening_r == pytest.approx(one.opening_r)
    assert mean.best_lag == one.best_lag
