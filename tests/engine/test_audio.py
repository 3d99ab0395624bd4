"""Sound of every kind arrives on time, in flat memory; what is no sound is refused clearly."""

import itertools
import tracemalloc
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from engine.api import BadAudioError
from engine.audio import BLOCK_SAMPLES, AudioReader, Sound
from tests.sounds import click, write_sound

# ending, rate, channels
KINDS = [
    (".wav", 44_100, 2),
    (".wav", 8_000, 1),
    (".wav", 11_025, 1),
    (".wav", 96_000, 2),
    (".mp3", 44_100, 2),
    (".mp3", 16_000, 1),
    (".flac", 48_000, 2),
    (".flac", 22_050, 1),
    (".ogg", 48_000, 1),
    (".opus", 48_000, 2),
    (".m4a", 44_100, 2),
    (".m4a", 16_000, 1),
    (".webm", 48_000, 1),
]


def read_all(path: Path) -> tuple[NDArray[np.float32], NDArray[np.float32], Sound]:
    with AudioReader(path) as reader:
        blocks = list(reader.blocks())
        samples = np.concatenate([block.samples for block in blocks])
        return samples, np.concatenate([b.original for b in blocks], axis=1), reader.sound


@pytest.mark.parametrize(("ending", "rate_hz", "channels"), KINDS)
def test_timing_is_exact_in_every_format(
    ending: str, rate_hz: int, channels: int, tmp_path: Path
) -> None:
    path = write_sound(tmp_path / f"click{ending}", click(rate_hz, channels), rate_hz)
    samples, original, sound = read_all(path)
    assert samples.dtype == np.float32
    assert len(samples) == 48_000
    assert abs(int(np.abs(samples).argmax()) - 16_000) <= 16  # one millisecond
    assert sound.rate_hz == min(rate_hz, 48_000)
    assert sound.channels == channels
    assert original.shape == (channels, 3 * sound.rate_hz)
    assert abs(int(np.abs(original[0]).argmax()) / sound.rate_hz - 1.0) <= 0.001
    assert sound.duration_s == pytest.approx(3.0, abs=0.05)


def test_vorbis(tmp_path: Path) -> None:
    path = tmp_path / "click.ogg"
    soundfile.write(path, click(44_100, 2).T, 44_100, format="OGG", subtype="VORBIS")
    samples, _, _ = read_all(path)
    assert abs(int(np.abs(samples).argmax()) - 16_000) <= 16


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_levels_are_kept_whatever_the_sample_format(subtype: str, tmp_path: Path) -> None:
    path = tmp_path / "click.wav"
    soundfile.write(path, click(16_000)[0], 16_000, subtype=subtype)
    samples, original, _ = read_all(path)
    np.testing.assert_allclose(samples, click(16_000)[0], atol=0.01)
    np.testing.assert_allclose(original, click(16_000), atol=0.01)


def test_stereo_is_averaged_not_summed(tmp_path: Path) -> None:
    both = np.full((2, 48_000), 0.5, np.float32)
    both[1] = 0.3
    path = tmp_path / "both.wav"
    soundfile.write(path, both.T, 48_000, subtype="FLOAT")
    samples, original, _ = read_all(path)
    assert samples[8000] == pytest.approx(0.4, abs=0.002)
    assert original[:, 24_000].tolist() == pytest.approx([0.5, 0.3], abs=0.002)


def test_surround_becomes_stereo(tmp_path: Path) -> None:
    path = tmp_path / "surround.wav"
    soundfile.write(path, click(48_000, 6).T * 0.2, 48_000)
    samples, original, sound = read_all(path)
    assert sound.channels == 2
    assert len(original) == 2
    assert abs(int(np.abs(samples).argmax()) - 16_000) <= 16


def test_samples_beyond_full_scale_are_clipped_for_the_engine(tmp_path: Path) -> None:
    path = tmp_path / "loud.wav"
    soundfile.write(path, 3 * click(16_000)[0], 16_000, subtype="FLOAT")
    samples, _, _ = read_all(path)
    assert np.abs(samples).max() == 1.0


def test_blocks_are_small_and_memory_stays_flat(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, 44_100, 0, "NONE", ""))
        minute = np.random.default_rng(0).integers(-999, 999, 44_100 * 2 * 60, np.int16).tobytes()
        for _ in range(5):
            file.writeframes(minute)
    tracemalloc.start()
    with AudioReader(path) as reader:
        total = 0
        for block in reader.blocks():
            assert 0 < len(block.samples) < 2 * BLOCK_SAMPLES
            total += len(block.samples)
        _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total == 16_000 * 300
    assert peak_bytes < 2_000_000


def test_a_reader_can_stop_early(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "click.wav", click(16_000, seconds=9), 16_000)
    with AudioReader(path) as reader:
        assert len(list(itertools.islice(reader.blocks(), 2))) == 2


@pytest.mark.parametrize("ending", [".wav", ".mp3", ".flac", ".ogg", ".m4a"])
@pytest.mark.parametrize("size_bytes", [0, 30, 50_000])
def test_what_is_no_sound_is_refused(ending: str, size_bytes: int, tmp_path: Path) -> None:
    path = tmp_path / f"noise{ending}"
    path.write_bytes(np.random.default_rng(size_bytes).bytes(size_bytes))
    with pytest.raises(BadAudioError, match="expected sound as WAV") as caught:
        read_all(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wav_without_a_single_sample_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.wav"
    soundfile.write(path, np.empty(0), 16_000)
    with pytest.raises(BadAudioError, match="expected sound"):
        read_all(path)


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    for path, reason in [(tmp_path / "none.wav", "no such file"), (tmp_path, "not a file")]:
        with pytest.raises(BadAudioError, match=reason):
            AudioReader(path)


def test_a_film_without_sound_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(
        bytes.fromhex(
            "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
            "0000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
        )
    )
    with pytest.raises(BadAudioError, match="has no audio stream"):
        AudioReader(path)


def test_numbers_that_are_none_are_refused(tmp_path: Path) -> None:
    wave_with_hole = click(16_000)[0]
    wave_with_hole[20_000] = np.nan
    path = tmp_path / "nan.wav"
    soundfile.write(path, wave_with_hole, 16_000, subtype="FLOAT")
    with pytest.raises(BadAudioError, match="not numbers"):
        read_all(path)


def test_a_few_broken_packets_are_skipped_and_counted(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "click.mp3", click(44_100, seconds=20), 44_100)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 2000] = np.random.default_rng(1).bytes(2000)
    path.write_bytes(data)
    with AudioReader(path) as reader:
        total = sum(len(block.samples) for block in reader.blocks())
        assert 0 < reader.damaged_packets <= 5
    assert total > 16_000 * 19


def test_damage_throughout_is_refused(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "click.m4a", click(44_100, seconds=20), 44_100)
    data = bytearray(path.read_bytes())
    noise = np.random.default_rng(1).integers(0, len(data) // 2, len(data) // 20)
    data_start = data.index(b"mdat") + 8
    for place in noise:
        data[data_start + place] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(BadAudioError):
        read_all(path)


@pytest.mark.parametrize(("level", "is_silent"), [(0.0, True), (0.0005, True), (0.01, False)])
def test_silence_is_noticed(level: float, is_silent: bool, tmp_path: Path) -> None:
    path = tmp_path / "quiet.wav"
    soundfile.write(path, click(16_000)[0] / 0.702 * level, 16_000, subtype="FLOAT")
    with AudioReader(path) as reader:
        for _ in reader.blocks():
            pass
        assert reader.is_silent is is_silent
