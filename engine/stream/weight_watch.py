"""Notices that weights are no longer where a captured graph reads them."""

from collections.abc import Callable, Iterable
from operator import is_not
from typing import Any

from torch import Tensor, nn

from engine.stream.static_tensors import address


class _Held:
    """What some dictionaries of modules hold, looked up again without a loop in Python."""

    def __init__(self, stores: Iterable[dict[str, Any]]) -> None:
        found = [(store, name, held) for store in stores for name, held in store.items()]
        self._stores = [store for store, _, _ in found]
        self._names = [name for _, name, _ in found]
        self.items = [held for _, _, held in found]

    def was_replaced(self) -> bool:
        """Whether any of it is another object now, or gone."""
        return any(map(is_not, map(dict.get, self._stores, self._names), self.items))


class WeightWatch:
    """Remembers which tensors some modules hold and where they lie.

    New values written into the same memory are no change: a graph reads them as they are.
    It looks at every tensor before every run, so it must be quick.
    """

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        self._modules = tuple(modules)
        self._held = _Held([])
        self._tensors: list[Tensor] = []
        self._locate: Callable[[Tensor], int] = address
        self._places: list[int] = []
        self.remember()

    def remember(self) -> None:
        """Take the present state as the right one."""
        every = [module for root in self._modules for module in root.modules()]
        self._held = _Held(
            store
            for module in every
            for store in (module._parameters, module._buffers, module._modules)
        )
        self._tensors = [held for held in self._held.items if isinstance(held, Tensor)]
        has_data = all(type(tensor) in {Tensor, nn.Parameter} for tensor in self._tensors)
        self._locate = Tensor.data_ptr if has_data else address
        self._places = list(map(self._locate, self._tensors))

    def has_changed(self) -> bool:
        """Whether a tensor moved, or a tensor or submodule was replaced."""
        return self._held.was_replaced() or list(map(self._locate, self._tensors)) != self._places
