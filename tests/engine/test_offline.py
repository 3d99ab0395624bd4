"""A film has every frame, its sound in time, and costs the same memory however long it is."""

import itertools
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from PIL import Image

from engine.api import (
    AvatarError,
    BadAudioError,
    BadPictureError,
    NoFaceError,
    PortraitOptions,
    StreamOptions,
)
from engine.offline import Job, Progress, Report, make_film, peak_rss_mb, read_portrait
from engine.portraits import bundled_portraits
from tests.fakes import FakeEngine
from tests.sounds import chirps, write_sound


def job(folder: Path, **changes: Path) -> Job:
    """A picture and a sound of two seconds, with other paths where asked for."""
    paths = {
        "portrait": folder / "face.png",
        "sound": folder / "speech.wav",
        "target": folder / "film.mp4",
    }
    Image.fromarray(np.full((40, 30, 3), 99, np.uint8)).save(paths["portrait"])
    write_sound(paths["sound"], chirps(16_000, 2.0), 16_000)
    chosen = paths | changes
    return Job(
        portrait=chosen["portrait"],
        sound=chosen["sound"],
        target=chosen["target"],
        portrait_options=PortraitOptions(size=128),
        stream_options=StreamOptions(),
    )


def make(what: Job, show: Callable[[Progress], None] = lambda _: None) -> Report:
    ticks = itertools.count()
    return make_film(FakeEngine, what, show, lambda: float(next(ticks)))


@pytest.mark.parametrize(
    ("samples", "frames"), [(1, 1), (639, 1), (640, 1), (641, 2), (6400, 10), (32_001, 51)]
)
def test_the_film_has_a_frame_for_every_begun_forty_milliseconds(
    samples: int, frames: int, tmp_path: Path
) -> None:
    what = job(tmp_path)
    soundfile.write(what.sound, np.full(samples, 0.1), 16_000)
    report = make(what)
    assert report.frames == frames
    with av.open(str(what.target)) as container:
        assert len(list(container.decode(video=0))) == frames


def test_the_report_adds_up(tmp_path: Path) -> None:
    report = make(job(tmp_path))
    assert (report.frames, report.seconds) == (50, 2.0)
    assert (report.width, report.height) == (128, 128)
    # The clock ticks once per look: loading and preparing take one tick each, every call of the
    # engine one, and rendering all the ticks between its start and its end.
    assert report.load_s == report.prepare_s == 1.0
    calls = round(report.engine_ms_per_frame * report.frames / 1000)
    assert calls == 6  # five blocks of 0.4 s and the flush
    assert report.render_s == 2 * calls + 1
    assert report.realtime_factor == pytest.approx(report.seconds / report.render_s)
    assert not report.silent
    assert report.damaged_packets == 0


def test_progress_ends_at_its_total(tmp_path: Path) -> None:
    seen: list[Progress] = []
    make(job(tmp_path), seen.append)
    frames = [progress.frames for progress in seen]
    assert frames == sorted(frames)
    assert frames[-1] == 50
    assert {progress.total_frames for progress in seen} == {50}


def test_silence_is_reported_and_still_rendered(tmp_path: Path) -> None:
    what = job(tmp_path)
    soundfile.write(what.sound, np.zeros(16_000), 16_000)
    report = make(what)
    assert report.silent
    assert report.frames == 25


@pytest.mark.parametrize(
    ("changes", "error", "reason"),
    [
        ({"portrait": "none.png"}, BadPictureError, "no such file"),
        ({"sound": "none.wav"}, BadAudioError, "no such file"),
        ({"sound": "face.png"}, BadAudioError, "no audio stream"),
        ({"portrait": "speech.wav"}, BadPictureError, "not a picture"),
        ({"target": "none/film.mp4"}, AvatarError, "does not exist"),
        ({"target": "film.avi"}, AvatarError, "ending in"),
    ],
)
def test_mistakes_show_before_the_engine_is_loaded(
    changes: dict[str, str], error: type[Exception], reason: str, tmp_path: Path
) -> None:
    what = job(tmp_path, **{name: tmp_path / value for name, value in changes.items()})

    def refuse() -> FakeEngine:
        pytest.fail("the engine was loaded")

    with pytest.raises(error, match=reason):
        make_film(refuse, what, lambda _: None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["face.png", "speech.wav"]


def test_a_picture_without_a_face_leaves_nothing_behind(tmp_path: Path) -> None:
    what = job(tmp_path)
    Image.fromarray(np.zeros((40, 30, 3), np.uint8)).save(what.portrait)
    with pytest.raises(NoFaceError):
        make(what)
    assert not what.target.exists()


def test_sound_that_breaks_off_midway_leaves_nothing_behind(tmp_path: Path) -> None:
    what = job(tmp_path)
    wave = chirps(16_000, 4.0)[0]
    wave[50_000] = np.inf
    soundfile.write(what.sound, wave, 16_000, subtype="FLOAT")
    with pytest.raises(BadAudioError, match="not numbers"):
        make(what)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["face.png", "speech.wav"]


def test_the_sound_itself_is_never_overwritten(tmp_path: Path) -> None:
    what = job(tmp_path)
    make(what)
    again = job(tmp_path, sound=what.target)
    before = what.target.read_bytes()
    with pytest.raises(AvatarError, match="is the sound itself"):
        make(again)
    assert what.target.read_bytes() == before


def test_bundled_portraits_go_by_name(tmp_path: Path) -> None:
    np.testing.assert_array_equal(
        read_portrait(Path("astronaut")), bundled_portraits()["astronaut"]
    )
    with pytest.raises(BadPictureError, match="nobody: no such file"):
        read_portrait(Path("nobody"))


def peak_bytes(seconds: int, folder: Path) -> int:
    what = job(folder)
    soundfile.write(what.sound, np.tile(chirps(16_000, 10.0)[0], seconds // 10), 16_000)
    tracemalloc.start()
    make(what)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_memory_does_not_grow_with_length(tmp_path: Path) -> None:
    peak_bytes(10, tmp_path)  # the first film pays for what is loaded once
    short, long = peak_bytes(10, tmp_path), peak_bytes(80, tmp_path)
    assert long < short + 1_000_000


def test_peak_memory_is_told_where_the_system_tells_it() -> None:
    peak = peak_rss_mb()
    assert peak is None or 20 < peak < 100_000
