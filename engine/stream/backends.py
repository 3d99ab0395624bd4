"""Which ways to run a network a machine has, and why not the others. Imports no torch."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from engine.api import AvatarError

Version = tuple[int, int]


class Backend(StrEnum):
    """How a captured function is run."""

    AUTO = "auto"  # the best of the others that needs no long build
    EAGER = "eager"  # operation by operation, under the same contract as all others
    CUDA_GRAPH = "cuda-graph"  # recorded once, replayed as one launch
    INDUCTOR = "inductor"  # compiled by torch.compile
    INDUCTOR_GRAPH = "inductor+graph"  # compiled, then recorded
    TENSORRT = "tensorrt"  # built by torch-tensorrt


class AttentionKind(StrEnum):
    """Who computes attention."""

    SDPA = "sdpa"  # PyTorch's own
    XFORMERS = "xformers"


class UnknownBackendError(AvatarError):
    """There is no backend or attention of that name."""


class BackendUnavailableError(AvatarError):
    """A known backend that this machine does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """A CUDA device."""

    name: str
    capability: Version  # compute capability: (8, 9) is Ada, (9, 0) Hopper
    memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Everything that a choice of backend depends on. A version of none is not installed."""

    torch_version: str
    cuda_version: str | None = None  # that PyTorch was built for
    gpu: Gpu | None = None
    compiler: str | None = None  # path of a C++ compiler
    triton_version: str | None = None
    torch_tensorrt_version: str | None = None
    xformers_version: str | None = None

    def without_gpu(self) -> "Machine":
        """What the same machine can do for tensors on the CPU."""
        return replace(self, gpu=None)


@dataclass(frozen=True, slots=True)
class Availability:
    """One backend or attention on one machine."""

    name: str
    available: bool
    reason: str  # why not; or what it will do


@dataclass(frozen=True, slots=True)
class Choice:
    """A name that can be used, and why this one."""

    name: str
    reason: str


_AUTO_ON_GPU = (Backend.INDUCTOR_GRAPH, Backend.CUDA_GRAPH, Backend.EAGER)
# xformers' binaries: CUTLASS kernels for 7.5 to 9.0, FlashAttention 3 for 8.0 to 9.0 only.
_XFORMERS_CAPABILITIES = ((7, 5), (9, 0))
_FLASH_3_FROM: Version = (8, 0)
_FLASH_3_HEADS = "32 to 256"


def survey(machine: Machine) -> tuple[Availability, ...]:
    """Every backend but `auto`, then every kind of attention."""
    return (*survey_backends(machine), *survey_attention(machine))


def survey_backends(machine: Machine) -> tuple[Availability, ...]:
    """Every backend but `auto`."""
    no_gpu, no_compiler = _why_no_gpu(machine), _why_no_compiler(machine)
    no_tensorrt = no_gpu or _why_no_tensorrt(machine)
    return (
        Availability(Backend.EAGER, True, "runs everywhere"),
        _judge(Backend.CUDA_GRAPH, no_gpu, "one launch per call"),
        _judge(Backend.INDUCTOR, no_compiler, "compiles for a minute or more at start"),
        _judge(Backend.INDUCTOR_GRAPH, no_gpu or no_compiler, "compiled, then one launch per call"),
        _judge(Backend.TENSORRT, no_tensorrt, "builds for many minutes once, then cached on disk"),
    )


def survey_attention(machine: Machine) -> tuple[Availability, ...]:
    """Every kind of attention."""
    missing = _why_no_gpu(machine) or _why_no_xformers(machine)
    return (
        Availability(AttentionKind.SDPA, True, "PyTorch's own, runs everywhere"),
        _judge(AttentionKind.XFORMERS, missing, _xformers_kernels(machine)),
    )


def choose(asked: str, machine: Machine) -> Choice:
    """The backend to use for `asked`, which may be `auto`.

    Raises `UnknownBackendError` and `BackendUnavailableError`.
    """
    return choices(asked, machine)[0]


def choices(asked: str, machine: Machine) -> tuple[Choice, ...]:
    """What to try in turn: one backend if it was named, for `auto` the best and the next best.

    Raises `UnknownBackendError` and `BackendUnavailableError`.
    """
    if asked not in list(Backend):
        raise UnknownBackendError(f"backend {asked!r}: expected one of {', '.join(Backend)}")
    known = {item.name: item for item in survey_backends(machine)}
    if asked == Backend.AUTO:
        return _automatic(machine, known)
    if not known[asked].available:
        raise BackendUnavailableError(_refusal(asked, tuple(known.values())))
    return (Choice(asked, "asked for"),)


def choose_attention(asked: str, machine: Machine) -> Choice:
    """The attention to use for `asked`: the same numbers come of each, so it falls back.

    Raises `UnknownBackendError`.
    """
    if asked not in list(AttentionKind):
        raise UnknownBackendError(
            f"attention {asked!r}: expected one of {', '.join(AttentionKind)}"
        )
    known = {item.name: item for item in survey_attention(machine)}
    if known[asked].available:
        return Choice(asked, "asked for")
    return Choice(AttentionKind.SDPA, f"{asked} is not available: {known[asked].reason}")


def minor(version: str) -> Version:
    """Major and minor of `2.13.0+cpu`."""
    major, second = version.split("+", maxsplit=1)[0].split(".")[:2]
    return int(major), int("".join(digit for digit in second if digit.isdigit()) or 0)


def _automatic(machine: Machine, known: dict[str, Availability]) -> tuple[Choice, ...]:
    if machine.gpu is None:
        return (Choice(Backend.EAGER, "auto without a GPU: compiling gains nothing there"),)
    reasons: list[str] = []
    found: list[Choice] = []
    for name in _AUTO_ON_GPU:
        if known[name].available:
            why = "; ".join(["auto takes the fastest that builds within minutes", *reasons])
            found.append(Choice(name, why))
        else:
            reasons.append(f"{name} is not available: {known[name].reason}")
    return tuple(found)


def _refusal(asked: str, known: Sequence[Availability]) -> str:
    there = ", ".join([Backend.AUTO, *(item.name for item in known if item.available)])
    why = "; ".join(f"{item.name}: {item.reason}" for item in known if not item.available)
    return f"backend {asked!r} is not available here. Available: {there}. Not available: {why}"


def _judge(name: str, missing: str, there: str) -> Availability:
    return Availability(name, not missing, missing or there)


def _why_no_gpu(machine: Machine) -> str:
    if machine.gpu is not None:
        return ""
    if machine.cuda_version is None:
        return f"needs a CUDA GPU, and PyTorch {machine.torch_version} is built without CUDA"
    return f"needs a CUDA GPU, and none is in use (PyTorch is built for {machine.cuda_version})"


def _why_no_compiler(machine: Machine) -> str:
    if machine.compiler is None:
        return "needs a C++ compiler (g++, or the one that CXX names), and none was found"
    if machine.gpu is not None and machine.triton_version is None:
        return "needs the package triton"
    return ""


def _why_no_tensorrt(machine: Machine) -> str:
    """Each torch-tensorrt is built for one minor version of PyTorch and numbered like it."""
    version = machine.torch_tensorrt_version
    wanted = minor(machine.torch_version)
    if version is None:
        return f"needs the package torch-tensorrt {wanted[0]}.{wanted[1]}"
    if minor(version) != wanted:
        return f"torch-tensorrt {version} does not fit PyTorch {machine.torch_version}"
    return ""


def _why_no_xformers(machine: Machine) -> str:
    if machine.xformers_version is None:
        return "needs the package xformers"
    lowest, highest = _XFORMERS_CAPABILITIES
    if machine.gpu is not None and not lowest <= machine.gpu.capability <= highest:
        of_gpu = ".".join(map(str, machine.gpu.capability))
        return f"its kernels are for compute capability 7.5 to 9.0, {machine.gpu.name} has {of_gpu}"
    return ""


def _xformers_kernels(machine: Machine) -> str:
    if machine.gpu is None or machine.gpu.capability < _FLASH_3_FROM:
        return "the kernels that PyTorch has too"
    return f"FlashAttention 3 for head sizes {_FLASH_3_HEADS}"
