"""The step benchmark: counts of the real stream, of small networks and of the published sizes."""

import json

import pytest
import torch

from benchmarks.harness import result
from benchmarks.step import GIGA, count_all, main, print_gpu, report_of
from benchmarks.step_costs import (
    LOOK_AHEAD_FRAMES,
    Arithmetic,
    FrameCost,
    frame_cost,
    heard_samples,
    published_cost,
    published_evaluations,
)
from benchmarks.step_gpu import (
    GpuTimes,
    RunnerAsked,
    flat_reference,
    make_workload,
    open_asked,
    reference_of,
)
from benchmarks.step_overhead import (
    SMALL_SIDE,
    count_evaluations,
    measure_overhead,
    open_null_stream,
)
from engine.stream.schedule import Burst, Diagonal, Schedule, Window, evaluations_per_frame
from engine.vexpress.presets import PRESETS, Decoder, Preset, UnknownPresetError, choose_preset
from tests.engine.vexpress.tiny import TINY, randomise

PRESET_NAMES = [preset.name for preset in PRESETS]


def toy(schedule: Schedule, scale: float = 1.0) -> Preset:
    return Preset(name="toy", size=64, schedule=schedule, meant_for="tests", guidance_scale=scale)


WINDOW = toy(
    Window(chunk_frames=3, history_frames=2, future_frames=1, steps=3, guided_steps=2), 2.0
)
DIAGONAL = toy(Diagonal(chunk_frames=2, steps=2, history_frames=2))
BURST = toy(Burst(diagonal=Diagonal(chunk_frames=2, steps=3), chunks=2))


@pytest.mark.parametrize(
    ("name", "most"), [("stock", 17), ("h100-512", 4), ("4090-384", 4), ("4090-512", 2.5)]
)
def test_every_preset_keeps_to_its_evaluations(name: str, most: float) -> None:
    preset = choose_preset(name)
    counted = count_evaluations(preset)
    assert counted == evaluations_per_frame(preset.schedule)
    assert counted <= most


def test_there_is_a_goal_for_every_preset() -> None:
    assert sorted(PRESET_NAMES) == ["4090-384", "4090-512", "h100-512", "stock"]


@pytest.mark.parametrize("preset", [WINDOW, DIAGONAL, BURST])
def test_evaluations_counted_are_those_stated(preset: Preset) -> None:
    assert count_evaluations(preset, 7) == evaluations_per_frame(preset.schedule)


def test_the_published_program_takes_sixty() -> None:
    assert published_evaluations() == 60


@pytest.fixture(scope="module")
def arithmetic() -> Arithmetic:
    return Arithmetic(TINY)


@pytest.mark.slow
def test_a_window_is_paid_for_by_the_frames_that_leave(arithmetic: Arithmetic) -> None:
    cost = frame_cost(WINDOW, arithmetic)
    told = arithmetic.unet(64, 6, conditional=True)
    free = arithmetic.unet(64, 6, conditional=False)
    assert cost.unet_conditional == 3 * told / 3
    assert cost.unet_unconditional == 2 * free / 3
    assert 0 < free < told
    assert cost.decode == arithmetic.decode(Decoder.TINY, 64)
    assert cost.guider == 0  # a constant pose is drawn once
    assert cost.total == sum(
        (
            cost.unet_conditional,
            cost.unet_unconditional,
            cost.decode,
            cost.speech,
            cost.audio_projection,
        )
    )


@pytest.mark.slow
def test_a_pile_has_one_call_and_no_guidance(arithmetic: Arithmetic) -> None:
    cost = frame_cost(BURST, arithmetic)
    assert cost.unet_conditional == arithmetic.unet(64, 6, conditional=True) / 2
    assert cost.unet_unconditional == 0


@pytest.mark.slow
def test_every_shape_is_counted_once() -> None:
    arithmetic = Arithmetic(TINY)
    first = arithmetic.unet(64, 2, conditional=True)
    arithmetic._unet.conv_in = torch.nn.Conv2d(4, 8, 1, device="meta")  # would be cheaper
    assert arithmetic.unet(64, 2, conditional=True) == first
    assert arithmetic.unet(64, 2, conditional=False) < arithmetic.unet(64, 3, conditional=True)


def test_the_speech_encoder_hears_a_second_and_a_bit() -> None:
    assert heard_samples(DIAGONAL.schedule) == 16_000 * (96 + 8 + 8) // 100


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_published_sizes_cost_what_was_budgeted() -> None:
    arithmetic = Arithmetic()
    assert arithmetic.decode(Decoder.TINY, 512) == pytest.approx(141 * GIGA, rel=0.02)
    assert arithmetic.decode(Decoder.KL, 512) == pytest.approx(2515 * GIGA, rel=0.02)
    published = published_cost(arithmetic)
    assert published.total == pytest.approx(77.6e12, rel=0.02)
    cost = frame_cost(choose_preset("4090-512"), arithmetic)
    assert cost.unet_conditional == pytest.approx(2.5 * 1251 * GIGA, rel=0.02)
    assert cost.total < published.total / 20
    assert arithmetic.guider(512) < 0.02 * arithmetic.unet(512, 10, conditional=True) / 10


