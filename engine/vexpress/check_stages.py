"""Golden runners of the pipeline's stages, each alone; `STAGE_KINDS` names them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from engine.vexpress.audio_frontend import (
    SAMPLE_RATE_HZ,
    frame_windows,
    load_speech_encoder,
    normalise,
    resample,
)
from engine.vexpress.check_networks import golden_weights
from engine.vexpress.checkpoints import load_audio_projection
from engine.vexpress.config import AudioProjectionConfig
from engine.vexpress.goldens import (
    NETWORK_TOLERANCE,
    Comparison,
    Golden,
    GoldenError,
    Runner,
    compare,
    compare_all,
    compare_exactly,
    read_described,
)
from engine.vexpress.images import portrait_tensor, resize_portrait
from engine.vexpress.kps import draw_track, fit_track
from engine.vexpress.postprocess import smooth_frames, to_picture
from engine.vexpress.retarget import Strategy, fit_to_portrait, retarget
from engine.vexpress.scheduler import BetaSchedule, NoiseConfig, Scheduler
from engine.vexpress.vae import load_vae
from engine.vexpress.windows import (
    ClipError,
    WindowSize,
    count_whole_windows,
    cover_folded,
    whole_windows_frames,
)

Case = Mapping[str, Any]
Tensors = Mapping[str, Tensor]
TOKEN_FRAMES = 8  # how many frames' tokens are stored
EDGE = 1e-5  # a product this close to a whole number may fall to either side of it


def check_kps(golden: Golden) -> Iterator[Comparison]:
    """Drawings, fitting and retargeting of face points."""
    yield from _by_kind(golden, {"draw": _draw, "interpolate": _fit, "retarget": _retarget})


def check_scheduler(golden: Golden) -> Iterator[Comparison]:
    """Tables, steps and noising."""
    scheduler = golden_scheduler(golden.meta)
    for case in golden.cases:
        name, kind = case["name"], case["kind"]
        inputs = golden.inputs(name)
        if kind == "tables":
            yield from _compared(golden, case, _tables(scheduler, case))
        elif kind == "steps":
            yield from _compared(golden, case, _steps(scheduler, case, inputs))
        else:
            trained = (inputs["x0"], inputs["noise"], inputs["timesteps"])
            ours = {
                "noisy": scheduler.add_noise(*trained),
                "velocity": scheduler.velocity(*trained),
            }
            yield from _compared(golden, case, ours)


def check_windows(golden: Golden) -> Iterator[Comparison]:
    """Clip lengths and windows, as whole numbers."""
    for row in golden.meta["rows"]:
        frames = row["num_frames"]
        size = WindowSize(row["context_frames"], row["context_overlap"])
        name = f"{frames} frames in {size.frames}/{size.overlap}"
        yield _same_numbers(f"{name}: windows", cover_folded(frames, size), row["windows"])
        try:
            length: int | None = whole_windows_frames(frames, size)
        except ClipError:
            length = None
        planned = () if length is None else cover_folded(length, size)
        planned_ends = [(window[0], window[-1]) for window in planned]
        yield _same_numbers(f"{name}: planned", planned_ends, row["context_indices"])
        ours = [[count_whole_windows(frames, size), -1 if length is None else length]]
        stored = -1 if row["video_length"] is None else row["video_length"]
        yield _same_numbers(f"{name}: counts", ours, [[row["num_contexts"], stored]])


def check_audio_frontend(golden: Golden) -> Iterator[Comparison]:
    """Resampling, normalising, the speech encoder, windows and tokens."""
    config = golden.meta["config"]
    for case in golden.cases:
        name, dtype = case["name"], golden.dtype(case["name"])
        encoder = load_speech_encoder(golden.weights_path(f"tiny_wav2vec2_{config}"), dtype)
        path = golden_weights(golden, "audio_projection")
        sizes = AudioProjectionConfig.from_mapping(read_described(path)[0])
        waveform = golden.inputs(name)["waveform"].to(dtype)
        with torch.inference_mode():
            resampled = resample(waveform, case["sampling_rate"], SAMPLE_RATE_HZ)
            speech = resampled.mean(dim=0)
            features = encoder(speech)
            windows = frame_windows(features, case["video_length"], case["num_pad_audio_frames"])
            ours = {
                "resampled": resampled,
                "input_values": normalise(speech)[None],
                "last_hidden_state": features,
                "frame_windows": windows,
            }
            if "tokens_cond_first8" in golden.outputs(name):
                projection = load_audio_projection(sizes, path, dtype)
                ours["tokens_cond_first8"] = projection(windows[:TOKEN_FRAMES])
        yield from compare_all(golden, name, ours)


def check_image(golden: Golden) -> Iterator[Comparison]:
    """Pictures to latents and back."""
    config = golden.meta["config"]
    for case in golden.cases:
        name, dtype = case["name"], golden.dtype(case["name"])
        vae = load_vae(golden.weights_path(f"tiny_vae_{config}"), dtype)
        inputs = golden.inputs(name)
        with torch.inference_mode():
            if case["kind"] == "decode":
                frames = vae.decode(inputs["latents"].to(dtype))
                ours = {"video": torch.stack(list(frames), dim=1)[None]}
            else:
                picture, size = inputs["image"].numpy(), (case["height"], case["width"])
                tensor = portrait_tensor(picture, *size, swapped=True)
                ours = {
                    "resized_bicubic": torch.tensor(resize_portrait(picture, *size, swapped=True)),
                    "tensor": tensor,
                    "kps_style_tensor": (tensor + 1) / 2,
                    "reference_latents": vae.encode(tensor),
                }
        yield from _compared(golden, case, ours)


def check_postprocess(golden: Golden) -> Iterator[Comparison]:
    """The median filter and the whole numbers."""
    for case in golden.cases:
        name = case["name"]
        video, stored = golden.inputs(name)["video"], golden.outputs(name)["frames_uint8"]
        frames = list(smooth_frames(video.unbind(1)))
        filtered = torch.stack(frames, dim=1)
        yield compare_exactly(f"{name}/filtered", filtered, golden.outputs(name)["filtered"])
        pictures = torch.stack([torch.from_numpy(to_picture(frame)) for frame in frames])
        scaled = filtered.permute(1, 2, 3, 0) * 255
        at_an_edge = (scaled - scaled.round()).abs() < EDGE
        close = (pictures.int() - stored.int()).abs() <= 1
        settled = torch.where(at_an_edge & close, stored, pictures)
        yield compare_exactly(f"{name}/frames_uint8", settled, stored)


STAGE_KINDS: dict[str, Runner] = {
    "audio_frontend": check_audio_frontend,
    "context_windows": check_windows,
    "image": check_image,
    "kps": check_kps,
    "postprocess": check_postprocess,
    "scheduler": check_scheduler,
}


def golden_scheduler(meta: Case) -> Scheduler:
    """The scheduler that a golden file describes; what it leaves out is as published."""
    for key, built_in in (("prediction_type", "v_prediction"), ("timestep_spacing", "trailing")):
        if meta.get(key, built_in) != built_in:
            raise GoldenError(f"{key} {meta[key]!r}: only {built_in} is known")
    published = NoiseConfig()
    return Scheduler(
        NoiseConfig(
            training_steps=meta.get("num_train_timesteps", published.training_steps),
            beta_start=meta.get("beta_start", published.beta_start),
            beta_end=meta.get("beta_end", published.beta_end),
            schedule=BetaSchedule(meta.get("beta_schedule", published.schedule)),
            zero_terminal_signal=meta.get("rescale_betas_zero_snr", published.zero_terminal_signal),
        )
    )


def _by_kind(
    golden: Golden, kinds: Mapping[str, Callable[[Case, Tensors], dict[str, Tensor]]]
) -> Iterator[Comparison]:
    for case in golden.cases:
        if case["kind"] not in kinds:
            raise GoldenError(f"{golden.path.name}: {case['kind']!r} is not known")
        ours = kinds[case["kind"]](case, golden.inputs(case["name"]))
        yield from _compared(golden, case, ours)


def _compared(golden: Golden, case: Case, ours: Tensors) -> Iterator[Comparison]:
    """Compare all that a case stores: whole numbers exactly, others within the usual."""
    for name, stored in golden.outputs(case["name"]).items():
        if name not in ours:
            raise GoldenError(f"{golden.path.name}: {name} is not known")
        tolerance = NETWORK_TOLERANCE if stored.is_floating_point() else 0.0
        yield compare(f"{case['name']}/{name}", ours[name], stored, tolerance)


def _draw(case: Case, inputs: Tensors) -> dict[str, Tensor]:
    drawn = draw_track(inputs["kps"].numpy(), case["height"], case["width"])
    return {"images": torch.from_numpy(drawn)}


def _fit(case: Case, inputs: Tensors) -> dict[str, Tensor]:
    return {"kps": torch.from_numpy(fit_track(inputs["kps"].numpy(), case["video_length"]))}


def _retarget(case: Case, inputs: Tensors) -> dict[str, Tensor]:
    portrait, track = inputs["reference_kps"].numpy(), inputs["kps"].numpy()
    offset = case["only_offset"]
    strategy = Strategy.OFFSET_RETARGET if offset else Strategy.NAIVE_RETARGET
    fit = fit_to_portrait(portrait, track, published_frame=True)
    moved = retarget(strategy, portrait, track, published_frame=True)
    return {
        "kps": torch.from_numpy(moved),
        "reference_ratio": torch.tensor([fit.portrait_ratio]),
        "target_ratios": torch.tensor(fit.track_ratios),
        "selected_index": torch.tensor([fit.frame]),
        "scales_w_h": torch.tensor([fit.scale_across, fit.scale_along]),
    }


def _tables(scheduler: Scheduler, case: Case) -> dict[str, Tensor]:
    levels = {
        f"timesteps/{steps}": torch.tensor(scheduler.timesteps(steps))
        for steps in case["num_inference_steps"]
    }
    return levels | {
        "betas": scheduler.betas,
        "alphas_cumprod": scheduler.signal,
        "final_alpha_cumprod": scheduler.final_signal.reshape(1),
    }


def _steps(scheduler: Scheduler, case: Case, inputs: Tensors) -> dict[str, Tensor]:
    steps, latents = case["num_inference_steps"], inputs["sample"]
    ours = {}
    for index, timestep in enumerate(scheduler.timesteps(steps)):
        stepped = scheduler.step(latents, inputs["model_output"][index], timestep, steps)
        latents = stepped.previous
        ours[f"prev_sample/{index}"] = latents
        ours[f"pred_original_sample/{index}"] = stepped.original
    return ours


def _same_numbers(name: str, ours: Any, stored: Any) -> Comparison:
    """Compare lists of lists, whose lengths must agree as well."""
    flat = [
        [len(rows), *(number for row in rows for number in (len(row), *row))]
        for rows in (ours, stored)
    ]
    return compare_exactly(name, torch.tensor(flat[0]), torch.tensor(flat[1]))
