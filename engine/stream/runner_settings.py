"""What a runner is told, and what it tells."""

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from engine.stream.backends import Backend, Machine
from engine.stream.graph_pool import GraphPool

MIN_WARM_UPS = 3  # libraries pick their algorithms in the first calls, which cannot be captured


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerSettings:
    """How to capture a function."""

    label: str  # the preset that the shapes are of, for messages
    backend: str = Backend.AUTO
    weights: tuple[nn.Module, ...] = ()  # all that the function computes with
    checking: bool | None = None  # catch misuse; if not said, on the CPU only
    warm_ups: int = MIN_WARM_UPS  # calls before a capture
    pool: GraphPool | None = None  # to share with other runners; none: one of its own
    machine: Machine | None = None  # none: this one
    engine_folder: Path | None = None  # of built TensorRT engines; none: the user's cache

    def __post_init__(self) -> None:
        if self.warm_ups < MIN_WARM_UPS:
            raise ValueError(f"{self.warm_ups} warm-ups: expected {MIN_WARM_UPS} or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """What a runner has done so far."""

    label: str
    asked: str
    used: Backend
    reason: str  # why this backend, and what failed before it
    warm_ups: int  # calls of the function before captures
    captures: int  # 1, and 1 more for each change of weights or invalidation
    replays: int
    compile_s: float
    capture_s: float
    static_bytes: int  # inputs and outputs
