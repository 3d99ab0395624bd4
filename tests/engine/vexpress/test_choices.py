"""Flags become what they say, and the published behaviour is one word away."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.api import AvatarError
from engine.vexpress.choices import (
    after_use,
    choose_device,
    choose_files,
    choose_strategy,
    choose_type,
    read_job,
)
from engine.vexpress.flags import Flags, NumberType
from engine.vexpress.quirks import FIXED, PUBLISHED, Compat, Quirk, choose_quirks
from engine.vexpress.retarget import Strategy
from engine.vexpress.slots import AfterUse


def flags(**said: Any) -> Flags:
    needed = {"reference_image": Path("a.png"), "audio": Path("a.wav"), "output": Path("a.mp4")}
    return Flags(**{**needed, **said})


def test_what_nobody_says_is_as_published() -> None:
    job = read_job(flags())
    assert (job.height, job.width, job.frame_rate_hz, job.seed) == (512, 512, 30.0, 42)
    assert job.strategy is Strategy.FIX_FACE
    sampling = job.sampling
    assert (sampling.steps, sampling.guidance_scale) == (25, 3.5)
    assert (sampling.window.frames, sampling.window.overlap) == (24, 4)
    assert (sampling.weights.reference, sampling.weights.audio) == (0.95, 3.0)
    assert job.manner.padding_frames == 2


def test_the_quirks_go_where_they_act() -> None:
    fixed, published = read_job(flags()), read_job(flags(compat=Compat.PUBLISHED))
    assert (fixed.quirks, published.quirks) == (FIXED, PUBLISHED)
    for job, kept in ((fixed, False), (published, True)):
        assert job.manner.swapped_size is kept
        assert job.sampling.folded is kept
        assert job.sampling.refuse_surplus_levels is kept
    assert read_job(flags(quirk=["Q6"])).sampling.folded


@pytest.mark.parametrize("quirk", list(Quirk))
def test_each_quirk_can_be_kept_alone(quirk: Quirk) -> None:
    assert choose_quirks(Compat.FIXED, [quirk.value]) == {quirk}
    assert quirk in choose_quirks(Compat.PUBLISHED)


def test_an_unknown_quirk_is_refused() -> None:
    with pytest.raises(AvatarError, match="quirk Q7: expected one of: Q1, Q2"):
        choose_quirks(Compat.FIXED, ["Q1", "Q7"])


@given(st.floats(0, 2), st.floats(0, 2))
def test_more_expression_never_means_less_audio(first: float, second: float) -> None:
    weights = [
        read_job(flags(expression_strength=strength)).sampling.weights.audio
        for strength in sorted((first, second))
    ]
    assert weights[0] <= weights[1]


def test_expression_scales_the_weight_that_was_said() -> None:
    job = read_job(flags(expression_strength=0.5, audio_attention_weight=2.0))
    assert job.sampling.weights.audio == 1.0


@pytest.mark.parametrize(
    ("said", "strategy"),
    [
        ({}, Strategy.FIX_FACE),
        ({"kps": Path("k.pth")}, Strategy.NAIVE_RETARGET),
        ({"reference_video": Path("v.mp4")}, Strategy.NAIVE_RETARGET),
        ({"kps": Path("k.pth"), "compat": Compat.PUBLISHED}, Strategy.FIX_FACE),
        ({"kps": Path()}, Strategy.FIX_FACE),  # as published, no track
        ({"reference_video": Path("v.mp4"), "compat": Compat.PUBLISHED}, Strategy.NAIVE_RETARGET),
        (
            {"kps": Path("k.pth"), "retarget_strategy": Strategy.NO_RETARGET},
            Strategy.NO_RETARGET,
        ),
        ({"kps": Path("k.pth"), "retarget_strategy": Strategy.FIX_FACE}, Strategy.FIX_FACE),
        (
            {"reference_video": Path("v.mp4"), "retarget_strategy": Strategy.POSE_RETARGET},
            Strategy.POSE_RETARGET,
        ),
    ],
)
def test_who_is_given_is_followed(said: dict[str, Any], strategy: Strategy) -> None:
    assert choose_strategy(flags(**said)) is strategy


def test_contradictions_are_refused() -> None:
    film, track = Path("v.mp4"), Path("k.pth")
    for said, reason in (
        ({"reference_video": film, "kps": track}, "expected one of them"),
        ({"reference_video": film, "retarget_strategy": Strategy.FIX_FACE}, "leaves no use"),
        ({"retarget_strategy": Strategy.OFFSET_RETARGET}, "needs --kps_path"),
        (
            {"kps": track, "retarget_strategy": Strategy.POSE_RETARGET},
            "pose_retarget: needs --reference_video",
        ),
    ):
        with pytest.raises(AvatarError, match=reason):
            read_job(flags(**said))
    with pytest.raises(AvatarError, match="expected one of them"):
        after_use(flags(save_memory=True, cpu_offload=True))


def test_memory_options() -> None:
    assert after_use(flags()) is AfterUse.STAYS
    assert after_use(flags(save_memory=True)) is AfterUse.IS_DROPPED
    assert after_use(flags(cpu_offload=True)) is AfterUse.MOVES_TO_CPU


def test_devices_and_types() -> None:
    assert choose_device("cpu", 0) == torch.device("cpu")
    assert choose_type(NumberType.AUTO, torch.device("cpu")) is torch.float32
    assert choose_type(NumberType.AUTO, torch.device("cuda")) is torch.float16
    assert choose_type(NumberType.BF16, torch.device("cpu")) is torch.bfloat16
    told = "gpu_id 99: expected one of" if torch.cuda.is_available() else "PyTorch sees no GPU"
    with pytest.raises(AvatarError, match=told):
        choose_device("cuda", 99)


def test_one_file_may_come_from_elsewhere(tmp_path: Path) -> None:
    trained = tmp_path / "v-express"
    trained.mkdir()
    (trained / "reference_net.safetensors").touch()
    elsewhere = tmp_path / "mine.bin"
    files = choose_files(flags(model_dir=tmp_path, v_kps_guider=elsewhere))
    assert files.reference_net == trained / "reference_net.safetensors"
    assert files.v_kps_guider == elsewhere
    assert files.motion_module is None
    with pytest.raises(AvatarError, match=r"denoising_unet\.bin.*weights fetch") as caught:
        files.check()
    assert "reference_net" not in str(caught.value)