@pytest.mark.parametrize("preset", [WINDOW, DIAGONAL, BURST, *PRESETS], ids=lambda p: p.name)
def test_a_chunk_beside_the_network_is_a_few_operations(preset: Preset) -> None:
    """Time is for the benchmark: these counts are what it comes from."""
    overhead = measure_overhead(preset, SMALL_SIDE, 3)
    calls = len(preset.schedule.calls(100))
    assert min(overhead.step_ms, overhead.median_ms) > 0
    assert overhead.operations <= 45 + 4 * calls
    assert overhead.allocations <= 1  # the noise of the new frames, drawn by numpy


def test_the_size_of_latents_adds_no_operation() -> None:
    small, large = (measure_overhead(DIAGONAL, side, 1) for side in (SMALL_SIDE, 32))
    assert (small.operations, small.allocations) == (large.operations, large.allocations)


def test_a_null_stream_is_warm_and_emits_a_chunk_a_push() -> None:
    opened = open_null_stream(BURST, SMALL_SIDE)
    assert [opened.push() for _ in range(4)] == [2] * 4


@pytest.mark.slow
def test_a_report_adds_delay_and_look_ahead(arithmetic: Arithmetic) -> None:
    made = report_of(DIAGONAL, arithmetic, 3)
    assert LOOK_AHEAD_FRAMES == 4
    assert made.latency_frames == 2 * 2 - 1 + 4
    values = made.values()
    assert values["evaluations_per_frame"] == 3.0
    assert values["latency_frames"] == 7
    assert values["gflop_per_frame"] == made.cost.total / GIGA


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_whole_table_is_printed_and_is_one_line_of_json(
    capsys: pytest.CaptureFixture[str],
) -> None:
    values = count_all([choose_preset("4090-512")], 3)
    printed = capsys.readouterr().out
    assert "4090-512" in printed
    assert "as published" in printed
    line = json.loads(result("step", values).line())
    assert line["name"] == "step"
    assert line["4090-512"]["evaluations_per_frame"] == 2.5
    assert line["as published"]["evaluations_per_frame"] == 60


@pytest.mark.slow
@pytest.mark.parametrize("preset", [WINDOW, BURST])
def test_what_a_gpu_would_run_runs_on_the_cpu(preset: Preset) -> None:
    torch.manual_seed(0)
    load = make_workload(preset, torch.float32, "cpu", TINY)
    for network in (load.unet, load.vae):
        randomise(network)
    told, free = load.conditional(**load.inputs), load.unconditional(**load.inputs)
    assert told.shape == free.shape == load.inputs["latents"].shape
    assert not torch.allclose(told, free)
    bare = {name: load.inputs[name] for name in ("latents", "levels")}
    assert torch.equal(free, load.unconditional(**bare))
    size = preset.size
    assert load.decode(coded=load.coded).shape == (preset.schedule.chunk_frames, 3, size, size)


@pytest.mark.slow
def test_a_runner_takes_what_a_gpu_would_run() -> None:
    load = make_workload(DIAGONAL, torch.float32, "cpu", TINY)
    randomise(load.unet)
    runner = open_asked(load.conditional, load.inputs, RunnerAsked("toy", "eager", load.unet))
    assert torch.equal(runner.run()[0], load.conditional(**load.inputs))
    assert runner.report.used == "eager"


def test_a_portrait_goes_through_flat_names_unchanged() -> None:
    load = make_workload(DIAGONAL, torch.float32, "cpu", TINY)
    keys = reference_of(load.inputs)
    assert keys.keys() == load.unet.reference_attentions().keys()
    flat = flat_reference(keys)
    assert all(name.isidentifier() for name in load.inputs)
    assert all(torch.equal(part, load.inputs[name]) for name, part in flat.items())
    assert len(flat) == 2 * len(keys)


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a GPU")
def test_a_machine_without_a_gpu_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--device", "cuda"])
    assert "PyTorch finds no CUDA GPU here" in capsys.readouterr().err


def test_an_unknown_preset_is_named() -> None:
    with pytest.raises(UnknownPresetError, match="'3090': expected one of: h100-512"):
        main(["--preset", "3090"])


def test_times_of_a_gpu_are_printed_with_the_real_time_factor(
    capsys: pytest.CaptureFixture[str],
) -> None:
    times = GpuTimes(
        preset=DIAGONAL,
        backend="eager",
        unet_ms=30.0,
        decode_ms=8.0,
        beside_ms=2.0,
        peak_bytes=2**30,
        prepare_s=1.5,
    )
    print_gpu([times])
    assert times.chunk_ms == 40
    assert "0.50" in capsys.readouterr().out  # of two frames of 40 ms
    assert times.values()["peak_mib"] == 1024


def test_a_cost_knows_its_sum() -> None:
    assert FrameCost(unet_conditional=1.0, decode=2.0, guider=4.0).total == 7
