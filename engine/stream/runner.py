"""Run one pure function of fixed shapes, many times, in the fastest way a machine has.

Every backend keeps the same contract: inputs are static buffers filled by copying, outputs lie in
the same storage after every run and are valid until the next one. The contract is in
`docs/performance.md`.
"""

from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from engine.stream.backends import Backend, Choice, Machine, choices
from engine.stream.builders import build_by_inductor, build_by_tensorrt, build_plain
from engine.stream.executors import CallingExecutor, Effort, Executor, Function, GraphExecutor
from engine.stream.graph_pool import GraphPool
from engine.stream.machine import this_machine
from engine.stream.runner_errors import CaptureError, RunnerError
from engine.stream.runner_settings import RunnerSettings, RunReport
from engine.stream.static_tensors import StaticInputs, StaticOutputs, size_bytes
from engine.stream.weight_watch import WeightWatch

_GRAPHS = (Backend.CUDA_GRAPH, Backend.INDUCTOR_GRAPH)
_COMPILED = (Backend.INDUCTOR, Backend.INDUCTOR_GRAPH)


class Runner:
    """A captured function. Make one by `open_runner`; for one thread at a time."""

    def __init__(
        self, function: Function, example: Mapping[str, Tensor], settings: RunnerSettings
    ) -> None:
        with _one_mode():
            self._inputs = StaticInputs(example, settings.label)
        self._outputs = StaticOutputs(settings.label)
        self._settings = settings
        self._effort = Effort()
        self._watch = WeightWatch(settings.weights)
        self._device = next(iter(self.inputs.values())).device
        self._checking = _checks(settings, self._device)
        self._pool = settings.pool or GraphPool()
        self._machine = machine_for(settings, self._device)
        self._is_stale = False
        self._replays = 0
        self._choice, self._executor = self._open(function)

    @property
    def inputs(self) -> Mapping[str, Tensor]:
        """The static buffers: write into them, or give tensors to `run` and `keep`."""
        return self._inputs.buffers

    @property
    def report(self) -> RunReport:
        """What has been done so far."""
        return RunReport(
            label=self._settings.label,
            asked=self._settings.backend,
            used=Backend(self._choice.name),
            reason=self._choice.reason,
            warm_ups=self._effort.warm_ups,
            captures=self._effort.captures,
            replays=self._replays,
            compile_s=self._effort.compile_s,
            capture_s=self._effort.capture_s,
            static_bytes=size_bytes((*self.inputs.values(), *self._outputs.tensors)),
        )

    def run(self, /, **given: Tensor) -> tuple[Tensor, ...]:
        """The function's results; inputs that are not given stay as they were.

        Results are overwritten by the next run: copy what shall live longer. Raises `RunnerError`,
        or `ShapeNotCapturedError` for a tensor that does not fit; then nothing has changed.
        """
        with self._in_turn():
            self._inputs.check_in_place()
            self._outputs.check_in_place()
            self._inputs.fill(given)
            if self._is_stale or self._watch.has_changed():
                self._prepare(self._executor)
            if self._checking:
                self._outputs.poison()
            with self._inputs_proven_unmodified():
                self._executor.execute()
            self._replays += 1
        return self._outputs.tensors

    def keep(self, token: Hashable, /, **given: Tensor) -> int:
        """Fill inputs that rarely change, unless they hold what `token` names already.

        Returns how many were copied. An input written in any other way since is copied again.
        """
        with self._in_turn():
            self._inputs.check_in_place()
            return self._inputs.keep(token, given)

    def invalidate(self) -> None:
        """Capture again before the next run, for changes that nobody can see from outside.

        New weights in the old memory are such a change for an engine that has copied them.
        """
        with self._in_turn():
            self._is_stale = True
            if self._checking:
                self._outputs.poison()

    def _open(self, function: Function) -> tuple[Choice, Executor]:
        """The first choice that can be captured."""
        failures: list[str] = []
        for choice in choices(self._settings.backend, self._machine):
            executor = self._executor_for(Backend(choice.name), function)
            try:
                with self._in_turn():
                    self._prepare(executor)
            except CaptureError as error:
                failures.append(f"{choice.name} failed: {error}")
            else:
                return Choice(choice.name, "; ".join([choice.reason, *failures])), executor
        raise CaptureError(f"{self._settings.label!r}: {'; '.join(failures)}")

    def _executor_for(self, backend: Backend, function: Function) -> Executor:
        settings = self._settings
        build = build_plain(function)
        if backend in _COMPILED:
            build = build_by_inductor(function)
        elif backend is Backend.TENSORRT:
            build = build_by_tensorrt(
                function, settings.weights, settings.engine_folder, self._machine
            )
        warm_ups = 1 if backend is Backend.EAGER else settings.warm_ups
        self._effort = Effort()  # of this attempt alone
        calls = CallingExecutor(build, self.inputs, self._outputs, self._effort, warm_ups)
        return GraphExecutor(calls, self._pool, self._device) if backend in _GRAPHS else calls

    def _prepare(self, executor: Executor) -> None:
        self._is_stale = True  # and so it stays if this fails
        self._watch.remember()
        with self._inputs_proven_unmodified():
            executor.prepare()
        self._is_stale = False

    @contextmanager
    def _inputs_proven_unmodified(self) -> Iterator[None]:
        if not self._checking:
            yield
            return
        before = self._inputs.versions()
        yield
        now = self._inputs.versions()
        changed = [name for name in before if before[name] != now[name]]
        if changed:
            raise RunnerError(
                f"the function of {self._settings.label!r} writes into its inputs: {changed}"
            )

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        on_gpu = self._machine.gpu is not None
        with _one_mode(), self._pool.in_turn(self._device if on_gpu else None):
            yield


def open_runner(
    function: Function, example: Mapping[str, Tensor], settings: RunnerSettings
) -> Runner:
    """Capture `function` for the shapes, types and device of `example`.

    `function(**tensors)` is pure: it reads its inputs and the weights, writes neither, asks no
    host for random numbers, and does the same for the same inputs. Nested inputs are flattened to
    names by the caller. Raises `UnknownBackendError`, `BackendUnavailableError`, `CaptureError`.
    A device without room raises PyTorch's own `OutOfMemoryError`, here and in `run`.
    """
    return Runner(function, example, settings)


def machine_for(settings: RunnerSettings, device: torch.device) -> Machine:
    """The machine as tensors on `device` see it."""
    machine = settings.machine or this_machine()
    return machine if device.type == "cuda" else machine.without_gpu()


def _checks(settings: RunnerSettings, device: torch.device) -> bool:
    return device.type == "cpu" if settings.checking is None else settings.checking


@contextmanager
def _one_mode() -> Iterator[None]:
    """The same whatever the caller is in: compiled code depends on it, and so do versions."""
    with torch.inference_mode(False), torch.no_grad():
        yield
