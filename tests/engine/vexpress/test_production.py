"""What was given becomes what a clip is made of, before any network is loaded."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.portraits import bundled_portraits
from engine.vexpress.kps import Points, TrackError, write_track
from engine.vexpress.production import ClipJob, read_inputs
from engine.vexpress.quirks import Quirk
from engine.vexpress.retarget import Strategy, face_size
from engine.vexpress.windows import ClipError
from engine.video import FilmError
from tests.engine.vexpress.films import write_driver
from tests.sounds import chirps, click, write_sound

PORTRAIT_FACE = np.array([[100, 100], [160, 100], [130, 140]], np.float32)
RATE_HZ = 25


def face(nose_x: float, step: float = 0) -> Points:
    """A small face, its nose somewhere between the eyes."""
    return np.array([[50 + step, 50], [80 + step, 50], [nose_x + step, 70]], np.float32)


@pytest.fixture
def job(tmp_path: Path) -> ClipJob:
    """A second of sound at 25 frames, and a portrait whose face is known."""
    write_sound(tmp_path / "speech.wav", chirps(16_000, 1.0), 16_000)
    write_track(tmp_path / "portrait.pth", PORTRAIT_FACE[None])
    return ClipJob(
        portrait=Path("astronaut"),
        sound=tmp_path / "speech.wav",
        target=tmp_path / "film.mp4",
        portrait_points=tmp_path / "portrait.pth",
        height=256,
        width=256,
        frame_rate_hz=RATE_HZ,
    )


def follow(job: ClipJob, track: Points, strategy: Strategy, *quirks: Quirk) -> Points:
    path = job.target.with_name("kps.pth")
    write_track(path, track)
    changed = replace(job, track=path, track_rate_hz=50.0, strategy=strategy)
    return read_inputs(replace(changed, quirks=frozenset(quirks)))[2].track


def test_a_track_keeps_its_own_time_unless_its_cut_is_kept(job: ClipJob) -> None:
    moving = np.stack([face(65, step) for step in range(100)])  # two seconds at 50 a second
    in_time = follow(job, moving, Strategy.NO_RETARGET)
    cut = follow(job, moving, Strategy.NO_RETARGET, Quirk.TRACK_CUT)
    assert len(in_time) == len(cut) == RATE_HZ
    np.testing.assert_array_equal(cut, moving[:RATE_HZ])
    expected = face(65)[0, 0] + (np.arange(RATE_HZ) + 0.5) * 2 - 0.5  # its first second
    np.testing.assert_allclose(in_time[:, 0, 0], expected, atol=1e-3)


def test_the_frame_that_gives_the_scale_is_the_best_unless_the_quirk_is_kept(job: ClipJob) -> None:
    # The first frames look straight ahead as the portrait does, the last are twice as large.
    track = np.stack([*[face(65)] * 2, *[face(55)] * 46, *[2 * face(55)] * 2])
    best = follow(job, track, Strategy.NAIVE_RETARGET)
    published = follow(job, track, Strategy.NAIVE_RETARGET, Quirk.RETARGET_FRAME)
    assert np.ptp(best[0, :2, 0]) == pytest.approx(60)
    assert np.ptp(published[0, :2, 0]) == pytest.approx(30)


def test_short_sound_makes_a_short_clip_unless_the_quirk_is_kept(job: ClipJob) -> None:
    write_sound(job.sound, chirps(16_000, 1.0)[:, :4800], 16_000)
    _, clip, inputs = read_inputs(job)
    assert (clip.frames, len(inputs.track)) == (8, 8)
    refusing = replace(job, quirks=frozenset([Quirk.SHORT_AUDIO_FAILS]))
    with pytest.raises(ClipError, match="shorter than one window"):
        read_inputs(refusing)


def test_sound_of_one_sample_makes_two_frames(job: ClipJob) -> None:
    write_sound(job.sound, np.full((1, 1), 0.5, np.float32), 16_000)
    assert read_inputs(job)[1].frames == 2


@pytest.mark.parametrize(("rate_hz", "channels"), [(8_000, 1), (44_100, 2), (48_000, 2)])
def test_sound_of_any_rate_is_heard_at_16_khz(job: ClipJob, rate_hz: int, channels: int) -> None:
    at_s = 0.4
    write_sound(job.sound, click(rate_hz, channels, seconds=1.0, at_s=at_s), rate_hz)
    heard, clip, inputs = read_inputs(job)
    assert heard.waveform.shape == (channels, rate_hz)
    assert inputs.speech.shape == (16_000,)
    assert int(inputs.speech.abs().argmax()) == pytest.approx(at_s * 16_000, abs=2)
    assert clip.frames == RATE_HZ


def test_a_portrait_is_taken_upright_and_opaque(job: ClipJob, tmp_path: Path) -> None:
    portrait = bundled_portraits()["astronaut"]
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned to the right by a quarter
    stored = Image.fromarray(np.ascontiguousarray(np.rot90(portrait)))
    stored.save(tmp_path / "turned.png", exif=exif)
    hole = np.dstack([portrait, np.full(portrait.shape[:2], 255, np.uint8)])
    hole[:40, :40, 3] = 0
    Image.fromarray(hole).save(tmp_path / "hole.png")
    turned, opaque = (
        read_inputs(replace(job, portrait=tmp_path / name, portrait_points=None))[2]
        for name in ("turned.png", "hole.png")
    )
    np.testing.assert_array_equal(turned.portrait, portrait)
    np.testing.assert_array_equal(opaque.portrait[40:], portrait[40:])
    assert opaque.portrait[:40, :40].min() == 255
    np.testing.assert_allclose(turned.track[0], opaque.track[0], atol=1)


def test_a_film_is_followed_to_the_frame_that_the_clip_ends_with(
    job: ClipJob, tmp_path: Path
) -> None:
    write_driver(tmp_path / "driver.mp4", 8, step_pixels=4)
    following = replace(
        job, film=tmp_path / "driver.mp4", strategy=Strategy.NO_RETARGET, frame_rate_hz=50.0
    )
    write_sound(job.sound, chirps(16_000, 1.0)[:, :2560], 16_000)  # 4 frames of the film
    for quirks, frames in ((frozenset[Quirk](), 4), (frozenset([Quirk.TRACK_CUT]), 8)):
        track = read_inputs(replace(following, quirks=quirks))[2].track
        assert len(track) == 8
        moved = float((track[-1] - track[0])[:, 0].mean())
        assert moved == pytest.approx(2 * (frames - 1), abs=1)


@pytest.mark.slow
def test_a_films_head_moves_the_portraits_own_points(job: ClipJob, tmp_path: Path) -> None:
    write_driver(tmp_path / "driver.mp4", 9, step_pixels=4)
    posed = replace(
        job,
        film=tmp_path / "driver.mp4",
        strategy=Strategy.POSE_RETARGET,
        portrait_points=None,
        frame_rate_hz=25.0,
    )
    write_sound(job.sound, chirps(16_000, 1.0), 16_000)  # the film goes to and fro
    track = read_inputs(posed)[2].track
    own = read_inputs(replace(posed, strategy=Strategy.FIX_FACE, film=None))[2].track[0]
    assert track.shape == (25, 3, 2)
    middles = track[:, :, 0].mean(axis=1)
    assert (np.diff(middles[:7]) > 0).all()
    assert middles[:9].max() - middles[:9].min() == pytest.approx(8 * 2, abs=4)
    assert np.abs(np.diff(middles)).max() < 4  # without a seam
    np.testing.assert_allclose(track[4], own, atol=1.5)  # where it rests
    for face in track:
        np.testing.assert_allclose(face_size(face), face_size(own), rtol=0.04)


def test_points_that_end_up_far_away_are_refused(job: ClipJob) -> None:
    tiny = np.stack([face(65) * 1e-3 + np.float32(100 * frame) for frame in range(50)])
    with pytest.raises(TrackError, match="not within"):
        follow(job, tiny, Strategy.NAIVE_RETARGET)


@pytest.mark.parametrize("part", ["sound", "portrait", "film", "track", "portrait_points"])
def test_nothing_that_was_given_is_overwritten(job: ClipJob, part: str) -> None:
    job.target.write_bytes(b"given")
    given: dict[str, Any] = {part: job.target}
    with pytest.raises(FilmError, match="is read to make the film"):
        read_inputs(replace(job, **given))
    assert job.target.read_bytes() == b"given"
