"""The film is whole, in sync and true in colour, or it is not there at all."""

import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from engine.api import Picture
from engine.audio import AudioReader, Sound
from engine.video import FilmError, FilmWriter, check_target
from tests.sounds import chirps, write_sound

ROOT = Path(__file__).parents[2]
SIZE = 64


def flat(value: int, size: int = SIZE) -> Picture:
    return np.full((size, size, 3), value, np.uint8)


def write_film(target: Path, source: Path, frames: int) -> None:
    """Frames of rising grey over the sound of `source`."""
    with AudioReader(source) as reader, FilmWriter(target, SIZE, SIZE, reader.sound) as film:
        for block in reader.blocks():
            film.write_sound(block.original)
        for index in range(frames):
            film.write_picture(flat(40 + index))


def lag_samples(heard: NDArray[np.float32], meant: NDArray[np.float32]) -> int:
    """By how many samples `heard` is late, from the peak of the cross-correlation."""
    size = 1 << (len(heard) + len(meant)).bit_length()
    spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(meant, size))
    peak = int(np.fft.irfft(spectrum, size).argmax())
    return peak if peak < size // 2 else peak - size


@pytest.mark.parametrize(
    ("ending", "rate_hz", "channels"),
    [
        (".wav", 48_000, 2),
        (".wav", 44_100, 1),
        (".wav", 8_000, 1),
        (".wav", 96_000, 1),
        (".wav", 37_800, 1),
        (".mp3", 44_100, 2),
        (".ogg", 48_000, 1),
        (".m4a", 16_000, 1),
    ],
)
def test_the_sound_keeps_its_timing(
    ending: str, rate_hz: int, channels: int, tmp_path: Path
) -> None:
    wave = np.repeat(chirps(rate_hz, 4.0), channels, axis=0)
    source = write_sound(tmp_path / f"source{ending}", wave, rate_hz)
    target = tmp_path / "film.mp4"
    write_film(target, source, 100)
    with AudioReader(source) as before, AudioReader(target) as after:
        assert after.sound.channels == channels
        assert after.sound.rate_hz == before.sound.rate_hz
        meant = np.concatenate([block.samples for block in before.blocks()])
        heard = np.concatenate([block.samples for block in after.blocks()])
    assert len(heard) == len(meant) == 64_000
    assert abs(lag_samples(heard, meant)) <= 16  # one millisecond
    loudness = float(np.sqrt(np.mean(heard**2) / np.mean(meant**2)))
    assert loudness == pytest.approx(1.0, abs=0.1)


def test_frames_are_all_there_evenly_spaced_from_zero(tmp_path: Path) -> None:
    source = write_sound(tmp_path / "source.wav", chirps(16_000, 2.0), 16_000)
    write_film(tmp_path / "film.mp4", source, 50)
    with av.open(str(tmp_path / "film.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.profile == "High"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert stream.average_rate == 25
        frames = list(container.decode(stream))
    assert [frame.time for frame in frames] == pytest.approx([k / 25 for k in range(50)])
    greys = [float(frame.to_ndarray(format="rgb24").mean()) for frame in frames]
    assert greys == pytest.approx([40 + k for k in range(50)], abs=2.0)


def test_colours_are_true_and_tagged(tmp_path: Path) -> None:
    picture = np.zeros((SIZE, SIZE, 3), np.uint8)
    colours = [(220, 30, 30), (30, 200, 40), (40, 50, 210), (230, 180, 150)]
    for index, colour in enumerate(colours):
        picture[:, 16 * index : 16 * index + 16] = colour
    target = tmp_path / "film.mp4"
    with FilmWriter(target, SIZE, SIZE, Sound(16_000, 1, None)) as film:
        film.write_sound(np.zeros((1, 6400), np.float32))
        for _ in range(10):
            film.write_picture(picture)
    with av.open(str(target)) as container:
        context = container.streams.video[0].codec_context
        tags = (context.colorspace, context.color_range, context.color_primaries)
        assert [int(tag) for tag in tags] == [1, 1, 1]  # BT.709, limited range, BT.709
        frame = next(container.decode(video=0))
        seen = frame.reformat(format="rgb24", src_colorspace="ITU709").to_ndarray()
    for index, colour in enumerate(colours):
        middle = seen[16:48, 16 * index + 6 : 16 * index + 10].reshape(-1, 3).mean(axis=0)
        assert np.abs(middle - colour).max() < 6


def test_the_index_comes_first(tmp_path: Path) -> None:
    source = write_sound(tmp_path / "source.wav", chirps(16_000, 1.0), 16_000)
    write_film(tmp_path / "film.mp4", source, 25)
    data = (tmp_path / "film.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_odd_sizes_lose_a_row_not_the_film(tmp_path: Path) -> None:
    target = tmp_path / "film.mp4"
    with FilmWriter(target, 65, 63, Sound(48_000, 2, None)) as film:
        film.write_sound(np.zeros((2, 1920), np.float32))
        film.write_picture(np.zeros((63, 65, 3), np.uint8))
    with av.open(str(target)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (64, 62)


def break_off(target: Path, error: type[BaseException]) -> None:
    with FilmWriter(target, SIZE, SIZE, Sound(16_000, 1, None)) as film:
        for _ in range(20):
            film.write_picture(flat(0))
        assert len(list(target.parent.iterdir())) == 2
        raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_nothing_is_left_when_the_work_is_broken_off(
    error: type[BaseException], tmp_path: Path
) -> None:
    target = tmp_path / "film.mp4"
    target.write_bytes(b"an earlier film")
    with pytest.raises(error):
        break_off(target, error)
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]
    assert target.read_bytes() == b"an earlier film"


def write_unannounced_channels(target: Path) -> None:
    with FilmWriter(target, SIZE, SIZE, Sound(16_000, 1, None)) as film:
        film.write_sound(np.zeros((3, 100), np.float32))
        for _ in range(50):
            film.write_picture(flat(0))


def test_a_failing_encoder_is_reported_and_blocks_nobody(tmp_path: Path) -> None:
    with pytest.raises(FilmError, match=r"film\.mp4: cannot be written"):
        write_unannounced_channels(tmp_path / "film.mp4")
    assert not list(tmp_path.iterdir())


FILL_THE_DISK = """
import resource, sys
import numpy as np
from pathlib import Path
from engine.audio import Sound
from engine.video import FilmError, FilmWriter
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
random = np.random.default_rng(0)
try:
    with FilmWriter(Path(sys.argv[1]), 64, 64, Sound(16_000, 1, None)) as film:
        for _ in range(100):
            film.write_picture(random.integers(0, 255, (64, 64, 3), np.uint8))
except FilmError as error:
    print(error)
"""


def test_a_full_disk_is_reported(tmp_path: Path) -> None:
    target = tmp_path / "film.mp4"
    command = [sys.executable, "-c", FILL_THE_DISK, str(target)]
    ran = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert "cannot be written (File too large)" in ran.stdout
    assert not list(tmp_path.iterdir())


def test_targets_that_cannot_be_are_refused_early(tmp_path: Path) -> None:
    (tmp_path / "folder.mp4").mkdir()
    for target, reason in [
        (tmp_path / "none" / "film.mp4", "does not exist"),
        (tmp_path / "film.avi", r"ending in \.mp4"),
        (tmp_path / "folder.mp4", "is a folder"),
    ]:
        with pytest.raises(FilmError, match=reason):
            check_target(target)
    check_target(tmp_path / "film.mp4")
