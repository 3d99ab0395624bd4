"""Arithmetic and memory of a computation on shapes alone (PyTorch's meta device)."""

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True, slots=True)
class Cost:
    """What one call takes, and its result."""

    flops: int  # a multiplication and an addition count as two
    peak_bytes: int  # of all results alive at once, inputs and weights not counted
    output: Any


class FusedAttention(TorchFunctionMode):
    """Lets attention give its result at once, as a fused kernel does, and counts its arithmetic.

    On the meta device it would otherwise write out every attention matrix.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Answer attention, pass on everything else."""
        if func is not functional.scaled_dot_product_attention:
            return func(*args, **(kwargs or {}))
        query, key, value = args[:3] if args else (kwargs or {}).values()
        products = query.numel() // query.shape[-1] * key.shape[-2]
        self.flops += 2 * products * (query.shape[-1] + value.shape[-1])
        return query.new_empty((*query.shape[:-1], value.shape[-1]))


class MemoryMeter(TorchDispatchMode):  # type: ignore[no-untyped-call]  # PyTorch's, untyped
    """Counts operations, and follows the storage of every result from its making to its end."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # the same
        self.now_bytes = self.peak_bytes = 0
        self.operations = self.allocations = 0
        self._known: set[int] = set()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run one operation and take note of what it made."""
        inside = {id(x.untyped_storage()) for x in tree_leaves((args, kwargs)) if _is_tensor(x)}
        result = func(*args, **(kwargs or {}))
        self.operations += 1
        for tensor in tree_leaves(result):
            if _is_tensor(tensor) and id(tensor.untyped_storage()) not in inside:
                self._follow(tensor.untyped_storage())
        return result

    def _follow(self, storage: torch.UntypedStorage) -> None:
        key, size_bytes = id(storage), storage.nbytes()
        if key in self._known:
            return
        self._known.add(key)
        self.allocations += 1
        self.now_bytes += size_bytes
        self.peak_bytes = max(self.peak_bytes, self.now_bytes)
        weakref.finalize(storage, self._forget, key, size_bytes)

    def _forget(self, key: int, size_bytes: int) -> None:
        self._known.discard(key)
        self.now_bytes -= size_bytes


def measure(call: Callable[[], Any]) -> Cost:
    """The cost of `call`, which must touch nothing but meta tensors."""
    counter, meter, attention = FlopCounterMode(display=False), MemoryMeter(), FusedAttention()
    with torch.no_grad(), attention, counter, meter:
        output = call()
    return Cost(counter.get_total_flops() + attention.flops, meter.peak_bytes, output)


def count_flops(call: Callable[[], Any]) -> int:
    """The arithmetic of `call` alone, which is found sooner; meta tensors as in `measure`."""
    counter, attention = FlopCounterMode(display=False), FusedAttention()
    with torch.no_grad(), attention, counter:
        call()
    return counter.get_total_flops() + attention.flops


def _is_tensor(item: Any) -> bool:
    return isinstance(item, Tensor)
