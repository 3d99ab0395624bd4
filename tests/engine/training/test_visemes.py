import numpy as np
import pytest

from engine.portrait.channels import Channel
from engine.training.corpus import Phone, TalkingClip, lip_opening
from engine.training.visemes import VisemeTable, blend, from_arpabet, from_ipa

SCALE = np.full(9, 0.25, np.float32)


def spoken(*names: str, each_s: float = 0.12) -> list[Phone]:
    return [Phone(name, n * each_s, (n + 1) * each_s) for n, name in enumerate(names)]


def test_alphabets_agree() -> None:
    english = from_arpabet(spoken("SIL", "M", "AY1", "F"))
    assert [v.name for v in english] == ["sil", "pbm", "aa", "ih", "fv"]
    ipa = from_ipa(spoken("", "m", "aɪ", "f"))
    assert [v.name for v in ipa] == [v.name for v in english]
    assert ipa[2].end_s == pytest.approx(ipa[3].start_s)


def test_stressed_vowels_are_stronger() -> None:
    plain, stressed = from_ipa(spoken("a", "ˈa"))
    assert stressed.strength > plain.strength


def test_marks_without_a_shape_are_silence() -> None:
    assert [v.name for v in from_ipa(spoken("ʲ"))] == ["sil"]


def test_shares_sum_to_one() -> None:
    shares = blend(from_arpabet(spoken("SIL", "M", "AA", "SIL")), 20)
    np.testing.assert_allclose(shares.sum(1), 1)


def test_open_vowels_open_and_lips_meet_in_p_b_and_m() -> None:
    table = VisemeTable.fit([], SCALE)
    names = ["SIL", "AA", "M", "AA", "P", "AA", "SIL", "SIL"]
    opening = lip_opening(table.motion(from_arpabet(spoken(*names)), 24))
    assert opening[4] > 0.5
    assert opening[[7, 13]].max() < 0.05
    assert abs(opening[-1]) < 0.02


def test_round_vowels_are_narrow() -> None:
    table = VisemeTable.fit([], SCALE)
    wide, narrow = (
        table.motion(from_arpabet(spoken("SIL", name, "SIL", each_s=0.2)), 15)[
            7, Channel.MOUTH_WIDE
        ]
        for name in ("IY", "UW")
    )
    assert wide > 0 > narrow


def test_fit_finds_the_shapes_and_the_early_lips() -> None:
    true = VisemeTable.fit([], SCALE)
    true.shapes = true.shapes * 1.5
    true.shift_s = -0.04
    random = np.random.default_rng(0)
    clips = []
    for _ in range(20):
        phones = spoken("SIL", *random.choice(["AA", "IY", "S", "T", "K", "UW"], 12), "SIL")
        mouth = true.motion(from_arpabet(phones), 42)
        clips.append(TalkingClip("x", "x", "real", np.zeros(0, np.float32), mouth, tuple(phones)))
    found = VisemeTable.fit(clips, SCALE)
    assert found.shift_s == pytest.approx(-0.04)
    assert found.explained > 0.9
