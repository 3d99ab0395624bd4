"""From what a user says to what is done: the flags as values of their own kinds.

Whatever cannot be is refused here, before anything is read or loaded.
"""

import math
from pathlib import Path

import torch

from engine.api import AvatarError
from engine.direction import MAX_STRENGTH
from engine.vexpress.audio_frontend import ROWS_PER_FRAME
from engine.vexpress.config import ModelConfig
from engine.vexpress.flags import Flags, NumberType
from engine.vexpress.images import check_size
from engine.vexpress.model_files import ModelFiles
from engine.vexpress.pipeline import Manner
from engine.vexpress.production import ClipJob
from engine.vexpress.quirks import Compat, Quirk, Quirks, choose_quirks
from engine.vexpress.retarget import Strategy
from engine.vexpress.sampling import Sampling
from engine.vexpress.scheduler import Scheduler
from engine.vexpress.slots import AfterUse
from engine.vexpress.transformer import AttentionWeights
from engine.vexpress.windows import MIN_FRAME_RATE_HZ, WindowSize

MAX_SEED = 2**64 - 1
MAX_WEIGHT = 100.0  # far beyond all that makes pictures
MAX_TRACK_RATE_HZ = 1000
_TYPES = {
    NumberType.FP16: torch.float16,
    NumberType.BF16: torch.bfloat16,
    NumberType.FP32: torch.float32,
}


def read_job(flags: Flags) -> ClipJob:
    """What to make of what, from the flags. Raises `AvatarError` for what cannot be."""
    _check_numbers(flags)
    track = _track(flags)
    if track is not None and flags.reference_video is not None:
        raise AvatarError("--kps_path and --reference_video: expected one of them")
    quirks = choose_quirks(flags.compat, flags.quirk or ())
    height = flags.size if flags.image_height is None else flags.image_height
    width = flags.size if flags.image_width is None else flags.image_width
    check_size(height, width)
    return ClipJob(
        portrait=flags.reference_image,
        sound=flags.audio,
        target=flags.output,
        strategy=choose_strategy(flags),
        track=track,
        track_rate_hz=flags.kps_fps,
        film=flags.reference_video,
        portrait_points=flags.reference_kps,
        height=height,
        width=width,
        frame_rate_hz=flags.fps,
        seed=flags.seed,
        sampling=read_sampling(flags, quirks),
        streamed=flags.streamed,
        manner=Manner(
            swapped_size=Quirk.SWAPPED_SIZE in quirks,
            padding_frames=flags.num_pad_audio_frames,
            frames_per_vae_call=flags.vae_frames_per_call,
        ),
        quirks=quirks,
        badge=flags.badge,
    )


def read_sampling(flags: Flags, quirks: Quirks) -> Sampling:
    """How to sample, from the flags."""
    return Sampling(
        steps=flags.steps,
        guidance_scale=flags.guidance_scale,
        window=WindowSize(flags.context_frames, flags.context_overlap),
        weights=AttentionWeights(
            reference=flags.reference_attention_weight,
            audio=flags.audio_attention_weight * flags.expression_strength,
        ),
        folded=Quirk.FOLDED_WINDOWS in quirks,
        refuse_surplus_levels=Quirk.STEP_COUNTS_REFUSED in quirks,
    )


def choose_strategy(flags: Flags) -> Strategy:
    """The one that was named; else to follow whoever was given to be followed."""
    strategy = flags.retarget_strategy
    given = _track(flags) or flags.reference_video
    if strategy is None:
        # As published a track is not followed unless that is said; films could not be given.
        follows = flags.reference_video or (given and flags.compat is Compat.FIXED)
        return Strategy.NAIVE_RETARGET if follows else Strategy.FIX_FACE
    if strategy.needs_track and given is None:
        raise AvatarError(f"--retarget_strategy {strategy}: needs --kps_path or --reference_video")
    if strategy is Strategy.POSE_RETARGET and flags.reference_video is None:
        raise AvatarError(
            f"--retarget_strategy {strategy}: needs --reference_video, since three face points do "
            "not tell how a head is turned"
        )
    if flags.reference_video is not None and not strategy.needs_track:
        raise AvatarError(f"--retarget_strategy {strategy}: leaves no use for --reference_video")
    return strategy


