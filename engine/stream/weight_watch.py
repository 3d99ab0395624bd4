"""Notices that weights are no longer where a captured graph reads them."""

from collections.abc import Iterable, Mapping

from torch import Tensor, nn

from engine.stream.static_tensors import address


class WeightWatch:
    """Remembers which tensors some modules hold and where they lie.

    New values written into the same memory are no change: a graph reads them as they are.
    """

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        self._modules = tuple(modules)
        self._owners: list[Mapping[str, Tensor | None]] = []
        self._parents: list[Mapping[str, nn.Module | None]] = []
        self._places: list[int] = []
        self._children: list[nn.Module | None] = []
        self.remember()

    def remember(self) -> None:
        """Take the present state as the right one."""
        every = [module for root in self._modules for module in root.modules()]
        parameters: list[Mapping[str, Tensor | None]] = [module._parameters for module in every]
        buffers: list[Mapping[str, Tensor | None]] = [module._buffers for module in every]
        self._owners = [store for store in parameters + buffers if store]
        self._parents = [module._modules for module in every if module._modules]
        self._places, self._children = self._look(), self._list_children()

    def has_changed(self) -> bool:
        """Whether a tensor moved, or a tensor or submodule was replaced."""
        if self._look() != self._places:
            return True
        now = self._list_children()
        return len(now) != len(self._children) or any(
            new is not old for new, old in zip(now, self._children, strict=True)
        )

    def _look(self) -> list[int]:
        return [
            address(tensor)
            for owner in self._owners
            for tensor in owner.values()
            if tensor is not None
        ]

    def _list_children(self) -> list[nn.Module | None]:
        return [child for parent in self._parents for child in parent.values()]
