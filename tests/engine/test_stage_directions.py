from pathlib import Path

import numpy as np
import pytest

from engine.api import AvatarError, UnknownGestureError
from engine.direction import Direction, Pose
from engine.script import Script
from engine.stage_directions import MouthFrom, Wishes, parse_gestures, plan
from tests.fakes import FakeAvatar

AVATAR = FakeAvatar("none", np.zeros((8, 8, 3), np.uint8))


def script_of(wishes: Wishes) -> Script:
    return plan(wishes).script(AVATAR)


def test_nothing_asked_is_nothing_told() -> None:
    cue = script_of(Wishes(direction=Direction())).cue(7)
    assert (cue.pose, cue.gestures, cue.driven, cue.mouth_share) == (None, (), None, 0)


def test_poses_and_gestures_come_with_their_frames(tmp_path: Path) -> None:
    path = tmp_path / "keys.csv"
    path.write_text("time,yaw,easing\n0,0,linear\n1,5,\n", encoding="utf-8")
    script = script_of(
        Wishes(pose_file=path, gestures=["nod@0.4", "blink@0.4"], direction=Direction())
    )
    assert script.cue(10).gestures == ("nod", "blink")
    pose = script.cue(10).pose
    assert pose is not None
    assert pose.yaw == pytest.approx(2)
    held = script_of(Wishes(pose="3,0,0", direction=Direction()))
    assert held.cue(0).pose == held.cue(999).pose == Pose(yaw=3)


def test_what_is_limited_is_told() -> None:
    planned = plan(Wishes(pose="0,44,0", direction=Direction(mouth=9)))
    assert planned.direction.mouth == 2
    assert ["mouth 9" in planned.notes[0], "pitch 44" in planned.notes[1]] == [True, True]


def test_mistakes_are_named(tmp_path: Path) -> None:
    for wishes, complaint in (
        (Wishes(pose="0,0,0", pose_file=tmp_path, direction=Direction()), "one of the two"),
        (Wishes(mouth_from=MouthFrom.MIX, direction=Direction()), "together with"),
        (Wishes(own_video=True, direction=Direction()), "together with"),
        (Wishes(mouth_mix=1.5, direction=Direction()), "mouth_mix 1.5"),
        (Wishes(direction=Direction(emotion="envy")), "neutral, smile"),
    ):
        with pytest.raises(AvatarError, match=complaint):
            plan(wishes)
    for written in ("nod", "nod@", "nod@-1", "nod@inf"):
        with pytest.raises(AvatarError, match="name@seconds"):
            parse_gestures([written])
    with pytest.raises(UnknownGestureError):
        parse_gestures(["waltz@1"])
