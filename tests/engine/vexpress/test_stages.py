"""Every stage of the pipeline, and whole clips, against what the published program gave."""

from pathlib import Path

import pytest

from engine.vexpress.check_pipeline import PIPELINE_KINDS
from engine.vexpress.check_stages import golden_scheduler
from engine.vexpress.goldens import GoldenError, read_golden
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