def _track(flags: Flags) -> Path | None:
    """The track, if one was given; as published, "" says that there is none."""
    return None if flags.kps == Path() else flags.kps


def _check_numbers(flags: Flags) -> None:
    """Raise for numbers outside of what they can be; not a number is outside of anything."""
    for name, value, least, most in (
        ("seed", flags.seed, 0, MAX_SEED),
        ("vae_frames_per_call", flags.vae_frames_per_call, 1, math.inf),
        ("kps_fps", flags.kps_fps, MIN_FRAME_RATE_HZ, MAX_TRACK_RATE_HZ),
        ("expression_strength", flags.expression_strength, 0.0, MAX_STRENGTH),
        ("audio_attention_weight", flags.audio_attention_weight, 0.0, MAX_WEIGHT),
        ("reference_attention_weight", flags.reference_attention_weight, 0.0, MAX_WEIGHT),
        ("guidance_scale", flags.guidance_scale, 0.0, MAX_WEIGHT),
    ):
        if value is not None and not least <= value <= most:
            limits = f"{least} or more" if most == math.inf else f"{least} to {most}"
            raise AvatarError(f"--{name} {value}: expected {limits}")


def check_fit(job: ClipJob, config: ModelConfig, scheduler: Scheduler) -> None:
    """Raise if the networks cannot take windows, sound or steps of that number."""
    sampling = job.sampling
    scheduler.timesteps(sampling.steps, refuse_surplus=sampling.refuse_surplus_levels)
    frames, most = job.sampling.window.frames, config.unet.motion.max_frames
    if frames > most:
        raise AvatarError(f"--context_frames {frames}: expected at most {most}")
    padding, positions = job.manner.padding_frames, config.audio_projection.positions
    if padding < 0 or ROWS_PER_FRAME * (2 * padding + 1) > positions:
        most = (positions // ROWS_PER_FRAME - 1) // 2
        raise AvatarError(f"--num_pad_audio_frames {padding}: expected 0 to {most}")


def choose_device(name: str, gpu_id: int) -> torch.device:
    """The device of that name. Raises unless it is there."""
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if name not in ("auto", "cuda"):
        raise AvatarError(f"--device {name}: expected auto, cpu or cuda")
    there = torch.cuda.device_count()
    if not there:
        raise AvatarError(f"--device {name}: PyTorch sees no GPU here, expected auto or cpu")
    if not 0 <= gpu_id < there:
        raise AvatarError(f"--device {name} --gpu_id {gpu_id}: expected one of {there} GPUs here")
    return torch.device("cuda", gpu_id)


def choose_type(wanted: NumberType, device: torch.device) -> torch.dtype:
    """How the networks count."""
    if wanted is NumberType.AUTO:
        return torch.float16 if device.type == "cuda" else torch.float32
    return _TYPES[wanted]


def after_use(flags: Flags) -> AfterUse:
    """What becomes of networks between their stages."""
    if flags.save_memory and flags.cpu_offload:
        raise AvatarError("--save_memory and --cpu_offload: expected one of them")
    if flags.save_memory and flags.streamed:
        raise AvatarError(
            "--save_memory and --streamed: expected one of them, or --cpu_offload and --streamed; "
            "the UNet and the VAE take turns then, so both must be held"
        )
    if flags.save_memory:
        return AfterUse.IS_DROPPED
    return AfterUse.MOVES_TO_CPU if flags.cpu_offload else AfterUse.STAYS


def choose_files(flags: Flags) -> ModelFiles:
    """The weights: those named, the rest from the folder."""
    return ModelFiles.below(
        flags.model_dir,
        denoising_unet=flags.denoising_unet,
        motion_module=flags.motion_module,
        reference_net=flags.reference_net,
        v_kps_guider=flags.v_kps_guider,
        audio_projection=flags.audio_projection,
        vae=flags.vae,
        audio_encoder=flags.audio_encoder,
    )
