"""From a function to a faster one of the same results."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.cache import cache_folder
from engine.stream.backends import BackendUnavailableError, Machine
from engine.stream.executors import Builder, Function
from engine.stream.static_tensors import as_tuple

_ENGINE_CACHE_BYTES = 20 << 30


def build_plain(function: Function) -> Builder:
    """The function as it is."""
    return lambda _: function


def build_by_inductor(function: Function) -> Builder:
    """torch.compile: one graph of fixed shapes, tuned on a GPU. Compiles at the first call."""
    return lambda inputs: torch.compile(
        function,
        backend="inductor",
        dynamic=False,
        fullgraph=True,
        mode="max-autotune-no-cudagraphs" if _on_gpu(inputs) else None,
        **_own_cache(),
    )


def build_by_tensorrt(
    function: Function, weights: tuple[nn.Module, ...], folder: Path | None, machine: Machine
) -> Builder:
    """torch-tensorrt: engines of fixed shapes, in the data types that weights and inputs have."""

    def build(inputs: Mapping[str, Tensor]) -> Function:
        compile_engines = _tensorrt_compiler()
        program = torch.export.export(Exportable(function, weights, tuple(inputs)), _args(inputs))
        options = tensorrt_options(folder or cache_folder("tensorrt"), machine)
        compiled = compile_engines(program, arg_inputs=list(_args(inputs)), **options)
        return lambda **named: as_tuple(compiled(*named.values()))

    return build


def tensorrt_options(folder: Path, machine: Machine) -> dict[str, Any]:
    """Settings that let engines be cached: without refitting torch-tensorrt ignores its cache.

    An engine fits one GPU and one TensorRT, which its cache does not look at: a folder for each.
    """
    gpu = machine.gpu.name if machine.gpu else "none"
    place = folder / f"{machine.torch_tensorrt_version}-{gpu}".replace(" ", "-")
    return {
        "immutable_weights": False,
        "cache_built_engines": True,
        "reuse_cached_engines": True,
        "engine_cache_dir": str(place),
        "engine_cache_size": _ENGINE_CACHE_BYTES,
        "timing_cache_path": str(place / "timing_cache.bin"),
        "truncate_double": True,
    }


class Exportable(nn.Module):
    """A function of named tensors as a module of positional ones, with its weights inside."""

    def __init__(
        self, function: Function, weights: tuple[nn.Module, ...], names: tuple[str, ...]
    ) -> None:
        super().__init__()
        self.weights = nn.ModuleList(weights)
        self._function = function
        self._names = names

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """The tensors in the order of their names -> the results."""
        return as_tuple(self._function(**dict(zip(self._names, tensors, strict=True))))


def _args(inputs: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
    return tuple(inputs.values())


def _on_gpu(inputs: Mapping[str, Tensor]) -> bool:
    return any(tensor.is_cuda for tensor in inputs.values())


def _own_cache() -> dict[str, Any]:
    """Newer versions of PyTorch limit recompilations per function unless each has its own cache."""
    known = inspect.signature(torch.compile).parameters
    return {"isolate_recompiles": True} if "isolate_recompiles" in known else {}


def _tensorrt_compiler() -> Any:
    try:
        import torch_tensorrt  # noqa: PLC0415  optional, and takes seconds
    except (ImportError, OSError) as error:
        raise BackendUnavailableError(f"backend 'tensorrt' is not available: {error}") from error
    return torch_tensorrt.dynamo.compile
