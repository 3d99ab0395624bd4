"""Tensors that stay where they are: what a captured graph reads and writes."""

from collections.abc import Hashable, Iterable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor

from engine.stream.runner_errors import RunnerError, ShapeNotCapturedError


class StaticInputs:
    """Named buffers of fixed shape, filled by copying."""

    def __init__(self, example: Mapping[str, Tensor], label: str) -> None:
        _check_example(example, label)
        self.buffers: Mapping[str, Tensor] = MappingProxyType(
            {name: tensor.detach().clone() for name, tensor in example.items()}
        )
        self._label = label
        self._addresses = {name: address(buffer) for name, buffer in self.buffers.items()}
        self._kept: dict[str, tuple[Hashable, int]] = {}  # token, and version of the buffer then

    def fill(self, given: Mapping[str, Tensor]) -> None:
        """Copy what was given, or nothing at all if any of it does not fit."""
        self._check(given)
        for name, tensor in given.items():
            self._copy(name, tensor)

    def keep(self, token: Hashable, given: Mapping[str, Tensor]) -> int:
        """Copy what was last filled under another token or written since; return how many."""
        self._check(given)
        copied = 0
        for name, tensor in given.items():
            buffer = self.buffers[name]
            if self._kept.get(name) == (token, buffer._version):
                continue
            self._copy(name, tensor)
            self._kept[name] = (token, buffer._version)
            copied += 1
        return copied

    def check_in_place(self) -> None:
        """Raise `RunnerError` if a buffer was moved."""
        for name, buffer in self.buffers.items():
            if address(buffer) != self._addresses[name]:
                raise RunnerError(
                    f"the static buffer of input {name!r} of {self._label!r} has been moved: "
                    "write into it, do not replace its data"
                )

    def versions(self) -> dict[str, int]:
        """How often each buffer has been written in place."""
        return {name: buffer._version for name, buffer in self.buffers.items()}

    def _copy(self, name: str, tensor: Tensor) -> None:
        if not _is_same(tensor, self.buffers[name]):
            self.buffers[name].copy_(tensor)

    def _check(self, given: Mapping[str, Tensor]) -> None:
        for name, tensor in given.items():
            buffer = self.buffers.get(name)
            if buffer is None:
                known = ", ".join(self.buffers)
                raise RunnerError(f"input {name!r} of {self._label!r}: expected one of {known}")
            if not isinstance(tensor, Tensor):
                raise RunnerError(f"input {name!r} of {self._label!r}: {tensor!r} is no tensor")
            if not _fits(tensor, buffer):
                raise ShapeNotCapturedError(
                    f"input {name!r}: got {describe(tensor)}, "
                    f"but {self._label!r} was captured for {describe(buffer)}"
                )
            if _shares_storage(tensor, buffer) and not _is_same(tensor, buffer):
                raise RunnerError(
                    f"input {name!r} of {self._label!r}: a changed view of its own static buffer"
                )


class StaticOutputs:
    """Results in storage that never changes, apart from any memory that graphs share."""

    def __init__(self, label: str) -> None:
        self.tensors: tuple[Tensor, ...] = ()
        self._label = label
        self._addresses: tuple[int, ...] = ()

    def learn(self, results: Tensor | tuple[Tensor, ...]) -> None:
        """Take shapes from a first call; later ones must agree."""
        fresh = as_tuple(results)
        if not self.tensors:
            self.tensors = tuple(torch.empty_like(tensor) for tensor in fresh)
            self._addresses = tuple(map(address, self.tensors))
        if len(fresh) != len(self.tensors) or not all(map(_fits, fresh, self.tensors)):
            raise ShapeNotCapturedError(
                f"{self._label!r} now gives {describe_all(fresh)}, "
                f"but was captured with {describe_all(self.tensors)}: open another runner"
            )

    def fill(self, results: Tensor | tuple[Tensor, ...]) -> None:
        """Copy the results of one call. Inside a capture the copies become part of the graph."""
        self.learn(results)
        for kept, fresh in zip(self.tensors, as_tuple(results), strict=True):
            kept.copy_(fresh)

    def poison(self) -> None:
        """Make every number unusable: NaN, or the largest of a type that has no NaN."""
        for tensor in self.tensors:
            tensor.fill_(_poison_for(tensor.dtype))

    def check_in_place(self) -> None:
        """Raise `RunnerError` if an output was moved."""
        if tuple(map(address, self.tensors)) != self._addresses:
            raise RunnerError(f"an output of {self._label!r} has been moved: copy it instead")


def address(tensor: Tensor) -> int:
    """Where a tensor's data lies; without data (meta, fake, empty), which storage it has."""
    place = 0 if isinstance(tensor, FakeTensor) else tensor.data_ptr()
    return place or _storage_of(tensor)


def as_tuple(results: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """One result or several -> several."""
    return (results,) if isinstance(results, Tensor) else tuple(results)


def size_bytes(tensors: Iterable[Tensor]) -> int:
    """Memory of all tensors together."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def describe(tensor: Tensor) -> str:
    """As in `float16 [1, 4, 16, 64, 64] on cuda:0`."""
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)} on {tensor.device}"


def describe_all(tensors: Iterable[Tensor]) -> str:
    """Several of them."""
    return ", ".join(map(describe, tensors)) or "nothing"


def _check_example(example: Mapping[str, Tensor], label: str) -> None:
    if not example:
        raise RunnerError(f"{label!r}: expected at least one example input")
    devices = {str(tensor.device) for tensor in example.values()}
    if len(devices) > 1:
        raise RunnerError(f"{label!r}: inputs on one device expected, got {sorted(devices)}")


def _fits(tensor: Tensor, buffer: Tensor) -> bool:
    return (
        tensor.shape == buffer.shape
        and tensor.dtype == buffer.dtype
        and tensor.device == buffer.device
    )


def _is_same(tensor: Tensor, buffer: Tensor) -> bool:
    return tensor is buffer or (
        address(tensor) == address(buffer) and tensor.stride() == buffer.stride()
    )


def _shares_storage(tensor: Tensor, buffer: Tensor) -> bool:
    return _storage_of(tensor) == _storage_of(buffer)


def _storage_of(tensor: Tensor) -> int:
    key: int = tensor.untyped_storage()._cdata
    return key


def _poison_for(dtype: torch.dtype) -> float | int | bool:
    if dtype.is_floating_point or dtype.is_complex:
        return float("nan")
    return True if dtype == torch.bool else torch.iinfo(dtype).max
