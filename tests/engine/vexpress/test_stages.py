"""Every stage of the pipeline, and whole clips, against what the published program gave."""

from pathlib import Path

import numpy as np
import pytest
import torch

from engine.vexpress.check_pipeline import PIPELINE_KINDS, golden_networks, golden_results
from engine.vexpress.check_stages import golden_scheduler
from engine.vexpress.goldens import GoldenError, read_golden
from engine.vexpress.postprocess import to_picture
from engine.vexpress.scheduler import BetaSchedule

QUICK = ["f_kps.safetensors", "g_context_windows.json", "g_scheduler.safetensors"]
QUICK += ["k_postprocess.safetensors"]


def check(path: Path) -> None:
    golden = read_golden(path)
    comparisons = list(PIPELINE_KINDS[golden.kind](golden))
    assert comparisons
    assert [item for item in comparisons if not item.passed] == []
    if golden.tensors:
        stored = sum(len(golden.outputs(case["name"])) for case in golden.cases)
        assert len(comparisons) == stored


@pytest.mark.parametrize("name", QUICK)
def test_stages_give_what_the_published_ones_gave(committed: Path, name: str) -> None:
    check(committed / name)


@pytest.mark.slow
def test_pictures_and_latents_are_as_published(committed: Path) -> None:
    check(committed / "l_image_vae_A.safetensors")


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["h_pipeline_A", "h_pipeline_C", "i_audio_frontend_A"])
def test_clips_are_as_published(full_set: Path, name: str) -> None:
    check(full_set / f"{name}.safetensors")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_strip_of_pictures_is_the_published_one(full_set: Path) -> None:
    golden = read_golden(full_set / "h_pipeline_C.safetensors")
    case = next(case for case in golden.cases if case["store_video"])
    ours = golden_results(golden, case, golden_networks(golden, torch.float32), torch.float32)
    strips = [
        np.concatenate([to_picture(frame) for frame in video[0].unbind(1)], axis=1)
        for video in (
            ours["video_first_frames"],
            golden.outputs(case["name"])["video_first_frames"],
        )
    ]
    assert strips[0].shape == (case["height"], case["store_video"] * case["width"], 3)
    difference = np.abs(strips[0].astype(int) - strips[1])
    assert difference.max() <= 1  # where a number falls on the other side of a whole one
    assert (difference > 0).mean() < 0.005


def test_a_case_of_another_kind_is_not_understood(committed: Path) -> None:
    golden = read_golden(committed / "f_kps.safetensors")
    golden.meta["cases"][0]["kind"] = "sculpt"
    with pytest.raises(GoldenError, match="'sculpt' is not known"):
        list(PIPELINE_KINDS["kps"](golden))


def test_schedules_are_read_from_the_file() -> None:
    described = golden_scheduler(
        {"beta_schedule": "linear", "beta_start": 0.001, "rescale_betas_zero_snr": False}
    ).config
    assert described.schedule is BetaSchedule.LINEAR
    assert (described.beta_start, described.zero_terminal_signal) == (0.001, False)
    with pytest.raises(GoldenError, match="only v_prediction"):
        golden_scheduler({"prediction_type": "epsilon"})
