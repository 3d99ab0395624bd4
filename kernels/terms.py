"""What the NumPy implementations on latents share."""

from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Values: TypeAlias = NDArray[np.float32]


def values_of(tensor: Tensor) -> Values:
    """The tensor as a float32 array; a view where it is one already."""
    if tensor.requires_grad or tensor.dtype != torch.float32:
        tensor = tensor.detach().float()
    return tensor.numpy()


def columns_of(coefficients: Tensor) -> list[Values]:
    """Columns of [frames, columns], each [frames, 1, 1] to go with latents."""
    return list(values_of(coefficients).T[..., None, None])


def term(weight: Values, value: Values) -> Values:
    """`weight * value` anew, and zero where the weight is zero, whatever the value is."""
    product = weight * value
    if not weight.all():
        product[:, :, weight.reshape(-1) == 0] = 0
    return product


def check_latents(**latents: Tensor) -> None:
    """Raise ValueError unless all have one shape [batch, channels, frames, height, width]."""
    like = next(iter(latents.values())).shape
    if len(like) != 5 or any(tensor.shape != like for tensor in latents.values()):  # noqa: PLR2004
        shapes = {name: tuple(tensor.shape) for name, tensor in latents.items()}
        raise ValueError(
            f"latents of shapes {shapes}: expected one [batch, channels, frames, height, width]"
        )
    if not all(tensor.is_floating_point() for tensor in latents.values()):
        strange = [name for name, tensor in latents.items() if not tensor.is_floating_point()]
        raise ValueError(f"{', '.join(strange)}: expected floating-point numbers")


def check_table(name: str, table: Tensor, shape: tuple[int, ...]) -> None:
    """Raise ValueError unless `table` is float32 of `shape`."""
    if tuple(table.shape) != shape or not table.is_floating_point():
        raise ValueError(
            f"{name} {list(table.shape)} {table.dtype}: expected {list(shape)} float32"
        )
