"""The flags of the V-Express command line, each an environment variable as well."""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from engine.vexpress.model_files import DEFAULT_FOLDER
from engine.vexpress.quirks import Compat
from engine.vexpress.retarget import Strategy
from engine.vexpress.scheduler import BetaSchedule


class NumberType(StrEnum):
    """How the networks count; the published names."""

    AUTO = "auto"
    FP16 = "fp16"
    BF16 = "bf16"
    FP32 = "fp32"


def flag(names: str, meaning: str) -> Any:
    """Describe a flag by its names, the first of which makes the environment variable."""
    spelled = [f"--{name}" for name in names.split()]
    variable = spelled[0].partition("/")[0].removeprefix("--").upper()
    return typer.Option(*spelled, envvar=f"VEXPRESS_{variable}", help=meaning)


OWN_FILE = "In place of the one in --model_dir."


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """What a user may say. Names in the help's order; published names are kept."""

    reference_image: Annotated[
        Path, flag("reference_image reference_image_path", "The portrait, best a square one.")
    ]
    audio: Annotated[Path, flag("audio audio_path", "What it says: a sound file.")]
    output: Annotated[Path, flag("output output_path", "The film, an .mp4.")]
    engine: Annotated[str, flag("engine", "vexpress; another one has other flags.")] = "vexpress"
    reference_video: Annotated[
        Path | None, flag("reference_video", "A film whose face moves the head.")
    ] = None
    kps: Annotated[Path | None, flag("kps_path kps", "Face points of a film, kps.pth.")] = None
    kps_fps: Annotated[
        float | None, flag("kps_fps", "Frames a second of --kps_path; --fps if not given.")
    ] = None
    reference_kps: Annotated[
        Path | None, flag("reference_kps", "The portrait's face points; found if not given.")
    ] = None
    retarget_strategy: Annotated[
        Strategy | None,
        flag("retarget_strategy", "Else fix_face; naive_retarget where one is followed."),
    ] = None
    expression_strength: Annotated[
        float, flag("expression_strength", "0.0 to 2.0, times --audio_attention_weight.")
    ] = 1.0
    audio_attention_weight: Annotated[
        float, flag("audio_attention_weight", "How strongly lips follow; 1.0 to 3.0 is advised.")
    ] = 3.0
    reference_attention_weight: Annotated[
        float, flag("reference_attention_weight", "Likeness; 0.9 to 1.0 is advised.")
    ] = 0.95
    size: Annotated[int, flag("size", "Side of the film in pixels.")] = 512
    image_width: Annotated[int | None, flag("image_width", "In place of --size.")] = None
    image_height: Annotated[int | None, flag("image_height", "In place of --size.")] = None
    fps: Annotated[float, flag("fps", "Frames a second.")] = 30.0
    seed: Annotated[int, flag("seed", "Of the noise.")] = 42
    steps: Annotated[int, flag("num_inference_steps steps", "Of denoising.")] = 25
    guidance_scale: Annotated[float, flag("guidance_scale", "1 or less: without.")] = 3.5
    context_frames: Annotated[int, flag("context_frames", "Frames in a window.")] = 24
    context_overlap: Annotated[int, flag("context_overlap", "Frames two windows share.")] = 4
    num_pad_audio_frames: Annotated[
        int, flag("num_pad_audio_frames", "Of sound to each side; the weights expect 2.")
    ] = 2
    beta_schedule: Annotated[BetaSchedule, flag("beta_schedule", "Of the noise.")] = (
        BetaSchedule.SCALED_LINEAR
    )
    model_dir: Annotated[Path, flag("model_dir", "Where the weights are.")] = DEFAULT_FOLDER
    denoising_unet: Annotated[Path | None, flag("denoising_unet_path", OWN_FILE)] = None
    motion_module: Annotated[Path | None, flag("motion_module_path", OWN_FILE)] = None
    reference_net: Annotated[Path | None, flag("reference_net_path", OWN_FILE)] = None
    v_kps_guider: Annotated[Path | None, flag("v_kps_guider_path", OWN_FILE)] = None
    audio_projection: Annotated[Path | None, flag("audio_projection_path", OWN_FILE)] = None
    vae: Annotated[Path | None, flag("vae_path", OWN_FILE)] = None
    audio_encoder: Annotated[Path | None, flag("audio_encoder_path", OWN_FILE)] = None
    unet_config: Annotated[
        Path | None, flag("unet_config_path", "Sizes of another UNet, its config.json.")
    ] = None
    model_config: Annotated[
        Path | None, flag("model_config", "JSON with sizes: unet, guider, audio_projection.")
    ] = None
    device: Annotated[str, flag("device", "auto, cpu or cuda.")] = "auto"
    gpu_id: Annotated[int, flag("gpu_id", "Which of several GPUs.")] = 0
    dtype: Annotated[NumberType, flag("dtype", "auto: fp16 on a GPU, else fp32.")] = NumberType.AUTO
    save_memory: Annotated[
        bool, flag("save_memory save_gpu_memory", "Hold one network at a time, load it anew.")
    ] = False
    streamed: Annotated[
        bool, flag("streamed", "Finish frames while later ones are sampled: no more latents held.")
    ] = False
    cpu_offload: Annotated[
        bool, flag("cpu_offload", "Keep networks in the CPU's memory between stages.")
    ] = False
    vae_frames_per_call: Annotated[
        int, flag("vae_frames_per_call", "Frames decoded at once; fewer take less memory.")
    ] = 1
    compat: Annotated[Compat, flag("compat", "published: keep every quirk.")] = Compat.FIXED
    quirk: Annotated[list[str] | None, flag("quirk", "Keep this one, as Q3; may be repeated.")] = (
        None
    )
    badge: Annotated[
        bool, flag("badge/--no-badge", 'Show the "AI avatar" badge in every frame.')
    ] = True
    plan: Annotated[bool, flag("plan", "Only say what it would take; needs no weights.")] = False
    as_json: Annotated[bool, flag("json", "End with one line of JSON numbers.")] = False


def as_command(run: Callable[[Flags], None]) -> Callable[..., None]:
    """A function with one parameter a flag, as typer wants it, that calls `run`."""

    def command(**values: Any) -> None:
        run(Flags(**values))

    hints = get_type_hints(Flags, include_extras=True)
    command.__doc__ = run.__doc__
    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # any callable may
        [
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=inspect.Parameter.empty if field.default is MISSING else field.default,
                annotation=hints[field.name],
            )
            for field in fields(Flags)
        ]
    )
    command.__annotations__ = hints
    return command
