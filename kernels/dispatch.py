"""Which implementation serves a call: found anew each time from what the call is given."""

import importlib.util
from enum import StrEnum
from functools import cache

import torch
from torch import Tensor


class Way(StrEnum):
    """Families of implementations; every operator has a table from these to its functions."""

    CPU = "cpu"  # the fastest of those that `python -m benchmarks.kernels` compares
    TRITON = "triton"
    PLAIN = "plain"  # `kernels.reference`: runs wherever PyTorch does


def way(tensor: Tensor) -> Way:
    """The way to go with `tensor`.

    Tensors without memory of their own (fake ones, on the meta device or traced by a compiler) go
    the plain way: a compiler fuses it by itself, and shapes can be worked out on any machine.
    """
    if type(tensor) is not Tensor or torch.compiler.is_compiling():
        return Way.PLAIN
    if tensor.device.type == "cuda" and triton_is_installed():
        return Way.TRITON
    return Way.CPU if tensor.device.type == "cpu" else Way.PLAIN


@cache
def triton_is_installed() -> bool:
    """Whether Triton can be imported. It is an extra, and PyTorch for CUDA on Linux brings it."""
    return importlib.util.find_spec("triton") is not None
