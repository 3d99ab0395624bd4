"""Pictures to latents and back, by the public VAE."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.vexpress.checkpoints import CheckpointError
from engine.vexpress.extra import require

SAFE_WEIGHTS = "diffusion_pytorch_model.safetensors"
LATENT_SCALE = 0.18215  # brings the latents of this VAE to about unit variance


class Vae(nn.Module):
    """A frozen autoencoder of single images."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network: Any = network

    @property
    def dtype(self) -> torch.dtype:
        """The data type of its weights."""
        return next(self.parameters()).dtype

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next(self.parameters()).device

    def encode(self, images: Tensor) -> Tensor:
        """Images [b, 3, height, width] in -1..1 -> the mean of their latents, scaled."""
        placed = images.to(self.device, self.dtype)
        mean: Tensor = self.network.encode(placed).latent_dist.mean
        return mean * LATENT_SCALE

    def decode(self, latents: Tensor, frames_per_call: int = 1) -> Iterator[Tensor]:
        """Scaled latents [1, 4, frames, h, w] -> frame after frame [3, height, width] in 0..1.

        More frames per call are faster where there is memory for them; they do not mix.
        """
        frames = (latents / LATENT_SCALE)[0].transpose(0, 1)
        for some in torch.split(frames, frames_per_call):
            yield from self.decode_images(some).float().unbind()

    def decode_images(self, latents: Tensor) -> Tensor:
        """Latents [b, 4, h, w] as the network has them -> images [b, 3, height, width] in 0..1."""
        decoded: Tensor = self.network.decode(latents.to(self.device, self.dtype)).sample
        return (decoded / 2 + 0.5).clamp(0, 1)

    def decode_signed(self, latents: Tensor) -> Tensor:
        """Scaled latents [b, 4, h, w] -> images [b, 3, height, width], about -1..1."""
        decoded: Tensor = self.network.decode(latents / LATENT_SCALE).sample
        return decoded


class TinyVae(nn.Module):
    """The decoder of a small autoencoder that was taught to do as the large one does."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network: Any = network

    def decode_signed(self, latents: Tensor) -> Tensor:
        """Scaled latents [b, 4, h, w] -> images [b, 3, height, width], about -1..1."""
        decoded: Tensor = self.network.decode(latents).sample
        return decoded


def load_vae(folder: Path, dtype: torch.dtype = torch.float32) -> Vae:
    """The VAE from a folder in the layout of diffusers."""
    return Vae(_load("AutoencoderKL", folder, dtype))


def load_tiny_vae(folder: Path, dtype: torch.dtype = torch.float32) -> TinyVae:
    """The small autoencoder from a folder in the layout of diffusers."""
    return TinyVae(_load("AutoencoderTiny", folder, dtype))


def _load(kind: str, folder: Path, dtype: torch.dtype) -> Any:
    if not (folder / "config.json").is_file():
        raise CheckpointError(f"{folder}: no VAE there, expected config.json and weights beside it")
    diffusers = require("diffusers")
    try:
        network = getattr(diffusers, kind).from_pretrained(
            folder,
            local_files_only=True,
            low_cpu_mem_usage=False,
            torch_dtype=dtype,
            # A damaged file is an error, no reason to look for a pickle beside it.
            use_safetensors=(folder / SAFE_WEIGHTS).is_file(),
        )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        reason = str(error).partition("\n")[0]
        raise CheckpointError(f"{folder}: not a VAE that can be read ({reason})") from error
    return network.requires_grad_(False).eval()
