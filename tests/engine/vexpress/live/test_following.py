"""A face that is moved while it speaks: from which frame on, and without a trace elsewhere."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from engine.api import (
    AvatarError,
    CannotDirectError,
    EngineFullError,
    Framing,
    Picture,
    PortraitOptions,
    StreamClosedError,
    StreamOptions,
    Unit,
    UnknownEmotionError,
    UnknownGestureError,
)
from engine.direction import Direction, Pose, PuppetFrame
from engine.portrait.acting import pose_channels
from engine.portrait.channels import MOUTH
from engine.script import Script
from engine.vexpress.kps import Points, TrackError
from engine.vexpress.live.avatar import VExpressAvatar
from engine.vexpress.live.conditions import Places
from engine.vexpress.live.engine import VExpressEngine
from engine.vexpress.live.following import FollowingStream
from engine.vexpress.live.head import LedHead
from engine.vexpress.live.hearing import LOOK_AHEAD_FRAMES
from tests.engine.vexpress.live.conftest import FRAMES, SIZE, in_space, perform, same, speech
from tests.fakes import FakeAvatar

OWN = np.array([[40, 40], [60, 40], [50, 52]], np.float32)
PLAIN = VExpressAvatar(
    avatar_id="plain",
    still=np.zeros((SIZE, SIZE, 3), np.uint8),
    points=OWN,
    face=in_space(OWN),
    anchor=torch.zeros(1, 4, 1, 2, 2),
    keys={},
    kps=torch.full((1, 1, 1, 1, 1), OWN[0, 0].item()),
)


def first_numbers(track: Points) -> Tensor:
    """Features that tell the points: the first number of each frame."""
    return torch.from_numpy(track[:, 0, 0].copy()).reshape(1, 1, -1, 1, 1)


@given(
    chunk=st.integers(1, 8),
    moves=st.lists(st.none() | st.integers(0, 100), min_size=40, max_size=40),
)
def test_every_frame_is_where_it_was_placed(chunk: int, moves: list[int | None]) -> None:
    guided: list[Points] = []

    def guide(track: Points) -> Tensor:
        guided.append(track)
        return first_numbers(track)

    places = Places(guide, PLAIN, chunk)
    taken: list[float] = []
    for frame, move in enumerate(moves, start=1):
        places.place(None if move is None else np.full((3, 2), move, np.float32))
        places.push()
        ready = frame - LOOK_AHEAD_FRAMES
        if ready > 0 and ready % chunk == 0:
            taken += places.take().flatten().tolist()
    wanted = [40.0 if move is None else float(move) for move in moves]
    assert taken == wanted[: len(taken)]
    assert len(guided) <= sum(move is not None for move in moves)
    assert len(taken) == (40 - LOOK_AHEAD_FRAMES) // chunk * chunk


pytestmark = pytest.mark.timeout(300)
slow = pytest.mark.slow


def follow(stream: FollowingStream, moves: dict[int, Points | None], cut: int = 640) -> list[Unit]:
    """Speech in pieces of `cut` samples, the face moved before the frames that are named."""
    units: list[Unit] = []
    for start in range(0, 640 * FRAMES, cut):
        frame, within = divmod(start, 640)
        if not within and frame in moves:
            stream.place_face(moves[frame])
        units += stream.push(speech()[start : start + cut])
    return units + stream.flush()


@slow
@pytest.mark.parametrize("framing", Framing)
def test_its_own_place_is_no_other_place(
    engine: VExpressEngine, portrait: Picture, latents: list[Tensor], framing: Framing
) -> None:
    avatar = engine.prepare(portrait, PortraitOptions(size=SIZE, framing=framing))
    fixed = perform(engine.open(avatar, StreamOptions()), speech())
    count = len(latents)
    stream = engine.open(avatar, StreamOptions())
    followed = follow(stream, {0: avatar.points, 5: None, 6: avatar.points})
    assert len(latents) == 2 * count
    for one, other in zip(latents[:count], latents[count:], strict=True):
        assert (one - other).norm() <= 1e-6 * one.norm()
    assert len(fixed) == len(followed)


@slow
def test_a_move_shows_from_its_frame_on(
    engine: VExpressEngine, avatar: VExpressAvatar, spoken: list[Unit]
) -> None:
    stream = engine.open(avatar, StreamOptions())
    before = stream.push(speech()[: 640 * 10])
    stream.place_face(avatar.points + 20)
    after = stream.push(speech()[640 * 10 :]) + stream.flush()
    assert before
    assert same(before, spoken[: len(before)])
    assert not same(after[-4:], spoken[-4:])
    back = follow(engine.open(avatar, StreamOptions()), {2: avatar.points + 20, 3: None})
    assert not same(back, spoken)  # a single frame elsewhere is seen by its neighbours


@slow
def test_the_sound_may_be_cut_anywhere(engine: VExpressEngine, avatar: VExpressAvatar) -> None:
    moves = {3: avatar.points + 9, 8: None, 11: avatar.points - 9}
    whole, cut = (follow(engine.open(avatar, StreamOptions()), moves, cut) for cut in (640, 80))
    assert same(whole, cut)


@slow
def test_a_reset_leaves_no_trace(
    engine: VExpressEngine, avatar: VExpressAvatar, spoken: list[Unit]
) -> None:
    stream = engine.open(avatar, StreamOptions())
    stream.place_face(avatar.points + 20)
    stream.push(speech(9, seed=4, extra=7))
    stream.reset(1)
    assert same(spoken, perform(stream, speech()))


@slow
def test_streams_that_stay_and_streams_that_follow_take_turns(
    engine: VExpressEngine, avatar: VExpressAvatar, spoken: list[Unit]
) -> None:
    moves: dict[int, Points | None] = {0: avatar.points + 20}
    alone = [spoken, follow(engine.open(avatar, StreamOptions()), moves)]
    stays = engine.open(avatar, StreamOptions())
    follows = engine.open(avatar, StreamOptions())
    follows.place_face(moves[0])
    turns: tuple[list[Unit], list[Unit]] = ([], [])
    for piece in np.split(speech(), FRAMES):
        turns[0].extend(stays.push(piece))
        turns[1].extend(follows.push(piece))
    turns[0].extend(stays.flush())
    turns[1].extend(follows.flush())
    assert all(same(*pair) for pair in zip(alone, turns, strict=True))
    assert not same(*alone)


@slow
def test_a_pose_turns_the_portraits_own_face_from_its_frame_on(
    engine: VExpressEngine, avatar: VExpressAvatar, monkeypatch: pytest.MonkeyPatch
) -> None:
    guided: list[Points] = []
    guide = engine.model.makes.guide

    def keeping(track: Points) -> Tensor:
        guided.extend(track)
        return guide(track)

    monkeypatch.setattr(engine.model.makes, "guide", keeping)
    still = perform(engine.open(avatar, StreamOptions()), speech())
    assert not guided  # its own place was drawn once, when it was prepared
    stream = engine.open(avatar, StreamOptions())
    before = stream.push(speech()[: 640 * 10])
    stream.direct(Direction(pose=Pose(yaw=8)))
    after = stream.push(speech()[640 * 10 :]) + stream.flush()
    assert same(before, still[: len(before)])
    assert not same(after[-4:], still[-4:])
    goal = avatar.face.moved(Pose(yaw=8))
    apart = [float(np.abs(points - goal).max()) for points in guided]
    assert apart == sorted(apart, reverse=True)  # eased, not jumped
    posed = engine.open(avatar, StreamOptions())
    posed.direct(Direction(pose=Pose(yaw=8)))
    guided.clear()
    perform(posed, speech())
    assert len(guided) == 1  # at once before the first frame, and drawn once
    np.testing.assert_allclose(guided[0], goal, atol=0.01)


@slow
def test_gestures_and_a_camera_move_the_head(
    engine: VExpressEngine, avatar: VExpressAvatar, spoken: list[Unit]
) -> None:
    nodding, watched = (engine.open(avatar, StreamOptions()) for _ in range(2))
    nodding.gesture("nod")
    frame = PuppetFrame(pose=Pose(roll=9, x=0.1), blink_left=1.0)
    watched.puppet(frame)
    nods, follows = (perform(stream, speech()) for stream in (nodding, watched))
    assert not same(spoken, nods)
    assert not same(spoken, follows)
    assert not same(nods, follows)


def test_what_no_head_can_do_is_refused_by_name() -> None:
    head = LedHead(PLAIN.face)
    head.direct(Direction(pose=Pose(pitch=3)))
    for direction in (Direction(emotion="smile"), Direction(mouth=0.5), Direction(strength=2)):
        with pytest.raises(CannotDirectError, match="expected a pose alone"):
            head.direct(direction)
    with pytest.raises(CannotDirectError, match=r"wink: .* expected one of: nod, shake"):
        head.gesture("wink")
    with pytest.raises(UnknownGestureError, match="waltz"):
        head.gesture("waltz")
    with pytest.raises(UnknownEmotionError, match="sleepy"):
        head.direct(Direction(emotion="sleepy"))


def test_a_script_leads_the_head_to_the_frame() -> None:
    head = LedHead(PLAIN.face, Script(poses=lambda time_s: Pose(roll=75 * max(time_s - 0.1, 0))))
    places = [head.advance() for _ in range(6)]
    assert places[:3] == [None] * 3
    for frame in (4, 5):
        points = places[frame]
        assert points is not None
        np.testing.assert_allclose(points, PLAIN.face.moved(Pose(roll=3 * frame - 7.5)), atol=0.1)


def test_of_a_film_in_a_script_the_head_is_followed() -> None:
    driven = pose_channels(Pose(roll=6))
    alone, talking = driven.copy(), driven.copy()
    talking[MOUTH] = 1.0
    scripts = (Script(driver=lambda _: alone), Script(driver=lambda _: talking))
    one, other = (LedHead(PLAIN.face, script).advance() for script in scripts)
    assert one is not None
    assert other is not None
    np.testing.assert_allclose(one, PLAIN.face.moved(Pose(roll=6)), atol=0.3)
    np.testing.assert_array_equal(one, other)


def test_scripts_that_ask_for_more_than_a_head_are_refused() -> None:
    with pytest.raises(CannotDirectError, match="expected the mouth of the audio"):
        LedHead(PLAIN.face, Script(driver=lambda _: pose_channels(Pose()), mouth_share=0.5))
    with pytest.raises(CannotDirectError, match=r"wink: .* expected one of: nod"):
        LedHead(PLAIN.face, Script(gestures={3: ("nod",), 9: ("wink",)}))
    with pytest.raises(UnknownGestureError, match="waltz"):
        LedHead(PLAIN.face, Script(gestures={3: ("waltz",)}))


@slow
def test_a_script_is_heard_by_the_engine(engine: VExpressEngine, avatar: VExpressAvatar) -> None:
    script = Script(poses=lambda _: Pose(yaw=8))
    shown = [
        perform(engine.open(avatar, StreamOptions(script=one)), speech()) for one in (None, script)
    ]
    assert not same(*shown)


def test_a_camera_that_falls_silent_lets_the_head_go() -> None:
    head = LedHead(PLAIN.face)
    assert head.advance() is None
    head.puppet(PuppetFrame(pose=Pose(yaw=9)))
    places = [head.advance() for _ in range(60)]
    assert places[10] is not None
    assert places[10][2, 0] > OWN[2, 0] + 1
    assert places[-1] is None


@slow
def test_places_that_are_none_are_refused(
    engine: VExpressEngine, avatar: VExpressAvatar, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = engine.open(avatar, StreamOptions())
    for wrong in (OWN[:2], OWN * np.nan, OWN * 1e6):
        with pytest.raises(TrackError):
            stream.place_face(wrong)
    assert same(
        perform(stream, speech(9)), perform(engine.open(avatar, StreamOptions()), speech(9))
    )
    stream.close()
    with pytest.raises(StreamClosedError):
        stream.place_face(None)
    with pytest.raises(AvatarError, match="expected an avatar of the V-Express engine"):
        engine.open(FakeAvatar("x", avatar.still), StreamOptions())

    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("engine.vexpress.live.engine.StreamWindow", full)
    with pytest.raises(EngineFullError, match="no memory left"):
        engine.open(avatar, StreamOptions())
