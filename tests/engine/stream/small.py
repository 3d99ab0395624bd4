"""A function small enough to know by heart, and a runner of it."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from engine.stream.backends import Backend
from engine.stream.runner import Runner, open_runner
from engine.stream.runner_settings import RunnerSettings


class Small(nn.Module):
    """Two inputs, two outputs, and a count of its calls."""

    shift: Tensor

    def __init__(self, device: str = "cpu") -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4, device=device)
        self.register_buffer("shift", torch.ones(4, device=device))
        self.calls = 0

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        self.calls += 1
        return self.linear(x) + y * self.shift, x - y


class OperationCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]  # PyTorch's, untyped
    """Lists every operation by name."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # the same
        self.names: list[str] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        self.names.append(str(func))
        return func(*args, **(kwargs or {}))


def pair(device: str = "cpu", seed: int = 0) -> dict[str, Tensor]:
    """Inputs for it."""
    source = torch.Generator().manual_seed(seed)
    return {name: torch.randn(3, 4, generator=source).to(device) for name in ("x", "y")}


def open_small(network: Small, backend: str = Backend.EAGER, **changes: Any) -> Runner:
    """A runner of it that watches its weights."""
    settings = RunnerSettings(label="tiny-64", backend=backend, weights=(network,), **changes)
    device = str(network.linear.weight.device)
    return open_runner(network, pair(device), settings)


def same(runner: Runner, network: Small, given: dict[str, Tensor]) -> bool:
    """Whether a run gives what a plain call gives."""
    with torch.no_grad():
        wanted = network(**given)
    return all(map(torch.equal, runner.run(**given), wanted))
