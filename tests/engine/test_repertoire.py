from itertools import pairwise
from pathlib import Path

import pytest

from engine.api import AvatarError, UnknownEmotionError, UnknownGestureError
from engine.portrait.channels import Channel
from engine.repertoire import (
    ANGLE_CHANNELS,
    CENTIMETRE_CHANNELS,
    SHARE_CHANNELS,
    read_repertoire,
    repertoire,
)


def test_the_table_knows_every_channel() -> None:
    named = {*ANGLE_CHANNELS, *CENTIMETRE_CHANNELS, *SHARE_CHANNELS}
    assert named == {channel.name.lower() for channel in Channel}


def test_the_table_holds_what_the_manual_promises() -> None:
    known = repertoire()
    assert set(known.emotions) >= {"neutral", "smile", "serious", "surprised"}
    assert set(known.gestures) >= {
        "nod", "shake", "look_left", "look_right", "look_up", "look_down", "tilt", "blink", "brows"
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(repertoire().gestures))
def test_gestures_begin_and_end_at_rest_without_a_jump(name: str) -> None:
    gesture = repertoire().gestures[name]
    assert not any(gesture.at(0.0).values())
    assert not any(gesture.at(gesture.length_s).values())
    assert not any(gesture.at(-1.0).values())
    times = [gesture.length_s * step / 1000 for step in range(1001)]
    for channel, curve in gesture.curves.items():
        values = [curve.at(time_s) for time_s in times]
        largest = max(abs(value) for value in values)
        steps = [abs(two - one) for one, two in pairwise(values)]
        assert 0 < max(steps) < 0.05 * largest, channel


def test_what_nobody_knows_is_answered_with_what_is_known() -> None:
    with pytest.raises(UnknownEmotionError, match=r"angryy.*neutral, smile"):
        repertoire().emotion("angryy")
    with pytest.raises(UnknownGestureError, match=r"wave.*nod, shake"):
        repertoire().gesture("wave")


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ("[emotions", "not a readable table"),
        ("[feelings.joy]", "only emotions and gestures"),
        ("[emotions]\nneutral = 3", "expected tables"),
        ("[emotions.smile]\ncorners_up = 1", "'neutral'"),
        ("[emotions.neutral]\n[emotions.smile]\nears = 1", "unknown channel"),
        ("[emotions.neutral]\n[emotions.smile]\nyaw = 'much'", "expected a number"),
        ("[emotions.neutral]\n[gestures.nod]", "without any channel"),
        ("[emotions.neutral]\n[gestures.nod]\npitch = 3", "list of"),
        ("[emotions.neutral]\n[gestures.nod]\npitch = [[0, 0], [1, 2, 3]]", "list of"),
        ("[emotions.neutral]\n[gestures.nod]\npitch = [[0, 0], [2, 3], [1, 0]]", "rising"),
        ("[emotions.neutral]\n[gestures.nod]\npitch = [[0, 0], [1, 3]]", "end at 0"),
        ("[emotions.neutral]\n[gestures.nod]\npitch = [[0, 0], [99, 0]]", "at most"),
    ],
)
def test_a_broken_table_says_where(table: str, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "table.toml"
    path.write_text(table, encoding="utf-8")
    with pytest.raises(AvatarError, match=complaint):
        read_repertoire(path)


def test_a_missing_table_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(AvatarError, match="not a readable table"):
        read_repertoire(tmp_path / "none.toml")
