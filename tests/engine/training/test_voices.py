from pathlib import Path

import numpy as np
import pytest

from engine.training.corpus import CorpusError
from engine.training.make_voices import phones_of
from engine.training.programmes import mixed_speakers, voice_speakers
from engine.training.visemes import VisemeTable
from engine.training.voices import Utterance, read_voice, read_voices, save_voice

SCALE = np.full(9, 0.2, np.float32)
PAIR = [
    Utterance(np.full(16_000, 0.5, np.float32), (("m", 0.0, 0.5), ("ˈa", 0.5, 1.0))),
    Utterance(np.full(8_000, -0.25, np.float32), (("i", 0.0, 0.5),)),
]


def test_a_voice_comes_back_as_it_was(tmp_path: Path) -> None:
    save_voice(tmp_path / "anna.npz", "ipa", PAIR)
    first, second = read_voice(tmp_path / "anna.npz")
    np.testing.assert_allclose(first.samples, 1.0, atol=1e-3)  # as loud as int16 can be
    np.testing.assert_allclose(second.samples, -0.5, atol=1e-3)
    assert [viseme.name for viseme in first.visemes] == ["pbm", "aa"]
    assert [viseme.name for viseme in second.visemes] == ["iy"]
    assert [file.name for file in tmp_path.iterdir()] == ["anna.npz"]


def test_a_folder_of_voices(tmp_path: Path) -> None:
    assert read_voices(tmp_path / "none") == {}
    save_voice(tmp_path / "b.npz", "ipa", PAIR)
    save_voice(tmp_path / "a.npz", "arpabet", [Utterance(PAIR[0].samples, (("AA1", 0, 1),))])
    assert list(read_voices(tmp_path)) == ["a", "b"]


def test_an_unknown_alphabet_is_refused(tmp_path: Path) -> None:
    save_voice(tmp_path / "anna.npz", "runes", PAIR)  # type: ignore[arg-type]
    with pytest.raises(CorpusError, match="runes"):
        read_voice(tmp_path / "anna.npz")


def test_stress_joins_its_sound_and_short_gaps_their_neighbour() -> None:
    pieces = [("^", 100), ("h", 50), (" ", 60), ("ˈ", 40), ("a", 60), (" ", 200), ("I", 50)]
    phones = phones_of(pieces, 1000)
    assert [phone[0] for phone in phones] == ["^", "h", "ˈa", " ", "aɪ"]
    assert phones[1][1:] == pytest.approx((0.1, 0.21))
    assert phones[2][1:] == pytest.approx((0.21, 0.31))
    assert phones[-1][2] == pytest.approx(0.56)


def test_items_of_voices_are_in_step_and_open_where_a_vowel_is(tmp_path: Path) -> None:
    save_voice(tmp_path / "anna.npz", "ipa", PAIR[:1])
    generator = np.random.default_rng(0)
    table = VisemeTable.fit([], SCALE)
    sound, mouth = next(next(voice_speakers(read_voices(tmp_path), table, generator)))
    assert len(sound) == 640 * len(mouth)
    half = len(mouth) // 2
    assert mouth[half + 3 : -3, 0].mean() > mouth[2 : half - 3, 0].mean() + 0.1


def test_speakers_are_mixed_by_share() -> None:
    generator = np.random.default_rng(0)
    item = np.zeros(640, np.float32), np.zeros((1, 9), np.float32)
    other = np.ones(640, np.float32), np.ones((1, 9), np.float32)
    first, second = ([iter([one]) for _ in range(400)] for one in (item, other))
    mixed = mixed_speakers(iter(first), iter(second), 0.75, generator)
    share = np.mean([next(next(mixed))[0][0] for _ in range(300)])
    assert 0.65 < share < 0.85
