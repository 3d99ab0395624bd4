"""A film of a portrait that turns its head drives another portrait."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest

from benchmarks.control import following
from engine.api import Picture, PortraitOptions
from engine.direction import Direction, Pose
from engine.film_reader import DriverError
from engine.portrait.acting import drive, pose_channels
from engine.portrait.channels import Channel
from engine.portrait.prepare import Preparer
from engine.portrait.reference_video import drive_avatar, read_reference_video
from engine.portrait.renderer import Renderer
from engine.stage_directions import MouthFrom, Wishes, plan
from tests.engine.vexpress.films import note_turn

pytestmark = pytest.mark.slow
FRAMES = 24
YAWS = 6 * np.sin(np.arange(FRAMES) / 4)


@dataclass(frozen=True)
class Still:
    avatar_id: str
    still: Picture


@pytest.fixture(scope="module")
def turning(preparer: Preparer, astronaut: Picture) -> list[Picture]:
    renderer = Renderer(preparer.scene(astronaut, PortraitOptions(size=256)))
    pictures = []
    for frame, yaw in enumerate(YAWS):
        motion = pose_channels(Pose(yaw=float(yaw)))
        motion[[Channel.BLINK_LEFT, Channel.BLINK_RIGHT]] = float(frame == 12)
        pictures.append(renderer.render(motion))
    return pictures


def write(path: Path, pictures: Sequence[Picture], times: Sequence[int] | None = None) -> Path:
    """A film of pictures at multiples of 1/25 s."""
    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", 25, options={"crf": "12"})
        stream.width, stream.height = pictures[0].shape[1], pictures[0].shape[0]
        stream.pix_fmt = "yuv420p"
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")
            frame.pts = number if times is None else times[number]
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
    return path


def test_a_head_is_followed_without_lag_and_a_blink_to_the_frame(
    turning: list[Picture], hopper: Picture, tmp_path: Path
) -> None:
    video = read_reference_video(write(tmp_path / "driver.mp4", turning))
    assert video.notes == ()
    driver = drive_avatar(video, Still("hopper", hopper), is_own=False)
    motion = np.stack([driver(frame) for frame in range(FRAMES - 5)]).astype(np.float64)
    found = following(YAWS[: FRAMES - 5], motion[:, Channel.YAW])
    assert found.lag_frames == 0
    assert found.correlation > 0.97
    assert int(np.argmax(motion[:, Channel.BLINK_LEFT])) == 12
    assert abs(float(np.median(motion[:, Channel.YAW]))) < 0.05


def test_uneven_times_become_even_ones(turning: list[Picture], tmp_path: Path) -> None:
    kept = [frame for frame in range(FRAMES) if frame % 3]
    whole = read_reference_video(write(tmp_path / "whole.mp4", turning[kept[0] :]))
    times = [frame - kept[0] for frame in kept]
    path = write(tmp_path / "uneven.mp4", [turning[frame] for frame in kept], times)
    uneven = read_reference_video(path)
    assert len(uneven.measures) == len(whole.measures)
    yaws = (one.measures[:, Channel.YAW] for one in (whole, uneven))
    assert following(*yaws).correlation > 0.97


def test_a_film_is_seen_as_phones_mean_it(turning: list[Picture], tmp_path: Path) -> None:
    upright = read_reference_video(write(tmp_path / "upright.mp4", turning[:8]))
    path = write(tmp_path / "turned.mp4", [np.rot90(picture) for picture in turning[:8]])
    note_turn(path)
    turned = read_reference_video(path)
    angles = [Channel.YAW, Channel.PITCH, Channel.ROLL]
    np.testing.assert_allclose(turned.measures[:, angles], upright.measures[:, angles], atol=0.03)


def test_cuts_and_holes_are_told(turning: list[Picture], hopper: Picture, tmp_path: Path) -> None:
    other = np.roll(turning[0], 90, axis=1)
    dark = np.zeros_like(other)
    pictures = [*turning[:9], dark, *turning[10:18], *[other] * 5]
    video = read_reference_video(write(tmp_path / "cut.mp4", pictures))
    assert len(video.measures) == 18
    assert any("cut 1 times" in note for note in video.notes)
    assert any("no face in 1 picture" in note for note in video.notes)


def test_two_people_are_told_and_one_is_followed(two_people: Picture, tmp_path: Path) -> None:
    video = read_reference_video(write(tmp_path / "two.mp4", [two_people] * 3))
    assert any("2 people" in note for note in video.notes)
    assert len(video.measures) == 3


def test_the_persons_own_film_keeps_its_pose(
    turning: list[Picture], astronaut: Picture, tmp_path: Path
) -> None:
    turned = [turning[6]] * 4
    video = read_reference_video(write(tmp_path / "own.mp4", turned))
    relative, own = (
        drive_avatar(video, Still("own", astronaut), is_own=is_own)(0)[Channel.YAW]
        for is_own in (False, True)
    )
    assert abs(relative) < 0.02
    assert own > 0.08


def test_wishes_become_a_driver_and_its_share_of_the_mouth(
    turning: list[Picture], astronaut: Picture, tmp_path: Path
) -> None:
    film = write(tmp_path / "own.mp4", [turning[6]] * 4)
    for is_own, mouth_from, share in (
        (True, MouthFrom.VIDEO, 1.0),
        (True, MouthFrom.MIX, 0.25),
        (False, MouthFrom.AUDIO, 0.0),
    ):
        wishes = Wishes(
            reference_video=film,
            own_video=is_own,
            mouth_from=mouth_from,
            mouth_mix=0.25,
            direction=Direction(),
        )
        cue = plan(wishes).script(Still("own", astronaut)).cue(2)
        assert cue.mouth_share == share
        assert cue.driven is not None
        assert (cue.driven[Channel.YAW] > 0.08) == is_own
        voice = np.zeros(len(cue.driven), np.float32)
        voice[Channel.JAW_OPEN] = 1.0
        driven = float(cue.driven[Channel.JAW_OPEN])
        mixed = float(drive(voice, cue)[Channel.JAW_OPEN])
        assert mixed == pytest.approx(1 + share * (driven - 1), abs=1e-6)


def test_films_that_will_not_do(turning: list[Picture], tmp_path: Path) -> None:
    with pytest.raises(DriverError, match="no face found"):
        read_reference_video(write(tmp_path / "dark.mp4", [turning[0] * 0] * 3))
    with pytest.raises(DriverError, match="no such file"):
        read_reference_video(tmp_path / "none.mp4")
    empty = tmp_path / "empty.mp4"
    empty.write_bytes(b"")
    with pytest.raises(DriverError, match="cannot be read"):
        read_reference_video(empty)
