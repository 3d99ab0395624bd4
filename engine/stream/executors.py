"""The two ways to run a function on static tensors: call it, or replay a captured graph of it."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import torch
from torch import Tensor

from engine.stream.graph_pool import GraphPool
from engine.stream.runner_errors import CaptureError
from engine.stream.static_tensors import StaticOutputs

Function: TypeAlias = Callable[..., Tensor | tuple[Tensor, ...]]
Builder: TypeAlias = Callable[[Mapping[str, Tensor]], Function]  # from the static inputs


@dataclass(slots=True)
class Effort:
    """What getting ready has taken."""

    warm_ups: int = 0
    captures: int = 0
    compile_s: float = 0.0  # building, and the first call, in which compilers do their work
    capture_s: float = 0.0


class Executor(Protocol):
    """Runs one function on its static inputs into its static outputs."""

    def prepare(self) -> None:
        """Build, warm up and capture anew. Raises `CaptureError`."""
        ...

    def execute(self) -> None:
        """Fill the outputs from the inputs."""
        ...


@dataclass(slots=True)
class CallingExecutor:
    """Calls the function every time and copies what it gives."""

    build: Builder
    inputs: Mapping[str, Tensor]
    outputs: StaticOutputs
    effort: Effort
    warm_ups: int
    function: Function | None = None

    def prepare(self) -> None:
        """Build, and learn the shapes of the outputs."""
        started_s = time.perf_counter()
        with _named_failure("build"):
            self.function = self.build(self.inputs)
            self._warm_up()
        self.effort.compile_s += time.perf_counter() - started_s
        with _named_failure("run"):
            for _ in range(self.warm_ups - 1):
                self._warm_up()
        self.effort.captures += 1

    def execute(self) -> None:
        """Call and copy."""
        assert self.function is not None
        self.outputs.fill(self.function(**self.inputs))

    def _warm_up(self) -> None:
        assert self.function is not None
        self.outputs.learn(self.function(**self.inputs))
        self.effort.warm_ups += 1


class GraphExecutor:
    """Records the function's launches once and replays them.

    Warm-ups and capture run on a stream of their own; replays run on the caller's.
    """

    def __init__(self, calls: CallingExecutor, pool: GraphPool, device: torch.device) -> None:
        self._calls = calls
        self._pool = pool
        self._device = device
        self._graph: torch.cuda.CUDAGraph | None = None

    def prepare(self) -> None:
        """Warm up on a side stream, capture there, replay at once: capturing computes nothing."""
        if self._graph is not None:
            torch.cuda.synchronize(self._device)  # it may still be replaying
            self._graph = None
        caller = torch.cuda.current_stream(self._device)
        side = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]  # PyTorch's
        side.wait_stream(caller)
        with _tuned_convolutions():
            with torch.cuda.stream(side):
                self._calls.prepare()
            caller.wait_stream(side)
            with _named_failure("capture"):
                self._graph = self._capture(side)
        self.execute()

    def execute(self) -> None:
        """Replay."""
        assert self._graph is not None
        self._graph.replay()

    def _capture(self, side: torch.cuda.Stream) -> torch.cuda.CUDAGraph:
        started_s = time.perf_counter()
        graph = torch.cuda.CUDAGraph()
        # Other threads may allocate and upload meanwhile: only this one must not.
        recording = torch.cuda.graph(
            graph, pool=self._pool.handle, stream=side, capture_error_mode="thread_local"
        )
        with recording:
            self._calls.execute()
        self._calls.effort.capture_s += time.perf_counter() - started_s
        return graph


@contextmanager
def _named_failure(deed: str) -> Iterator[None]:
    """Tell a failure of PyTorch, which has no end of kinds, as ours. Lack of memory stays."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        first_line = str(error).strip().split("\n")[0]
        raise CaptureError(f"cannot {deed}: {type(error).__name__}: {first_line}") from error


@contextmanager
def _tuned_convolutions() -> Iterator[None]:
    """Let cuDNN measure its algorithms in the warm-ups, and find them again in the capture."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before
