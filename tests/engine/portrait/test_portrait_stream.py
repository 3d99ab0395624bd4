"""The properties that every engine keeps, on the real one (small frames keep the test quick)."""

import gc
import tracemalloc
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.api import (
    AvatarError,
    BadAudioError,
    Engine,
    Picture,
    PortraitOptions,
    Samples,
    Stream,
    StreamClosedError,
    StreamOptions,
    Unit,
)
from engine.config import TIMING
from engine.direction import Direction, Pose, PuppetFrame
from engine.portrait.easing import EASED_FRAMES
from engine.portrait.engine import PortraitAvatar, load_engine
from tests.fakes import FakeAvatar
from tests.speech import syllables

SIZE = TIMING.samples_per_frame
FEW = settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return load_engine("cpu", tmp_path_factory.mktemp("scenes"))


@pytest.fixture(scope="module")
def avatar(engine: Engine, hopper: Picture) -> PortraitAvatar:
    made = engine.prepare(hopper, PortraitOptions(size=128))
    assert isinstance(made, PortraitAvatar)
    return made


@pytest.fixture(scope="module")
def speech() -> Samples:
    return syllables(1.0, seed=3)[0]


def run(stream: Stream, pieces: list[Samples]) -> list[Unit]:
    units = [unit for piece in pieces for unit in stream.push(piece)]
    return units + stream.flush()


def assert_same(first: list[Unit], second: list[Unit]) -> None:
    assert [unit.frame_index for unit in first] == [unit.frame_index for unit in second]
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one.samples, other.samples)
        assert np.array_equal(one.picture, other.picture)


@FEW
@given(cuts=st.lists(st.integers(0, 16_000), max_size=10).map(sorted))
def test_cutting_the_input_differently_changes_nothing(
    engine: Engine, avatar: PortraitAvatar, speech: Samples, cuts: list[int]
) -> None:
    whole = run(engine.open(avatar, StreamOptions()), [speech])
    assert_same(whole, run(engine.open(avatar, StreamOptions()), np.split(speech, cuts)))


