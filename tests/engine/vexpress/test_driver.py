"""A face in a film is followed, and films come out at any rate."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from engine.audio import AudioReader
from engine.portrait.landmarks import FaceLandmarker
from engine.vexpress.driver import DriverError, follow_film
from engine.vexpress.film import RatedFilmWriter
from tests.engine.vexpress.films import note_turn, write_driver, write_uneven_driver
from tests.sounds import chirps, write_sound


@pytest.fixture(scope="module")
def landmarker() -> FaceLandmarker:
    return FaceLandmarker()


@pytest.mark.slow
def test_a_face_is_followed_in_its_own_time(tmp_path: Path, landmarker: FaceLandmarker) -> None:
    write_driver(tmp_path / "driver.mp4", 6, step_pixels=4)
    track = follow_film(tmp_path / "driver.mp4", landmarker, (256, 256), duration_s=10.0)
    assert track.frame_rate_hz == 25.0
    assert track.points.shape == (6, 3, 2)
    moved = track.points[:, :, 0] - track.points[0, :, 0]
    np.testing.assert_allclose(moved, np.arange(6)[:, None] * 2 * np.ones(3), atol=1.5)
    short = follow_film(tmp_path / "driver.mp4", landmarker, (256, 256), duration_s=0.1)
    assert len(short.points) == 3  # at 0, 40 and 80 ms


def test_what_is_no_film_is_refused(tmp_path: Path, landmarker: FaceLandmarker) -> None:
    write_sound(tmp_path / "sound.wav", chirps(16_000, 1.0), 16_000)
    (tmp_path / "text.mp4").write_text("hello")
    for name, reason in (
        ("none.mp4", "no such file"),
        ("text.mp4", "cannot be read"),
        ("sound.wav", "has no picture"),
    ):
        with pytest.raises(DriverError, match=reason):
            follow_film(tmp_path / name, landmarker, (256, 256), 1.0)


@pytest.mark.slow
def test_a_film_is_seen_as_phones_mean_it(tmp_path: Path, landmarker: FaceLandmarker) -> None:
    write_driver(tmp_path / "upright.mp4", 2, step_pixels=4)
    write_driver(tmp_path / "turned.mp4", 2, step_pixels=4, quarter_turns=1)
    note_turn(tmp_path / "turned.mp4")
    upright, turned = (
        follow_film(tmp_path / name, landmarker, (256, 256), duration_s=1.0).points
        for name in ("upright.mp4", "turned.mp4")
    )
    np.testing.assert_allclose(turned, upright, atol=1.5)


@pytest.mark.slow
def test_uneven_frames_are_brought_to_an_even_rate(
    tmp_path: Path, landmarker: FaceLandmarker
) -> None:
    # A second at 25 frames a second, of which the film left some out; it starts late as well.
    kept = [0, 1, 2, 3, 8, 9, 10, 15, 16, 20]
    write_uneven_driver(tmp_path / "driver.mp4", kept, step_pixels=4)
    track = follow_film(tmp_path / "driver.mp4", landmarker, (256, 256), duration_s=10.0)
    seconds = np.arange(len(track.points)) / track.frame_rate_hz
    assert seconds[-1] == pytest.approx(20 / 25, abs=0.06)
    moved = track.points[:, :, 0] - track.points[0, :, 0]
    np.testing.assert_allclose(moved, seconds[:, None] * 25 * 2 * np.ones(3), atol=2)


@pytest.mark.slow
def test_a_film_that_is_cut_by_frames_is_followed_as_far(
    tmp_path: Path, landmarker: FaceLandmarker
) -> None:
    write_driver(tmp_path / "driver.mp4", 6, step_pixels=4)
    track = follow_film(tmp_path / "driver.mp4", landmarker, (256, 256), 0.04, least_frames=4)
    assert len(track.points) == 4


@pytest.mark.slow
def test_a_film_without_a_face_says_where(tmp_path: Path, landmarker: FaceLandmarker) -> None:
    write_driver(tmp_path / "driver.mp4", 3, step_pixels=600)
    with pytest.raises(DriverError, match=r"driver\.mp4: frame 1: no face"):
        follow_film(tmp_path / "driver.mp4", landmarker, (256, 256), 1.0)


@pytest.mark.parametrize("rate", [Fraction(30), Fraction(284, 10), Fraction(30_000, 1001)])
def test_films_of_any_rate_are_in_time(tmp_path: Path, rate: Fraction) -> None:
    write_sound(tmp_path / "speech.wav", chirps(16_000, 1.0), 16_000)
    frames = round(rate)
    target = tmp_path / "film.mp4"
    with AudioReader(tmp_path / "speech.wav") as reader:
        waveform = np.concatenate([block.original for block in reader.blocks()], axis=1)
        with RatedFilmWriter(target, (64, 96), reader.sound, rate) as film:
            for index in range(frames):
                picture = np.full((64, 96, 3), 40 + index, np.uint8)
                film.write_beside(picture, waveform, last=index == frames - 1)
    with av.open(str(target)) as written:
        video = written.streams.video[0]
        assert (video.width, video.height, video.frames) == (96, 64, frames)
        times = [frame.time for frame in written.decode(video=0)]
    np.testing.assert_allclose(times, [float(index / rate) for index in range(frames)], atol=1e-3)
    with av.open(str(target)) as written:
        heard = sum(frame.samples for frame in written.decode(audio=0))
    assert heard == pytest.approx(waveform.shape[1], abs=1100)  # AAC fills its last frame
