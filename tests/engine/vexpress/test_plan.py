"""Costs on shapes alone: counted arithmetic, memory that comes and goes, the published model."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from engine.vexpress.config import PUBLISHED
from engine.vexpress.metering import MemoryMeter, count_flops, measure
from engine.vexpress.pipeline import Manner
from engine.vexpress.plan import (
    PlannedClip,
    Stage,
    clip_bytes,
    describe,
    peak_bytes,
    plan_stages,
    total_flops,
)
from engine.vexpress.production import ClipJob
from engine.vexpress.retarget import Strategy
from engine.vexpress.sampling import Sampling

MIB = 2**20


def meta(*shape: int) -> torch.Tensor:
    return torch.empty(shape, device="meta")


def test_a_product_costs_two_a_multiplication() -> None:
    cost = measure(lambda: meta(10, 20) @ meta(20, 30))
    assert cost.flops == 2 * 10 * 20 * 30
    assert cost.output.shape == (10, 30)


def test_memory_is_that_of_results_alive_together() -> None:
    x = meta(MIB // 4)  # one MiB of float32, not counted

    def chain() -> torch.Tensor:
        y = x + 1
        for _ in range(5):
            y = y + 1  # the old one goes when the new one is there
        return y

    assert measure(chain).peak_bytes == 2 * MIB
    assert measure(lambda: [x + 1 for _ in range(3)]).peak_bytes == 3 * MIB
    assert measure(lambda: x.reshape(2, -1)[0]).peak_bytes == 0  # only looked at otherwise


def test_attention_is_counted_without_its_matrix() -> None:
    query, key, value = meta(2, 4, 100, 8), meta(2, 4, 50, 8), meta(2, 4, 50, 8)
    cost = measure(lambda: functional.scaled_dot_product_attention(query, key, value))
    assert cost.flops == 2 * (2 * 4 * 100 * 50 * 8) * 2
    assert cost.output.shape == query.shape
    assert cost.peak_bytes == query.numel() * 4
    named = measure(
        lambda: functional.scaled_dot_product_attention(query=query, key=key, value=value)
    )
    assert named.flops == cost.flops


def test_arithmetic_alone_is_the_same_number() -> None:
    def work() -> torch.Tensor:
        rows = meta(1, 2, 10, 8)
        return functional.scaled_dot_product_attention(rows, rows, rows) @ meta(8, 4)

    assert count_flops(work) == measure(work).flops > 0


def test_operations_and_new_memory_are_counted() -> None:
    x = torch.ones(4)
    with MemoryMeter() as meter:
        y = x + 1
        y.mul_(2)
        y[:2].copy_(x[2:])
    assert (meter.operations, meter.allocations) == (5, 1)


def clip(
    frames: int,
    scale: float = 3.5,
    frames_per_vae_call: int = 1,
    strategy: Strategy = Strategy.FIX_FACE,
) -> PlannedClip:
    job = ClipJob(
        portrait=Path("a.png"),
        sound=Path("a.wav"),
        target=Path("a.mp4"),
        strategy=strategy,
        height=256,
        width=256,
        sampling=Sampling(guidance_scale=scale),
        manner=Manner(frames_per_vae_call=frames_per_vae_call),
    )
    return PlannedClip(
        config=PUBLISHED, frames=frames, samples=16_000, job=job, dtype=torch.float16
    )


@pytest.fixture(scope="module")
def published() -> dict[str, Stage]:
    """The stages of 44 frames."""
    return {stage.name: stage for stage in plan_stages(clip(44))}


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_the_published_model_is_planned(published: dict[str, Stage]) -> None:
    unet = published["unet: with conditions"]
    assert (unet.takes, unet.calls) == ((1, 4, 24, 32, 32), 50)
    assert unet.flops == pytest.approx(24 * 50 * 266.8e9, rel=0.05)  # a quarter of 512 and less
    assert unet.weight_bytes == 2 * (909_120_004 + 454_417_600)
    assert published["unet: without"].flops < unet.flops
    assert published["vae: decode"].calls == 44
    assert published["reference net"].calls == 1
    assert (published["guider"].takes[2], published["guider"].calls) == (1, 1)  # the face stays
    together = peak_bytes(list(published.values()), one_at_a_time=False)
    alone = peak_bytes(list(published.values()), one_at_a_time=True)
    assert unet.weight_bytes < alone < together
    lines = describe(list(published.values()), 5 * MIB)
    assert len(lines) == len(published) + 2
    assert f"{total_flops(list(published.values())) / 1e12:.1f} TFLOP" in lines[-1]
    assert "5 MiB of main memory for the clip" in lines[-1]


def test_a_clip_takes_main_memory_for_faces_that_move() -> None:
    still, moving = clip(100), clip(100, strategy=Strategy.NAIVE_RETARGET)
    one_frame = 320 * 32 * 32 * 2  # features of drawn points, two bytes each
    assert clip_bytes(moving) - clip_bytes(still) == 99 * one_frame
    assert clip_bytes(clip(200)) > 1.9 * clip_bytes(still)


def test_latents_of_a_streamed_clip_take_the_same_whatever_its_length() -> None:
    def latents_bytes(frames: int, *, streamed: bool) -> int:
        planned = clip(frames)
        job = replace(planned.job, streamed=streamed)
        return clip_bytes(replace(planned, job=job))

    one_frame = 4 * 32 * 32 * 4  # float32
    for frames in (100, 1000):
        saved = latents_bytes(frames, streamed=False) - latents_bytes(frames, streamed=True)
        # 24 steps below the first, each a window behind: 20 frames; three buffers and their spares.
        assert saved == one_frame * (3 * frames - 6 * (24 * 20 + 24 + 2 * 20))


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_no_guidance_halves_the_work_and_more_frames_at_once_take_memory(
    published: dict[str, Stage],
) -> None:
    stages = {stage.name: stage for stage in plan_stages(clip(20, 1.0, frames_per_vae_call=4))}
    assert "unet: without" not in stages
    assert stages["unet: with conditions"].takes[2] == 20
    assert stages["vae: decode"].calls == 5
    one_bytes = published["vae: decode"].working_bytes
    assert stages["vae: decode"].working_bytes == pytest.approx(4 * one_bytes, rel=0.05)