@FEW
@given(length=st.integers(1, 9_000))
def test_units_are_consecutive_and_carry_exactly_their_samples(
    engine: Engine, avatar: PortraitAvatar, speech: Samples, length: int
) -> None:
    units = run(engine.open(avatar, StreamOptions()), [speech[:length]])
    assert len(units) == -(-length // SIZE)
    assert [unit.frame_index for unit in units] == list(range(len(units)))
    joined = np.concatenate([unit.samples for unit in units])
    assert np.array_equal(joined[:length], speech[:length])
    assert not joined[length:].any()
    assert all(unit.picture.shape == (128, 128, 3) for unit in units)


def test_a_unit_is_due_as_soon_as_its_look_ahead_is_there(
    engine: Engine, avatar: PortraitAvatar, speech: Samples
) -> None:
    stream = engine.open(avatar, StreamOptions())
    needed = SIZE * (1 + stream.look_ahead_frames)
    assert stream.push(speech[: needed - 1]) == []
    assert [unit.frame_index for unit in stream.push(speech[needed - 1 : needed])] == [0]


@FEW
@given(before=st.integers(0, 6_000))
def test_reset_leaves_no_trace_but_life_goes_on(
    engine: Engine, avatar: PortraitAvatar, speech: Samples, before: int
) -> None:
    stream = engine.open(avatar, StreamOptions(seed=5))
    shown = len(stream.push(speech[::-1][:before].copy()))
    stream.reset(epoch=7)
    units = run(stream, [speech])
    fresh = run(engine.open(avatar, StreamOptions(seed=5, life_frame=shown)), [speech])
    assert {unit.epoch for unit in units} == {7}
    assert_same(units[EASED_FRAMES:], fresh[EASED_FRAMES:])
    if not shown:
        assert_same(units, fresh)


def test_a_face_that_is_interrupted_does_not_jump(
    engine: Engine, avatar: PortraitAvatar, speech: Samples
) -> None:
    stream = engine.open(avatar, StreamOptions(badge=False))
    spoken = run_without_flush(stream, speech)
    stream.reset(epoch=1)
    after = run_without_flush(stream, np.zeros(8 * SIZE, np.float32))
    pictures = [spoken[-1].picture, *(unit.picture for unit in after)]
    steps = [float(np.abs(a.astype(int) - b).mean()) for a, b in pairwise(pictures)]
    whole = float(np.abs(pictures[0].astype(int) - pictures[EASED_FRAMES]).mean())
    assert max(steps) < 0.75 * whole


def run_without_flush(stream: Stream, speech: Samples) -> list[Unit]:
    return stream.push(speech)


def follow(stream: Stream, speech: Samples, step: int, acts: dict[int, str]) -> list[Unit]:
    """Push `step` samples at a time; before the sample number `acts` names, do what it says."""
    units, edges = list[Unit](), sorted({*range(0, len(speech), step), *acts, len(speech)})
    for first, last in pairwise(edges):
        if first in acts:
            stream.gesture(acts[first])
            stream.direct(Direction(pose=Pose(yaw=first % 9), emotion="smile"))
            stream.puppet(PuppetFrame(brows_up=0.2) if first % 2 else None)
        units += stream.push(speech[first:last])
    return units + stream.flush()


@FEW
@given(
    acts=st.dictionaries(st.integers(1, 9_000), st.sampled_from(["nod", "blink"]), max_size=3),
    step=st.integers(300, 4_000),
)
def test_cutting_the_input_differently_changes_nothing_in_what_is_directed(
    engine: Engine, avatar: PortraitAvatar, speech: Samples, acts: dict[int, str], step: int
) -> None:
    whole, cut = (
        follow(engine.open(avatar, StreamOptions()), speech[:9_600], size, acts)
        for size in (len(speech), step)
    )
    assert_same(whole, cut)


def test_direction_survives_reset(engine: Engine, avatar: PortraitAvatar, speech: Samples) -> None:
    stream = engine.open(avatar, StreamOptions())
    stream.direct(Direction(pose=Pose(yaw=9)))
    stream.push(speech[:640])
    stream.reset(epoch=1)
    turned = run(stream, [speech[:640]])[0].picture
    fresh = engine.open(avatar, StreamOptions())
    fresh.direct(Direction(pose=Pose(yaw=9)))
    assert np.array_equal(turned, run(fresh, [speech[:640]])[0].picture)
    plain = run(engine.open(avatar, StreamOptions()), [speech[:640]])[0].picture
    assert not np.array_equal(turned, plain)


def test_memory_stays_flat(engine: Engine, avatar: PortraitAvatar, speech: Samples) -> None:
    piece, traced = speech[: 16 * SIZE], list[int]()
    warming, stream = (engine.open(avatar, StreamOptions()) for _ in range(2))
    for _ in range(6):  # fills the caches of frames, which all streams share
        warming.push(piece)
    tracemalloc.start()
    for _ in range(6):
        stream.push(piece)
        gc.collect()  # also frees the spare tuples that Python keeps
        traced.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert traced[-1] - traced[1] < 20_000, traced


def test_seeds_differ_and_repeat(engine: Engine, avatar: PortraitAvatar, speech: Samples) -> None:
    first, again, other = (
        run(engine.open(avatar, StreamOptions(seed=seed)), [speech]) for seed in (1, 1, 2)
    )
    assert_same(first, again)
    assert any(
        not np.array_equal(one.picture, two.picture) for one, two in zip(first, other, strict=True)
    )


def test_the_badge_is_there_unless_it_is_turned_off(
    engine: Engine, avatar: PortraitAvatar, speech: Samples
) -> None:
    marked, plain = (
        run(engine.open(avatar, StreamOptions(badge=badge)), [speech[:SIZE]])[0].picture
        for badge in (True, False)
    )
    apart = np.abs(marked.astype(int) - plain).max(-1)
    assert apart[100:, 60:].max() > 40
    assert apart[:100].max() == 0


def test_bad_samples_are_named_and_lose_nothing(
    engine: Engine, avatar: PortraitAvatar, speech: Samples
) -> None:
    stream = engine.open(avatar, StreamOptions())
    units = stream.push(speech[:3_000])
    with pytest.raises(BadAudioError, match="2-D float64"):
        stream.push(np.zeros((2, 2)))  # type: ignore[arg-type]
    with pytest.raises(BadAudioError, match="NaN"):
        stream.push(np.array([np.nan], np.float32))
    units += run(stream, [speech[3_000:]])
    assert_same(units, run(engine.open(avatar, StreamOptions()), [speech]))


def test_a_closed_stream_says_so(engine: Engine, avatar: PortraitAvatar, speech: Samples) -> None:
    stream = engine.open(avatar, StreamOptions())
    stream.close()
    stream.close()
    with pytest.raises(StreamClosedError):
        stream.push(speech)


def test_units_cannot_be_changed(engine: Engine, avatar: PortraitAvatar, speech: Samples) -> None:
    unit = engine.open(avatar, StreamOptions()).push(speech)[0]
    with pytest.raises(ValueError, match="read-only"):
        unit.picture[0, 0] = 0
    with pytest.raises(ValueError, match="read-only"):
        unit.samples[0] = 0


def test_preparing_twice_reads_the_cache(
    engine: Engine, avatar: PortraitAvatar, hopper: Picture
) -> None:
    again = engine.prepare(hopper, PortraitOptions(size=128))
    assert again.avatar_id == avatar.avatar_id
    assert np.array_equal(again.still, avatar.still)


def test_unknown_devices_and_foreign_avatars_are_refused(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(AvatarError, match="'tpu'"):
        load_engine("tpu", tmp_path)
    foreign = FakeAvatar("x", np.zeros((128, 128, 3), np.uint8))
    with pytest.raises(AvatarError, match="portrait engine"):
        engine.open(foreign, StreamOptions())
