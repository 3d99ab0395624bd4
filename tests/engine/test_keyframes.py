import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.direction import LIMITS, Pose
from engine.keyframes import Easing, Key, KeyframeError, PoseTrack, parse_pose, read_keyframes


def test_a_pose_as_a_string() -> None:
    assert parse_pose("5, -3,2") == (Pose(5, -3, 2), ())
    assert parse_pose("1,2,3,0.1,-0.1,1.1") == (Pose(1, 2, 3, 0.1, -0.1, 1.1), ())
    pose, notes = parse_pose("90,0,0")
    assert pose.yaw == LIMITS["yaw"][1]
    assert "yaw 90" in notes[0]


@pytest.mark.parametrize("text", ["", "1,2", "1,2,x", "1,2,nan", "1,2,3,4,5,6,7"])
def test_other_strings_are_refused(text: str) -> None:
    with pytest.raises(KeyframeError, match="expected yaw,pitch,roll"):
        parse_pose(text)


@given(
    st.lists(st.tuples(st.floats(0, 60), st.floats(-10, 10)), min_size=1, max_size=8),
    st.floats(-1, 70),
    st.sampled_from(Easing),
)
def test_poses_stay_between_their_keys(
    pairs: list[tuple[float, float]], time_s: float, easing: Easing
) -> None:
    keys = [Key(at_s, Pose(yaw=yaw), easing) for at_s, yaw in sorted(dict(pairs).items())]
    track = PoseTrack(keys)
    yaws = [key.pose.yaw for key in keys]
    assert min(yaws) - 1e-9 <= track.at(time_s).yaw <= max(yaws) + 1e-9
    for key in keys:
        assert track.at(key.time_s).yaw == pytest.approx(key.pose.yaw)


def test_easings_differ_half_way() -> None:
    def half(easing: Easing) -> float:
        return PoseTrack([Key(0, Pose(), easing), Key(4, Pose(yaw=8))]).at(1).yaw

    assert half(Easing.HOLD) == 0
    assert half(Easing.LINEAR) == 2
    assert half(Easing.SMOOTH) == pytest.approx(8 * 5 / 32)


def test_a_file_is_sorted_limited_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    keys = [{"time": 2, "yaw": 50}, {"time": 0}, {"time": 0, "roll": 3, "easing": "linear"}]
    path.write_text(json.dumps(keys), encoding="utf-8")
    track, notes = read_keyframes(path)
    assert [key.time_s for key in track.keys] == [0, 2]
    assert track.keys[0].pose.roll == 3
    assert track.keys[1].pose.yaw == LIMITS["yaw"][1]
    assert [any(word in note for note in notes) for word in ("yaw 50", "sorted", "last one")] == [
        True
    ] * 3


def test_csv_says_the_same_as_json(tmp_path: Path) -> None:
    table = tmp_path / "keys.csv"
    table.write_text("time, yaw ,easing\n0,,hold\n1.5,4,\n", encoding="utf-8")
    track, notes = read_keyframes(table)
    assert track.keys == [Key(0, Pose(), Easing.HOLD), Key(1.5, Pose(yaw=4))]
    assert notes == ()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "cannot be read"),
        ("[]", "0 keys"),
        ("3", "expected a list"),
        ('[{"yaw": 1}]', "no time"),
        ('[{"time": "soon"}]', "finite"),
        ('[{"time": 0, "yaw": true, "nose": 1}]', "nose"),
        ('[{"time": 0, "easing": "bounce"}]', "smooth, linear, hold"),
    ],
)
def test_broken_files_say_where(text: str, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(KeyframeError, match=complaint):
        read_keyframes(path)
