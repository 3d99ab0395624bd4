"""Golden files: stored inputs and outputs of the published model, and how ours compare.

A runner takes one `Golden` and yields a `Comparison` for every stored output. Runners of the
networks are in `check_networks`, those of the pipeline's parts in `check_pipeline`; `check` knows
both by the `kind` that a file states.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from engine.api import AvatarError

NETWORK_TOLERANCE = 1e-5  # relative, float32: ten times what equal float32 programs differ by
DOUBLE_TOLERANCE = 1e-9  # relative, where a file stores float64
WEIGHTS_FOLDER = "weights"
SUFFIXES = (".safetensors", ".json")


class GoldenError(AvatarError):
    """A golden file that cannot be understood."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One stored output against ours."""

    name: str
    max_difference: float  # largest absolute difference
    relative_difference: float  # norm of the difference over norm of the stored output
    tolerance: float  # of the relative difference; 0 where every bit must agree

    @property
    def passed(self) -> bool:
        """Whether it is close enough; never when anything is not a number."""
        return self.relative_difference <= self.tolerance


@dataclass(frozen=True, slots=True)
class Golden:
    """One file: what it says about itself, its cases and its tensors, as stored."""

    path: Path
    kind: str
    meta: Mapping[str, Any]
    tensors: Mapping[str, Tensor]

    @property
    def cases(self) -> list[dict[str, Any]]:
        """The cases; each has at least a `name`."""
        return list(self.meta["cases"])

    def section(self, prefix: str) -> dict[str, Tensor]:
        """Tensors below `prefix/`, by the rest of their names."""
        start = prefix + "/"
        return {
            name.removeprefix(start): tensor
            for name, tensor in self.tensors.items()
            if name.startswith(start)
        }

    def inputs(self, case: str) -> dict[str, Tensor]:
        """Inputs of a case, together with those that all cases share."""
        return self.section("in") | self.section(f"{case}/in")

    def outputs(self, case: str) -> dict[str, Tensor]:
        """What the published model gave."""
        return self.section(f"{case}/out")

    def dtype(self, case: str) -> torch.dtype:
        """In which type to compute: float64 when the outputs are stored so, else float32."""
        stored = {tensor.dtype for tensor in self.outputs(case).values()}
        return torch.float64 if torch.float64 in stored else torch.float32

    def weights_path(self, name: str) -> Path:
        """A file or folder of weights beside this golden."""
        return self.path.parent / WEIGHTS_FOLDER / name


Runner: TypeAlias = Callable[[Golden], Iterator[Comparison]]


def read_golden(path: Path) -> Golden:
    """Read a `.safetensors` golden, or a `.json` one, whose whole content becomes its `meta`."""
    if path.suffix not in SUFFIXES:
        raise GoldenError(f"{path.name}: expected a file ending in {' or '.join(SUFFIXES)}")
    if path.suffix == ".json":
        return _read_json(path)
    meta, tensors = read_described(path)
    if not isinstance(meta.get("kind"), str) or not isinstance(meta.get("cases"), list):
        raise GoldenError(f"{path.name}: says neither its kind nor its cases")
    return Golden(path, meta["kind"], meta, tensors)


def read_described(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """A safetensors file's JSON description (`meta`) and its tensors."""
    try:
        with safe_open(path, framework="pt") as file:
            meta = json.loads((file.metadata() or {}).get("meta", "{}"))
            if not isinstance(meta, dict):
                raise GoldenError(f"{path.name}: its meta is no JSON object")
            return meta, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError, ValueError) as error:
        raise GoldenError(f"{path.name}: not readable ({error})") from error


def check_cases(golden: Golden) -> None:
    """Raise unless every case stores a result and every stored result belongs to a case.

    Otherwise something would pass that was never looked at.
    """
    if not golden.tensors:
        return
    cases: list[Any] = golden.meta["cases"]  # as someone wrote them
    names = [case.get("name") if isinstance(case, dict) else None for case in cases]
    if unnamed := [index for index, name in enumerate(names) if not isinstance(name, str)]:
        raise GoldenError(f"{golden.path.name}: case {unnamed[0]} has no name")
    stored = {name.partition("/out/")[0] for name in golden.tensors if "/out/" in name}
    for sort, odd in (
        ("stores no result", [name for name in names if name not in stored]),
        ("is not among the cases", sorted(stored.difference(names))),
    ):
        if odd:
            raise GoldenError(f"{golden.path.name}: {odd[0]} {sort}")


def compare(
    name: str, ours: Tensor, stored: Tensor, tolerance: float = NETWORK_TOLERANCE
) -> Comparison:
    """Compare in double precision. A wrong shape counts as infinitely far."""
    if ours.shape != stored.shape:
        return Comparison(f"{name} {tuple(ours.shape)}", torch.inf, torch.inf, tolerance)
    wanted, got = stored.double(), ours.detach().to("cpu").double()
    difference = got - wanted
    scale = wanted.norm().item() or 1.0
    largest = difference.abs().max().item() if difference.numel() else 0.0
    return Comparison(name, largest, difference.norm().item() / scale, tolerance)


def network_tolerance(stored: Tensor) -> float:
    """How close a network's output must come, by the type it is stored in."""
    return DOUBLE_TOLERANCE if stored.dtype == torch.float64 else NETWORK_TOLERANCE


def compare_all(golden: Golden, case: str, ours: Mapping[str, Tensor]) -> Iterator[Comparison]:
    """Compare all that a case of a network stores; a name that is not in `ours` is an error."""
    for name, stored in golden.outputs(case).items():
        if name not in ours:
            raise GoldenError(f"{golden.path.name}: {case} stores {name}, which is not known")
        yield compare(f"{case}/{name}", ours[name], stored, network_tolerance(stored))


def compare_exactly(name: str, ours: Tensor, stored: Tensor) -> Comparison:
    """Compare what must agree in every bit: whole numbers, drawings, masks."""
    return compare(name, ours, stored, tolerance=0.0)


def _read_json(path: Path) -> Golden:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise GoldenError(f"{path.name}: not readable ({error})") from error
    kind = content.get("kind") if isinstance(content, dict) else None
    if kind is None and isinstance(content, dict) and "rows" in content:
        kind = "context_windows"  # the only ones that do not say it
    if not isinstance(kind, str):
        raise GoldenError(f"{path.name}: does not say its kind")
    return Golden(path, kind, content, {})
