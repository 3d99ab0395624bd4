import itertools

import numpy as np
import pytest

from engine.training.speech import Espeak, Voice, espeak_voices, sentences, synthesiser


@pytest.fixture(scope="module")
def espeak() -> Espeak:
    pytest.importorskip("espeakng_loader", reason="needs the training extra")
    return synthesiser()


def test_every_language_has_sentences() -> None:
    for language in ("en", "es", "fr", "de", "it", "pt"):
        texts = sentences(language)
        assert len(texts) == len(set(texts)) > 10
        assert all(text == text.strip() and text for text in texts)


def test_shapes_are_timed_to_the_sound(espeak: Espeak) -> None:
    speech = espeak.speak("Mama, papa.", Voice("en-us+f3"))
    assert [v.name for v in speech.visemes].count("pbm") == 4
    assert speech.visemes[-1].end_s == pytest.approx(len(speech.samples) / 16000, abs=0.01)
    vowel = next(v for v in speech.visemes if v.name == "aa")
    inside = speech.samples[int(vowel.start_s * 16000) : int(vowel.end_s * 16000)]
    assert np.abs(inside).max() > 0.05


def test_voices_speak_differently(espeak: Espeak) -> None:
    slow, quick = (espeak.speak("Good morning", Voice("es", words)) for words in (120, 220))
    assert len(slow.samples) > 1.2 * len(quick.samples)


def test_unknown_voices_are_named(espeak: Espeak) -> None:
    with pytest.raises(ValueError, match="no voice 'nowhere'"):
        espeak.speak("hello", Voice("nowhere"))


def test_utterances_are_varied(espeak: Espeak) -> None:
    voices = espeak_voices(espeak, np.random.default_rng(1))
    spoken = [one for voice in itertools.islice(voices, 4) for one in itertools.islice(voice, 2)]
    assert len({len(one.samples) for one in spoken}) == 8
    assert all(one.visemes for one in spoken)
