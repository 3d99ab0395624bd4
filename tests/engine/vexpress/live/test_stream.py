"""A live stream of the model keeps the promises of `engine.api`, with every preset."""

import numpy as np
import pytest
import torch

from engine.api import (
    AvatarError,
    Background,
    BadAudioError,
    BadPictureError,
    EngineFullError,
    Framing,
    Picture,
    PortraitOptions,
    StreamClosedError,
    StreamOptions,
    Unit,
)
from engine.vexpress.live.avatar import VExpressAvatar
from engine.vexpress.live.engine import VExpressEngine
from tests.engine.vexpress.live.conftest import FRAMES, SIZE, perform, same, speech
from tests.fakes import FakeAvatar

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_the_sound_may_be_cut_anywhere(engine: VExpressEngine, avatar: VExpressAvatar) -> None:
    sound = speech(extra=100)
    whole = perform(engine.open(avatar, StreamOptions()), sound)
    cut = perform(engine.open(avatar, StreamOptions()), sound, [1, 640, 641, 5000, 5000, 12_000])
    assert same(whole, cut)
    assert [unit.frame_index for unit in whole] == list(range(FRAMES + 1))
    heard = np.concatenate([unit.samples for unit in whole])
    assert np.array_equal(heard[: len(sound)], sound)
    assert not heard[len(sound) :].any()


def test_units_come_no_later_than_promised(engine: VExpressEngine, avatar: VExpressAvatar) -> None:
    stream = engine.open(avatar, StreamOptions())
    shown = 0
    for heard, piece in enumerate(np.split(speech(20), 20), start=1):
        shown += len(stream.push(piece))
        assert heard - shown <= stream.look_ahead_frames
    assert shown > 0


def test_a_reset_leaves_no_trace(engine: VExpressEngine, avatar: VExpressAvatar) -> None:
    stream = engine.open(avatar, StreamOptions(seed=3))
    first = perform(stream, speech())
    stream.push(speech(9, seed=8, extra=5))
    stream.reset(4)
    again = perform(stream, speech())
    assert same(first, again)
    assert {unit.epoch for unit in again} == {4}


def test_visitors_do_not_touch_each_other(engine: VExpressEngine, avatar: VExpressAvatar) -> None:
    sounds = [speech(seed=seed) for seed in (1, 2)]
    options = [StreamOptions(seed=1), StreamOptions(seed=2, expression_strength=0.5, badge=False)]
    alone = [
        perform(engine.open(avatar, how), sound) for how, sound in zip(options, sounds, strict=True)
    ]
    streams = [engine.open(avatar, how) for how in options]
    turns: list[list[Unit]] = [[], []]
    for pieces in zip(*(np.split(sound, FRAMES) for sound in sounds), strict=True):
        for index, (stream, piece) in enumerate(zip(streams, pieces, strict=True)):
            turns[index] += stream.push(piece)
    finished = [units + stream.flush() for units, stream in zip(turns, streams, strict=True)]
    assert all(same(*pair) for pair in zip(alone, finished, strict=True))


def test_what_is_said_and_how_strongly_matters(
    engine: VExpressEngine, avatar: VExpressAvatar, spoken: list[Unit]
) -> None:
    for options, sound in (
        (StreamOptions(), speech(seed=5)),
        (StreamOptions(expression_strength=0.0), speech()),
        (StreamOptions(seed=1), speech()),
    ):
        assert not same(spoken, perform(engine.open(avatar, options), sound))


