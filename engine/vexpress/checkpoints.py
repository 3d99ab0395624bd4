"""Weights from files into networks: every tensor accounted for, or an error that names it."""

import pickle
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from engine.api import AvatarError
from engine.vexpress.audio_projection import AudioProjection
from engine.vexpress.config import AudioProjectionConfig, GuiderConfig, UNetConfig
from engine.vexpress.denoiser import DenoisingUNet
from engine.vexpress.guider import VKpsGuider
from engine.vexpress.key_map import MOTION_FILE, MOTION_MARK, KeyMap, NetworkKind, recognise
from engine.vexpress.reference_net import ReferenceNet

SAFETENSORS = ".safetensors"
SUFFIXES = (SAFETENSORS, ".bin", ".pth", ".pt", ".ckpt")
MAX_NAMES = 6  # of one sort in a message

Network = TypeVar("Network", bound=nn.Module)


class CheckpointError(AvatarError):
    """A file that is not the checkpoint it should be."""


def load_reference_net(
    config: UNetConfig,
    path: Path,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> ReferenceNet:
    """The ReferenceNet with the weights of `path`."""
    tensors = _placed(read_tensors(path), dtype, device)
    return fill(NetworkKind.REFERENCE_NET, lambda: ReferenceNet(config), tensors, str(path))


def load_denoising_unet(
    config: UNetConfig,
    path: Path,
    motion_path: Path | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> DenoisingUNet:
    """The denoising UNet. Motion modules come from `motion_path`, from `path`, or from both.

    Where both have them, those of `motion_path` count.
    """
    tensors = _placed(read_unet_tensors(path, motion_path), dtype, device)
    source = str(path) if motion_path is None else f"{path} with {motion_path}"
    return fill(NetworkKind.DENOISING_UNET, lambda: DenoisingUNet(config), tensors, source)


def load_guider(
    config: GuiderConfig,
    path: Path,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> VKpsGuider:
    """The V-Kps guider with the weights of `path`."""
    tensors = _placed(read_tensors(path), dtype, device)
    return fill(NetworkKind.V_KPS_GUIDER, lambda: VKpsGuider(config), tensors, str(path))


def load_audio_projection(
    config: AudioProjectionConfig,
    path: Path,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> AudioProjection:
    """The audio projection with the weights of `path`."""
    tensors = _placed(read_tensors(path), dtype, device)
    return fill(NetworkKind.AUDIO_PROJECTION, lambda: AudioProjection(config), tensors, str(path))


def fill(
    kind: NetworkKind,
    make: Callable[[], Network],
    tensors: Mapping[str, Tensor],
    source: str,
    path: str = "",
) -> Network:
    """Make a network whose parameters are exactly `tensors`, given by their published names.

    With a `path` of ours, ending in a dot, make the part of a network that stands there.
    """
    with torch.device("meta"):
        network = make()
    own = accounted(KeyMap(kind, network, path), tensors, source)
    network.load_state_dict(own, strict=True, assign=True)
    return network.requires_grad_(False).eval()


def accounted(key_map: KeyMap, tensors: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """`tensors` under our names. Raises unless each has its place and each place its tensor."""
    shared = key_map.own_names.keys() & tensors.keys()
    problems = [
        _named("missing", key_map.missing(tensors)),
        _named("surplus", key_map.surplus(tensors)),
        _named("of wrong shape", _misshapen(key_map, tensors)),
        _named("not of numbers", sorted(k for k in shared if not tensors[k].is_floating_point())),
    ]
    if any(problems):
        raise CheckpointError(
            f"{source} is no {key_map.kind} of this configuration: "
            + "; ".join(problem for problem in problems if problem)
            + _resemblance(tensors, key_map.kind)
        )
    return {key_map.own_names[key]: tensors[key] for key in shared}


def read_unet_tensors(path: Path, motion_path: Path | None) -> dict[str, Tensor]:
    """The denoising UNet's tensors from one file or two, by their published names."""
    tensors = read_tensors(path)
    if motion_path is None:
        return tensors
    motion = read_tensors(motion_path)
    strangers = sorted(key for key in motion if MOTION_MARK not in key)
    if strangers:
        raise CheckpointError(
            f"{motion_path} is no motion module: {_named('surplus', strangers)}"
            + _resemblance(motion, MOTION_FILE)
        )
    return tensors | motion


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Tensors by name from a `.safetensors` file or a PyTorch file of nothing but tensors."""
    if not path.is_file():
        raise CheckpointError(f"{path}: there is no such file")
    if path.suffix not in SUFFIXES:
        raise CheckpointError(f"{path}: expected a file ending in {', '.join(SUFFIXES)}")
    return _read_safetensors(path) if path.suffix == SAFETENSORS else _read_pickled(path)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: cut short or no safetensors file ({error})") from error


def _read_pickled(path: Path) -> dict[str, Tensor]:
    try:
        # Only the newer format can be mapped into memory; the older one is read as a stream.
        mapped = zipfile.is_zipfile(path)
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path}: not a PyTorch file, or one with more in it than tensors"
        ) from error
    except Exception as error:  # a damaged pickle makes its reader raise anything
        raise CheckpointError(f"{path}: cut short or damaged ({_first_line(error)})") from error
    if not isinstance(state, dict) or not all(isinstance(item, Tensor) for item in state.values()):
        raise CheckpointError(f"{path}: expected one flat table of tensors")
    return state


def _placed(
    tensors: Mapping[str, Tensor], dtype: torch.dtype, device: torch.device | str
) -> dict[str, Tensor]:
    return {
        key: tensor.to(device, dtype) if tensor.is_floating_point() else tensor
        for key, tensor in tensors.items()
    }


def _misshapen(key_map: KeyMap, tensors: Mapping[str, Tensor]) -> list[str]:
    return [
        f"{key} {list(tensors[key].shape)} for {list(shape)}"
        for key, shape in key_map.shapes.items()
        if key in tensors and tuple(tensors[key].shape) != shape
    ]


def _named(sort: str, names: list[str]) -> str:
    if not names:
        return ""
    rest = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return f"{len(names)} {sort}: {', '.join(names[:MAX_NAMES])}{rest}"


def _resemblance(tensors: Mapping[str, Tensor], kind: str) -> str:
    """A hint for files that were mixed up."""
    looks_like = recognise(tensors)
    return f" (it looks like {looks_like})" if looks_like not in (None, kind) else ""


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
