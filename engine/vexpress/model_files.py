"""Where the published files lie, and the networks made from them."""

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

import torch

from engine.vexpress.audio_frontend import load_speech_encoder
from engine.vexpress.checkpoints import (
    CheckpointError,
    load_audio_projection,
    load_denoising_unet,
    load_guider,
    load_reference_net,
)
from engine.vexpress.config import PUBLISHED, ModelConfig, UNetConfig
from engine.vexpress.convert import find_file
from engine.vexpress.slots import AfterUse, Networks, Slot
from engine.vexpress.vae import load_vae

DEFAULT_FOLDER = Path("model_ckpts")
FETCH = "python -m engine.vexpress.weights fetch"
TRAINED, VAE, SPEECH_ENCODER = "v-express", "sd-vae-ft-mse", "wav2vec2-base-960h"  # folders
TINY_VAE = "taesd"  # needed live only


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFiles:
    """One file or folder for each network, by the published names."""

    denoising_unet: Path
    motion_module: Path | None  # none: the denoising UNet's file has it
    reference_net: Path
    v_kps_guider: Path
    audio_projection: Path
    vae: Path
    audio_encoder: Path

    @classmethod
    def below(cls, folder: Path, **chosen: Path | None) -> Self:
        """The published layout below `folder`, but for what is `chosen` otherwise."""
        trained = folder / TRAINED

        def found(name: str) -> Path:
            return find_file(trained, name) or trained / f"{name}.bin"

        return cls(
            denoising_unet=chosen.get("denoising_unet") or found("denoising_unet"),
            motion_module=chosen.get("motion_module") or find_file(trained, "motion_module"),
            reference_net=chosen.get("reference_net") or found("reference_net"),
            v_kps_guider=chosen.get("v_kps_guider") or found("v_kps_guider"),
            audio_projection=chosen.get("audio_projection") or found("audio_projection"),
            vae=chosen.get("vae") or folder / VAE,
            audio_encoder=chosen.get("audio_encoder") or folder / SPEECH_ENCODER,
        )

    def check(self, *more: Path) -> None:
        """Raise if something is not there, `more` included, and say what: all of it at once."""
        paths = [*(getattr(self, field.name) for field in fields(self)), *more]
        missing = [str(path) for path in paths if path is not None and not path.exists()]
        if missing:
            raise CheckpointError(
                f"weights are missing: {', '.join(missing)}; get them by: {FETCH}"
            )


def read_model_config(model: Path | None, unet: Path | None) -> ModelConfig:
    """The published sizes, or those of a JSON file with sections, or of a UNet's config.json."""
    config = PUBLISHED if model is None else ModelConfig.from_mapping(_read_object(model))
    if unet is None:
        return config
    return ModelConfig(
        unet=UNetConfig.from_mapping(_read_object(unet)),
        guider=config.guider,
        audio_projection=config.audio_projection,
    )


def open_networks(
    files: ModelFiles,
    config: ModelConfig,
    dtype: torch.dtype,
    device: torch.device,
    after_use: AfterUse,
) -> Networks:
    """The networks of a folder, each loaded when it is first used."""
    return Networks(
        vae=Slot(lambda: load_vae(files.vae, dtype), device, after_use),
        speech_encoder=Slot(
            lambda: load_speech_encoder(files.audio_encoder, dtype), device, after_use
        ),
        audio_projection=Slot(
            lambda: load_audio_projection(config.audio_projection, files.audio_projection, dtype),
            device,
            after_use,
        ),
        guider=Slot(
            lambda: load_guider(config.guider, files.v_kps_guider, dtype), device, after_use
        ),
        reference_net=Slot(
            lambda: load_reference_net(config.unet, files.reference_net, dtype), device, after_use
        ),
        denoising_unet=Slot(
            lambda: load_denoising_unet(
                config.unet, files.denoising_unet, files.motion_module, dtype
            ),
            device,
            after_use,
        ),
    )


def _read_object(path: Path) -> dict[str, dict[str, object]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: not readable ({error})") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path}: expected a JSON object")
    return content
