"""Pictures and sound on their way in, and frames on their way out."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.api import BadAudioError, BadPictureError
from engine.vexpress.audio_frontend import (
    frame_windows,
    load_speech_encoder,
    normalise,
    resample,
    to_speech_rate,
)
from engine.vexpress.checkpoints import CheckpointError
from engine.vexpress.extra import MissingPackageError, require
from engine.vexpress.images import check_size, frames_tensor, portrait_tensor, resize_portrait
from engine.vexpress.postprocess import smooth_frames, to_picture
from engine.vexpress.vae import SAFE_WEIGHTS, load_vae

PICTURE = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)


def test_a_portrait_has_the_wanted_size_and_range() -> None:
    tensor = portrait_tensor(PICTURE, 64, 96, swapped=False)
    assert tensor.shape == (1, 3, 64, 96)
    assert -1 <= tensor.min() < tensor.max() <= 1


def test_as_published_sizes_are_swapped_and_swapped_back() -> None:
    assert resize_portrait(PICTURE, 64, 96, swapped=True).shape == (96, 64, 3)
    assert resize_portrait(PICTURE, 64, 96, swapped=False).shape == (64, 96, 3)
    swapped = portrait_tensor(PICTURE, 64, 96, swapped=True)
    assert swapped.shape == (1, 3, 64, 96)
    assert not torch.equal(swapped, portrait_tensor(PICTURE, 64, 96, swapped=False))
    square = [portrait_tensor(PICTURE, 64, 64, swapped=flag) for flag in (True, False)]
    assert torch.equal(*square)


def test_a_size_without_whole_latents_is_cut_as_published_and_refused_before() -> None:
    assert portrait_tensor(PICTURE, 67, 71, swapped=True).shape == (1, 3, 64, 64)
    check_size(64, 72)
    for height, width in ((67, 64), (64, 71), (0, 64), (-8, 64)):
        with pytest.raises(BadPictureError, match="expected multiples of 8"):
            check_size(height, width)


def test_drawings_become_a_clip() -> None:
    clip = frames_tensor(np.stack([PICTURE, 255 - PICTURE]))
    assert clip.shape == (1, 3, 2, 50, 70)
    assert clip[0, 0, 0, 0, 0] == pytest.approx(PICTURE[0, 0, 0] / 255)


def test_a_tone_keeps_its_pitch_and_length() -> None:
    time_s = torch.arange(44_100) / 44_100
    tone = torch.sin(2 * torch.pi * 440 * time_s)
    spoken = to_speech_rate(torch.stack([tone, 0 * tone]), 44_100)
    assert spoken.shape == (16_000,)
    expected = 0.5 * torch.sin(2 * torch.pi * 440 * torch.arange(16_000) / 16_000)
    assert (spoken - expected)[100:-100].abs().max() < 2e-3


def test_what_is_above_the_new_band_is_gone() -> None:
    time_s = torch.arange(48_000) / 48_000
    hiss = torch.sin(2 * torch.pi * 15_000 * time_s)[None]
    assert resample(hiss, 48_000, 16_000)[0, 100:-100].abs().max() < 0.01


@settings(deadline=None)  # the first convolution loads code
@given(st.integers(1, 5000), st.sampled_from([8000, 11_025, 22_050, 44_100, 48_000]))
def test_a_resampled_sound_has_the_published_length(samples: int, rate_hz: int) -> None:
    resampled = resample(torch.zeros(1, samples), rate_hz, 16_000)
    assert resampled.shape[1] == -(-16_000 * samples // rate_hz)


def test_normal_sound_has_mean_0_and_variance_1() -> None:
    normal = normalise(torch.rand(1000) * 3 + 7)
    assert normal.mean().abs() < 1e-4
    assert normal.var(correction=0) == pytest.approx(1, abs=1e-4)
    assert torch.isfinite(normalise(torch.zeros(100))).all()


def test_a_window_holds_its_frame_and_two_more_to_each_side() -> None:
    rows = torch.arange(1, 13, dtype=torch.float32).reshape(1, 12, 1)  # two rows a frame
    windows = frame_windows(rows, 6)
    assert windows.shape == (6, 10, 1)
    assert windows[0, :, 0].tolist() == [0, 0, 0, 0, 1, 2, 3, 4, 5, 6]
    assert windows[3, :, 0].tolist() == [3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    assert windows[5, :, 0].tolist() == [7, 8, 9, 10, 11, 12, 0, 0, 0, 0]


def test_features_are_stretched_to_the_clip() -> None:
    rows = torch.linspace(0, 1, 50).reshape(1, 50, 1)
    middle = frame_windows(rows, 100)[:, 4:6, 0].flatten()
    assert (middle.diff() >= 0).all()
    assert middle[[0, -1]].tolist() == [0, 1]


def test_sound_too_short_for_one_feature_is_refused(full_set: Path) -> None:
    encoder = load_speech_encoder(full_set / "weights" / "tiny_wav2vec2_C")
    assert encoder.min_samples == 400
    assert encoder(torch.rand(400)).shape[:2] == (1, 1)
    with pytest.raises(BadAudioError, match="399 samples"):
        encoder(torch.rand(399))


def test_folders_without_networks_say_so(tmp_path: Path) -> None:
    for load in (load_vae, load_speech_encoder):
        with pytest.raises(CheckpointError, match=r"expected config\.json"):
            load(tmp_path)
        (tmp_path / "config.json").write_text("{}")
        with pytest.raises(CheckpointError, match=str(tmp_path)):
            load(tmp_path)
        (tmp_path / "config.json").unlink()


def test_a_damaged_vae_is_refused_whatever_lies_beside_it(committed: Path, tmp_path: Path) -> None:
    whole = committed / "weights" / "tiny_vae_A"
    torch.save(load_vae(whole).network.state_dict(), tmp_path / "diffusion_pytorch_model.bin")
    (tmp_path / "config.json").write_bytes((whole / "config.json").read_bytes())
    load_vae(tmp_path)  # the pickle alone will do
    cut = (whole / SAFE_WEIGHTS).read_bytes()[:5000]
    (tmp_path / SAFE_WEIGHTS).write_bytes(cut)
    with pytest.raises(CheckpointError, match="not a VAE that can be read"):
        load_vae(tmp_path)


def test_a_missing_package_says_how_to_get_it() -> None:
    with pytest.raises(MissingPackageError, match=r"pip install '\.\[vexpress\]'"):
        require("a_package_that_nobody_has")


def test_the_vae_decodes_any_number_of_frames_per_call(committed: Path) -> None:
    vae = load_vae(committed / "weights" / "tiny_vae_A")
    latents = torch.randn(1, 4, 5, 4, 6, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        one = torch.stack(list(vae.decode(latents)))
        three = torch.stack(list(vae.decode(latents, frames_per_call=3)))
    assert one.shape == (5, 3, 32, 48)
    assert (one - three).abs().max() < 1e-5
    assert 0 <= one.min() <= one.max() <= 1


def video(frames: int) -> torch.Tensor:
    return torch.rand(frames, 3, 9, 7, generator=torch.Generator().manual_seed(frames))


@given(st.integers(0, 6))
def test_filtered_frames_are_as_many_as_before(frames: int) -> None:
    assert len(list(smooth_frames(video(frames)))) == frames


def test_the_median_is_that_of_27_neighbours() -> None:
    clip = video(4)
    middle = list(smooth_frames(clip))[2]
    assert middle[1, 4, 3] == clip[1:4, 1, 3:6, 2:5].flatten().median()
    corner = next(smooth_frames(clip))[0, 0, 0]
    mirrored = clip[[1, 0, 1]][:, 0][:, [1, 0, 1]][:, :, [1, 0, 1]]
    assert corner == mirrored.flatten().median()


def test_a_single_frame_is_its_own_neighbour() -> None:
    clip = video(1)
    (alone,) = smooth_frames(clip)
    assert alone[0, 4, 3] == clip[0, 0, 3:6, 2:5].flatten().median()


def test_a_frame_waits_for_the_next_one_only() -> None:
    seen = []

    def watched() -> Iterator[torch.Tensor]:
        for index, frame in enumerate(video(4)):
            seen.append(index)
            yield frame

    next(smooth_frames(watched()))
    assert seen == [0, 1]


def test_whole_numbers_are_cut_not_rounded() -> None:
    frame = torch.tensor([0.0, 0.999 / 255, 1.5 / 255, 1.0]).reshape(1, 2, 2).expand(3, 2, 2)
    picture = to_picture(frame)
    assert picture.shape == (2, 2, 3)
    assert picture[..., 0].tolist() == [[0, 0], [1, 255]]
