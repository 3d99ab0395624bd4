"""Where an engine comes from, told in words that another process understands."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import cast

from engine.api import Engine


@dataclass(frozen=True, slots=True)
class EngineSource:
    """A function by name and its arguments; nothing is imported before the call."""

    module: str
    function: str
    arguments: tuple[object, ...] = ()

    def __call__(self) -> Engine:
        """Make the engine."""
        load = cast(Callable[..., Engine], getattr(import_module(self.module), self.function))
        return load(*self.arguments)
