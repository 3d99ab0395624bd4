"""The speech whose phones are known is what its description says."""

import numpy as np
import pytest

from benchmarks.phoned_speech import (
    SENTENCES,
    TRAINED_VOICES,
    UNHEARD_VOICES,
    middles,
    phoned_speech,
)
from engine.api import Samples
from engine.training.corpus import Phone
from engine.training.speech import _VOICES, sentences
from engine.training.visemes import from_ipa


def test_some_voices_and_all_sentences_are_never_trained_on() -> None:
    assert not set(UNHEARD_VOICES) & set(_VOICES)
    assert set(TRAINED_VOICES) <= set(_VOICES)
    assert len(SENTENCES) >= 3
    assert len(TRAINED_VOICES + UNHEARD_VOICES) >= 4
    for language, text in SENTENCES.items():
        assert text not in sentences(language[:2])


def test_only_closures_and_held_open_vowels_count() -> None:
    names = [("m", 0.0, 0.1), ("a", 0.1, 0.3), ("p", 0.3, 0.34), ("a", 0.34, 0.38), ("i", 0.4, 0.6)]
    shut_s, open_s = middles(tuple(from_ipa([Phone(*one) for one in names])))
    assert shut_s == pytest.approx((0.05, 0.32))
    assert open_s == pytest.approx((0.2,))


def test_closures_lie_where_the_sound_is_weaker() -> None:
    spoken = phoned_speech(UNHEARD_VOICES[:1], len(SENTENCES))
    assert [one.language for one in spoken] == list(SENTENCES)
    for one in spoken:
        assert len(one.shut_s) >= 10
        assert len(one.open_s) >= 5
        loud, weak = (
            [level_at(one.samples, at_s) for at_s in times] for times in (one.open_s, one.shut_s)
        )
        assert np.median(weak) < 0.5 * np.median(loud)


def level_at(samples: Samples, at_s: float) -> float:
    around = samples[int((at_s - 0.01) * 16_000) : int((at_s + 0.01) * 16_000)]
    return float(np.sqrt(np.mean(around**2)))