def test_planes_hold_the_same_picture(engine: VExpressEngine, avatar: VExpressAvatar) -> None:
    (rgb, *_), (planes, *_) = (
        perform(engine.open(avatar, StreamOptions(planes=planes)), speech(9))
        for planes in (False, True)
    )
    assert rgb.picture.shape == (SIZE, SIZE, 3)
    assert planes.picture.shape == (SIZE * 3 // 2, SIZE)
    luma = 16 + (rgb.picture @ np.array([65.481, 128.553, 24.966])) / 255
    assert np.abs(luma - planes.picture[:SIZE]).max() < 1.5
    with pytest.raises(ValueError, match="read-only"):
        planes.picture[0, 0] = 0


def test_broken_frames_are_never_seen(
    engine: VExpressEngine, avatar: VExpressAvatar, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = engine.open(avatar, StreamOptions())
    good = stream.push(speech(14))
    fault = torch.tensor(float("nan"))
    with monkeypatch.context() as broken:
        predict = type(engine.model.runners).predict
        broken.setattr(type(engine.model.runners), "predict", lambda *args: predict(*args) + fault)
        bad = stream.push(speech(10, seed=2))
    healed = stream.push(speech(24, seed=3)) + stream.flush()
    assert stream.repaired_frames > 0
    assert any(np.array_equal(unit.picture, good[-1].picture) for unit in bad)
    assert not np.array_equal(healed[-1].picture, healed[-9].picture)
    numbers = [unit.frame_index for unit in good + bad + healed]
    assert numbers == list(range(48))


def test_a_reset_forgets_broken_frames(
    engine: VExpressEngine,
    avatar: VExpressAvatar,
    spoken: list[Unit],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = engine.open(avatar, StreamOptions())
    with monkeypatch.context() as broken:
        predict = type(engine.model.runners).predict
        broken.setattr(
            type(engine.model.runners), "predict", lambda *args: predict(*args) * torch.nan
        )
        stream.push(speech(14))
    stream.reset(1)
    assert same(perform(stream, speech()), spoken)
    assert stream.repaired_frames > 0


def test_wrong_sound_is_refused_and_nothing_is_lost(
    engine: VExpressEngine, avatar: VExpressAvatar
) -> None:
    stream = engine.open(avatar, StreamOptions())
    sound = speech(10)
    units = stream.push(sound[:3000])
    with pytest.raises(BadAudioError):
        stream.push(np.full(640, np.nan, np.float32))
    units += stream.push(sound[3000:])
    assert same(units + stream.flush(), perform(engine.open(avatar, StreamOptions()), sound))
    assert stream.flush() == []
    stream.close()
    stream.close()
    with pytest.raises(StreamClosedError):
        stream.push(sound)


def test_another_size_names_the_preset(engine: VExpressEngine, avatar: VExpressAvatar) -> None:
    with pytest.raises(BadPictureError, match=r"size 256: preset \S+ was captured for 128"):
        engine.prepare(avatar.still, PortraitOptions(size=256))
    with pytest.raises(BadPictureError, match="side of the square that is generated, whatever"):
        engine.prepare(avatar.still, PortraitOptions(size=512, framing=Framing.FULL))
    for options in (
        PortraitOptions(size=128, height=256),
        PortraitOptions(size=128, background=Background("blur")),
    ):
        with pytest.raises(BadPictureError, match="generates squares with the background of the"):
            engine.prepare(avatar.still, options)
    with pytest.raises(AvatarError, match="expected an avatar of the V-Express engine"):
        engine.open(FakeAvatar("x", avatar.still), StreamOptions())


def test_a_full_device_refuses_the_newcomer_only(
    engine: VExpressEngine,
    avatar: VExpressAvatar,
    portrait: Picture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inside = engine.open(avatar, StreamOptions())

    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with monkeypatch.context() as broken:
        broken.setattr("engine.vexpress.live.engine.StreamWindow", full)
        broken.setattr(engine.model.makes, "look_at", full)
        with pytest.raises(EngineFullError, match="no memory left"):
            engine.open(avatar, StreamOptions())
        with pytest.raises(EngineFullError, match="no memory left"):
            engine.prepare(portrait, PortraitOptions(size=SIZE))
    assert len(perform(inside, speech())) == FRAMES


def test_equal_pictures_make_equal_avatars(
    engine: VExpressEngine, avatar: VExpressAvatar, portrait: Picture
) -> None:
    again = engine.prepare(portrait.copy(), PortraitOptions(size=SIZE))
    other = engine.prepare(portrait[:, ::-1].copy(), PortraitOptions(size=SIZE))
    assert again.avatar_id == avatar.avatar_id != other.avatar_id
    assert torch.equal(again.anchor, avatar.anchor)
