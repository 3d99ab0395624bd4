"""Films become a corpus, and films of no use are named."""

import json
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import soundfile
import typer

from engine.api import Picture
from engine.audio import Sound
from engine.portrait.landmarks import FaceLandmarker
from engine.portraits import bundled_portraits
from engine.training.corpus import CorpusError, read_corpus, read_landmarks
from engine.training.face_films import WatchedFilm, clip_ranges, read_sound, shown_at_rate
from engine.training.make_corpus import Folders, _main, find_films, licence_of, make_corpus
from engine.training.screening import screen
from engine.video import FilmWriter

RATE_HZ = 16_000
LENGTH_S = 1.2


def face(shift: int) -> Picture:
    """A bundled face that moves to the side."""
    picture = cv2.resize(bundled_portraits()["astronaut"], (320, 320))
    return np.roll(picture, shift, axis=1)


def nothing(shift: int) -> Picture:
    return np.full((320, 320, 3), 90 + shift, np.uint8)


def film(path: Path, picture: Callable[[int], Picture], loudness: float, rate_hz: int = 30) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).normal(0, 1, round(LENGTH_S * RATE_HZ))
    bursts = noise * loudness * (np.sin(np.arange(len(noise)) / 1200) > 0)
    with FilmWriter(path, 320, 320, Sound(RATE_HZ, 1, None), Fraction(rate_hz)) as writer:
        for number in range(round(LENGTH_S * rate_hz)):
            writer.write_picture(picture(number // 4))
        writer.write_sound(bursts.astype(np.float32)[None])
    return path


@pytest.fixture(scope="module")
def talking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("film") / "talk.mp4", face, 0.1)


@pytest.fixture
def videos(talking: Path, tmp_path: Path) -> Path:
    """One person's folder with a film, and a licence for everything."""
    folder = tmp_path / "videos"
    (folder / "eileen").mkdir(parents=True)
    shutil.copy(talking, folder / "eileen" / "a talk.mp4")
    (folder / "LICENCE").write_text("CC BY 4.0\nmore words\n")
    return folder


@pytest.mark.slow
def test_a_film_becomes_a_clip_that_training_reads(videos: Path, tmp_path: Path) -> None:
    out = tmp_path / "corpus"
    out.mkdir()
    (out / "half.npz.part").write_bytes(b"left by a run that was stopped")
    clips, skipped = make_corpus(Folders(videos, out))
    assert not skipped
    (entry,) = clips
    assert (entry["identity"], entry["licence"]) == ("eileen", "CC BY 4.0")
    assert (entry["source"], entry["kind"]) == ("eileen/a talk.mp4", "real")
    assert entry["frames"] == 30  # 36 pictures at 30 a second
    assert json.loads((out / "index.json").read_text()) == {"clips": clips}
    assert not list(out.glob("*.part*"))
    (clip,) = read_corpus(out, entry["role"], tmp_path)
    assert clip.mouth.shape == (30, 9)
    samples, rate_hz = soundfile.read(out / f"{entry['name']}.flac")
    assert (len(samples), rate_hz) == (30 * 640, RATE_HZ)
    agrees_with_its_film(out, entry["name"])
    fit, refused = screen(out)
    assert [one["name"] for one in fit] == [entry["name"]], refused
    before = (out / f"{entry['name']}.npz").stat().st_mtime_ns
    assert make_corpus(Folders(videos, out))[0] == clips
    assert (out / f"{entry['name']}.npz").stat().st_mtime_ns == before  # not made again


def agrees_with_its_film(out: Path, name: str) -> None:
    """Landmarks lie where the face is in the small film."""
    entry = {"name": name}
    points, present = read_landmarks(out, entry)
    assert present.all()
    with np.load(out / f"{name}.npz") as arrays:
        assert arrays["pose"].shape == (30, 4, 4)
    with av.open(str(out / f"{name}.mp4")) as small:
        pictures = [
            np.asarray(one.to_ndarray(format="rgb24"), np.uint8) for one in small.decode(video=0)
        ]
    assert len(pictures) == 30
    for frame in (3, 28):
        found = FaceLandmarker().find(pictures[frame])
        assert found is not None
        apart = np.linalg.norm(found.points[:, :2] - points[frame, :, :2], axis=1)
        assert np.median(apart) < 1.5
    assert np.ptp(points[:, 1, 0]) > 2  # the face did move


@pytest.mark.slow
def test_films_of_no_use_are_named_and_the_others_kept(videos: Path, tmp_path: Path) -> None:
    film(videos / "wall.mp4", nothing, 0.1)
    film(videos / "mute.mp4", face, 0.0)
    (videos / "broken.mp4").write_bytes(b"no film at all")
    (videos / "broken.txt").write_text("not looked at")
    clips, skipped = make_corpus(Folders(videos, tmp_path / "corpus"))
    assert len(clips) == 1
    assert set(skipped) == {"wall.mp4", "mute.mp4", "broken.mp4"}
    assert skipped["wall.mp4"].startswith("no face in any of")
    assert skipped["mute.mp4"].startswith("no sound")
    assert skipped["broken.mp4"].startswith("not a sound file") or "read" in skipped["broken.mp4"]


def test_where_nothing_is_left_the_exit_status_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    videos = tmp_path / "videos"
    videos.mkdir()
    for expected in ("holds no film", "no licence stated"):
        with pytest.raises(typer.Exit) as ended:
            _main(videos, tmp_path / "corpus")
        assert ended.value.exit_code == 1
        assert expected in capsys.readouterr().err
        (videos / "talk.mp4").write_bytes(b"not looked at")
    assert not (tmp_path / "corpus" / "index.json").exists()
    with pytest.raises(CorpusError, match="no such folder"):
        find_films(tmp_path / "elsewhere")


def test_the_nearest_word_on_a_licence_counts(tmp_path: Path) -> None:
    (tmp_path / "anna").mkdir()
    names = {name: tmp_path / name for name in ("top.mp4", "anna/one.mp4", "anna/two.mp4")}
    assert licence_of(tmp_path, names["top.mp4"]) is None
    (tmp_path / "LICENSE").write_text("for all")
    (tmp_path / "anna" / "LICENCE").write_text("for anna\n")
    assert licence_of(tmp_path, names["top.mp4"]) == "for all"
    assert licence_of(tmp_path, names["anna/one.mp4"]) == "for anna"
    listed = tmp_path / "licences.json"
    listed.write_text(json.dumps({"anna": "listed", "anna/two.mp4": "its own"}))
    assert licence_of(tmp_path, names["anna/one.mp4"]) == "listed"
    assert licence_of(tmp_path, names["anna/two.mp4"]) == "its own"
    listed.write_text('["CC0"]')
    with pytest.raises(CorpusError, match="expected"):
        licence_of(tmp_path, names["top.mp4"])


def test_pictures_are_chosen_by_their_times() -> None:
    assert shown_at_rate(np.arange(30) / 25).tolist() == list(range(30))
    assert shown_at_rate(np.arange(60) / 50).tolist() == list(range(0, 60, 2))
    doubled = shown_at_rate(np.arange(10) / 12.5)
    assert len(doubled) == 20
    assert np.bincount(doubled).max() == 2
    late = shown_at_rate(np.array([0.0, 0.04, 1.0]))  # a camera that stood still
    assert late[12] == 1
    assert late[25] == 2


def test_clips_end_at_cuts_and_never_last_too_long() -> None:
    present = np.ones(4000, bool)
    present[:30] = present[2000:2100] = False
    seen = WatchedFilm(
        np.arange(4000), np.zeros((4000, 1, 3), np.float32), present, 100.0, (2010, 2105, 2120)
    )
    ranges = clip_ranges(seen)
    assert [(one.start, one.stop) for one in ranges] == [
        (30, 1530), (1530, 2000), (2120, 3620), (3620, 4000),
    ]  # fmt: skip


def test_sound_counts_from_the_first_picture(tmp_path: Path) -> None:
    """A film whose sound begins 0.2 s after its pictures."""
    path = tmp_path / "late.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", 25)
        video.width = video.height = 64
        audio = container.add_stream("pcm_s16le", RATE_HZ, layout="mono")
        for number in range(25):
            picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
            picture.pts, picture.time_base = number, Fraction(1, 25)
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        sound = av.AudioFrame.from_ndarray(np.full((1, 8000), 9000, np.int16), "s16", "mono")
        sound.sample_rate, sound.pts, sound.time_base = RATE_HZ, 3200, Fraction(1, RATE_HZ)
        container.mux(audio.encode(sound))
        container.mux(audio.encode(None))
    samples = read_sound(path)
    assert len(samples) == pytest.approx(11_200, abs=32)
    assert np.flatnonzero(samples > 0.1)[0] == pytest.approx(3200, abs=32)
