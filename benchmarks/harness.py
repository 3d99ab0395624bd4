"""A measurement as data: which machine, which commit, how it was spread; one JSON line at the end.

Results that are kept are appended to `benchmarks/results/`, one file per machine.
"""

import json
import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from rich.console import Console
from rich.table import Table

Value: TypeAlias = float | int | str | bool | None
Values: TypeAlias = Mapping[str, Value | Mapping[str, Value]]

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).with_name("results")
_CPU_INFO = Path("/proc/cpuinfo")
_DECIMALS = 3


@dataclass(frozen=True, slots=True)
class Spread:
    """Percentiles and moments of one quantity; None where nothing was measured."""

    count: int
    mean: float | None
    sd: float | None
    p50: float | None
    p95: float | None
    p99: float | None

    @classmethod
    def of(cls, values: Sequence[float] | np.ndarray[tuple[int], np.dtype[np.float64]]) -> "Spread":
        """The spread of `values`, which may be empty."""
        if not len(values):
            return cls(0, None, None, None, None, None)
        p50, p95, p99 = (float(value) for value in np.percentile(values, [50, 95, 99]))
        return cls(len(values), float(np.mean(values)), float(np.std(values)), p50, p95, p99)


@dataclass(frozen=True, slots=True)
class Result:
    """One benchmark on one machine at one commit."""

    name: str
    device: str
    commit: str
    values: Values

    def line(self) -> str:
        """The result as one line of JSON."""
        head = {"name": self.name, "device": self.device, "commit": self.commit}
        return json.dumps(head | {key: _short(value) for key, value in self.values.items()})

    def record(self, folder: Path = RESULTS) -> Path:
        """Append the line to the machine's own file in `folder`; return that file."""
        folder.mkdir(parents=True, exist_ok=True)
        slug = re.sub(r"[^a-z0-9]+", "-", self.device.lower()).strip("-")
        path = folder / f"{slug}.jsonl"
        with path.open("a", encoding="utf-8") as file:
            file.write(self.line() + "\n")
        return path


def result(name: str, values: Values) -> Result:
    """A result of this machine and this commit, with how busy the machine was besides."""
    busy = {"load_average": os.getloadavg()[0]} if hasattr(os, "getloadavg") else {}
    return Result(name, device_name(), commit_name(), {**values, **busy})


def device_name(cpu_info: Path = _CPU_INFO) -> str:
    """The processor as the system names it, and how many cores this process may use."""
    model = platform.processor() or platform.machine()
    if cpu_info.is_file():
        found = re.search(r"^model name\s*:\s*(.+)$", cpu_info.read_text(), flags=re.MULTILINE)
        model = found.group(1).strip() if found else model
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{model}, {cores} core{'' if cores == 1 else 's'}"


def commit_name(folder: Path = ROOT) -> str:
    """The checked-out commit, with a mark when files differ from it; "none" outside of git."""
    command = ["git", "describe", "--always", "--dirty"]
    try:
        ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "none"
    return ran.stdout.strip() or "none"


def print_spreads(title: str, rows: Mapping[str, Spread]) -> None:
    """Show spreads as a table."""
    table = Table(title=title)
    for heading in ("", "n", "mean", "sd", "p50", "p95", "p99"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, row in rows.items():
        numbers = (row.mean, row.sd, row.p50, row.p95, row.p99)
        table.add_row(name, str(row.count), *("-" if n is None else f"{n:.1f}" for n in numbers))
    Console().print(table)


def finish(outcome: Result, *, record: bool) -> None:
    """Print what there is beside the tables; the JSON line comes last."""
    print(f"{outcome.device} at {outcome.commit}")
    if record:
        print(f"recorded in {outcome.record()}")
    print(outcome.line(), flush=True)


def _short(value: Value | Mapping[str, Value]) -> Value | dict[str, object]:
    if isinstance(value, Mapping):
        return {key: _short(item) for key, item in value.items()}
    return round(value, _DECIMALS) if isinstance(value, float) else value
