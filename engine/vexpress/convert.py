"""Published files -> safetensors: `python -m engine.vexpress.convert CHECKPOINTS OUTPUT`.

Each network is checked as when it is loaded. Keys keep their published names; motion modules end up
in the denoising UNet's file. All files appear in the end or none does.
"""

import json
import tempfile
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import torch
import typer
from safetensors.torch import save_file
from torch import Tensor, nn

from engine.api import AvatarError
from engine.vexpress.audio_projection import AudioProjection
from engine.vexpress.checkpoints import (
    SAFETENSORS,
    SUFFIXES,
    CheckpointError,
    accounted,
    read_tensors,
    read_unet_tensors,
)
from engine.vexpress.config import PUBLISHED, ModelConfig
from engine.vexpress.denoiser import DenoisingUNet
from engine.vexpress.guider import VKpsGuider
from engine.vexpress.key_map import MOTION_FILE, KeyMap, NetworkKind
from engine.vexpress.reference_net import ReferenceNet

BAD_INPUT = 2  # exit code


class StoredType(StrEnum):
    """How numbers are written."""

    KEEP = "keep"
    FLOAT32 = "float32"
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"


def convert(
    source: Path,
    target: Path,
    config: ModelConfig = PUBLISHED,
    stored: StoredType = StoredType.KEEP,
) -> list[Path]:
    """Write the networks found in the folder `source` into the folder `target`."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target, prefix=".partial-") as scratch:
        partial = [
            _convert_one(kind, source, Path(scratch), config, stored) for kind in NetworkKind
        ]
        return [path.replace(target / path.name) for path in partial]


def find_file(folder: Path, name: str) -> Path | None:
    """The file of that name with any ending that weights have."""
    found = (folder / (name + suffix) for suffix in SUFFIXES)
    return next((path for path in found if path.is_file()), None)


def make_networks(config: ModelConfig) -> Mapping[NetworkKind, Callable[[], nn.Module]]:
    """How to make each network."""
    return {
        NetworkKind.REFERENCE_NET: lambda: ReferenceNet(config.unet),
        NetworkKind.DENOISING_UNET: lambda: DenoisingUNet(config.unet),
        NetworkKind.V_KPS_GUIDER: lambda: VKpsGuider(config.guider),
        NetworkKind.AUDIO_PROJECTION: lambda: AudioProjection(config.audio_projection),
    }


def _convert_one(
    kind: NetworkKind, source: Path, scratch: Path, config: ModelConfig, stored: StoredType
) -> Path:
    with torch.device("meta"):
        key_map = KeyMap(kind, make_networks(config)[kind]())
    path = find_file(source, kind)
    if path is None:
        raise CheckpointError(f"{source}: there is no {kind} ({', '.join(SUFFIXES)})")
    tensors = _read(kind, path)
    accounted(key_map, tensors, str(path))
    out = scratch / (kind + SAFETENSORS)
    kept = {key: _stored_as(tensors[key], stored) for key in key_map.own_names}
    save_file(kept, out, metadata={"format": "pt"})
    return out


def _read(kind: NetworkKind, path: Path) -> dict[str, Tensor]:
    if kind is NetworkKind.DENOISING_UNET:
        return read_unet_tensors(path, find_file(path.parent, MOTION_FILE))
    return read_tensors(path)


def _stored_as(tensor: Tensor, stored: StoredType) -> Tensor:
    if stored is StoredType.KEEP:
        return tensor.contiguous()
    dtype: torch.dtype = getattr(torch, stored.value)
    return tensor.to(dtype).contiguous()


def _main(
    checkpoints: Annotated[Path, typer.Argument(help="Folder with the published files.")],
    output: Annotated[Path, typer.Argument(help="Folder for the safetensors files.")],
    stored: Annotated[StoredType, typer.Option("--dtype", help="How to store numbers.")] = (
        StoredType.KEEP
    ),
    config: Annotated[
        Path | None, typer.Option(help="JSON with other sizes: unet, guider, audio_projection.")
    ] = None,
) -> None:
    """Check the published files and store them as safetensors."""
    try:
        sizes = PUBLISHED if config is None else ModelConfig.from_mapping(_read_json(config))
        for path in convert(checkpoints, output, sizes, stored):
            typer.echo(f"{path}: {path.stat().st_size / 1e6:.0f} MB")
    except (AvatarError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(BAD_INPUT) from error


def _read_json(path: Path) -> dict[str, dict[str, object]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: not readable ({error})") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path}: expected a JSON object")
    return content


if __name__ == "__main__":
    typer.run(_main)
