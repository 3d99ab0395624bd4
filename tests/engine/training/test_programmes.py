import itertools
from collections.abc import Iterator

import numpy as np

from engine.portrait.hearing import FEATURES
from engine.training.corpus import TalkingClip
from engine.training.programmes import Item, Programme, programme, programmes, real_speakers


def beeps(seed: int = 0) -> Iterator[Item]:
    """Two seconds of a tone with an open mouth, over and over."""
    del seed
    tone = np.sin(np.arange(50 * 640) * 0.2).astype(np.float32)
    while True:
        yield tone, np.ones((50, 9), np.float32)


def made(seed: int) -> Programme:
    return programme(beeps(), np.random.default_rng(seed))


def test_sound_and_mouth_are_in_step() -> None:
    one = made(0)
    assert one.features.shape == (4 * len(one.mouth), FEATURES)
    assert len(one.weight) == len(one.mouth) >= 30 * 25
    assert np.isfinite(one.features).all()


def test_pauses_are_shut_and_cuts_do_not_count() -> None:
    one = made(0)
    shut = one.mouth[:, 0] == 0
    assert 0.1 < shut.mean() < 0.7
    cuts = np.flatnonzero(np.diff(shut.astype(int)))
    assert len(cuts) > 5
    assert not one.weight[cuts].any()
    assert not one.weight[cuts + 1].any()
    assert one.weight.mean() > 0.7


def test_is_the_same_for_the_same_seed() -> None:
    np.testing.assert_array_equal(made(3).features, made(3).features)
    assert len(made(3).mouth) != len(made(4).mouth)


def test_makes_as_many_minutes_as_asked() -> None:
    result = programmes(itertools.repeat(beeps()), 1.1, np.random.default_rng(0))
    assert len(result) == 3


def test_people_come_by_their_shares_in_several_voices() -> None:
    clips = [
        TalkingClip(
            name, name, "real", np.full(640 * 50, level, np.float32), np.zeros((50, 9), np.float32)
        )
        for name, level in (("often", 0.1), ("never", 0.9))
    ]
    people = real_speakers(clips, {"often": 1.0, "never": 0.0}, np.random.default_rng(0))
    drawn = [next(person) for person in itertools.islice(people, 10)]
    assert all(sound.max() < 0.5 for sound, _ in drawn)
    assert len({len(mouth) for _, mouth in drawn}) > 3
