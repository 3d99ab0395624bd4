"""The prior of mouth motion: what it leaves alone, what it draws, and what it learns from."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.portrait.geometry import Doubles
from engine.training.motion_prior import MotionPrior, learn_prior, movement, past_windows

REST = np.zeros(9)


def person(seed: int, frames: int = 400, size: float = 0.3) -> Doubles:
    """Latents of a mouth that goes to and fro in one direction, with a little noise."""
    random = np.random.default_rng(seed)
    wave = np.sin(np.arange(frames) / 3)[:, None] * np.linspace(1, 2, 9)
    return size * wave + random.normal(0, 0.02, (frames, 9))


@pytest.fixture(scope="module")
def prior() -> MotionPrior:
    return learn_prior([past_windows(person(seed)) for seed in range(3)], REST)


@settings(max_examples=20)
@given(cut=st.integers(1, 99))
def test_no_later_frame_is_looked_at(prior: MotionPrior, cut: int) -> None:
    latents = person(9, 100)
    np.testing.assert_allclose(prior.draw(latents)[:cut], prior.draw(latents[:cut]), atol=1e-9)


def test_strong_motion_is_left_alone_and_weak_motion_is_cleaned(prior: MotionPrior) -> None:
    strong = person(9, size=1.0) + 12
    np.testing.assert_allclose(prior.draw(strong), strong, atol=1e-6)
    clean = person(10, size=0.3)
    noisy = clean + np.random.default_rng(1).normal(0, 0.15, clean.shape)
    assert np.abs(prior.draw(noisy) - clean).mean() < 0.95 * np.abs(noisy - clean).mean()


def test_codes_come_near_to_what_was_learned(prior: MotionPrior) -> None:
    windows = past_windows(person(5))
    hard = windows.copy()
    for book in prior.books:
        hard -= book[((hard[:, None] - book) ** 2).sum(-1).argmin(1)]
    assert (hard**2).mean() < 0.01 * (windows**2).mean()


def test_weights_bring_codes_to_small_and_rare_movements() -> None:
    """A hundredth of the frames moves little and in a way of its own."""
    random = np.random.default_rng(0)
    common = past_windows(random.normal(0, 2, (3000, 9)))
    rare = past_windows(0.3 + random.normal(0, 0.1, (30, 9)))
    people = [np.concatenate([common, rare])]

    def missed(favour_weak: bool) -> float:
        book = learn_prior(people, REST, favour_weak=favour_weak).books[0]
        return float(((rare[:, None] - book) ** 2).sum(-1).min(1).mean())

    assert missed(favour_weak=True) < 0.6 * missed(favour_weak=False)


def test_size_is_the_distance_from_rest() -> None:
    windows = past_windows(np.full((5, 9), 3.0))
    np.testing.assert_allclose(movement(windows, np.ones(9)), 2.0)
