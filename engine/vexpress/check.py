"""Compare this program with stored results: `python -m engine.vexpress.check DIR`.

One line a file. Exit code 0: all agree; 1: one differs; 2: none differs, but one could not be
understood, or there was nothing to check. Sizes, lengths and seeds are read from the files.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from engine.api import AvatarError
from engine.vexpress.check_networks import NETWORK_KINDS
from engine.vexpress.check_pipeline import PIPELINE_KINDS
from engine.vexpress.check_training import TRAINING_KINDS
from engine.vexpress.goldens import Comparison, Runner, check_cases, read_golden

GOLDEN_KINDS: dict[str, Runner] = {**NETWORK_KINDS, **PIPELINE_KINDS, **TRAINING_KINDS}
GOLDEN_SUFFIXES = (".safetensors", ".json")
# Files that hold tensors in a way that goldens do not; others are for people.
OTHER_SUFFIXES = (".bin", ".ckpt", ".npy", ".npz", ".pkl", ".pt", ".pth")
ALL_AGREE, ONE_DIFFERS, NOT_UNDERSTOOD = 0, 1, 2
SMALLEST = 1e-30  # stands for a tolerance of zero where one divides by it


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came out for one file."""

    file: str
    comparisons: tuple[Comparison, ...] = ()
    problem: str = ""  # why it was not understood

    @property
    def exit_code(self) -> int:
        """The exit code if this were the only file."""
        if self.problem:
            return NOT_UNDERSTOOD
        return ALL_AGREE if all(item.passed for item in self.comparisons) else ONE_DIFFERS

    @property
    def worst(self) -> Comparison:
        """The comparison closest to its tolerance, or furthest beyond it."""
        return max(self.comparisons, key=_severity)

    def line(self) -> str:
        """One line for a person."""
        if self.problem:
            return f"{self.file:<40} not understood: {self.problem}"
        worst, failed = self.worst, sum(not item.passed for item in self.comparisons)
        result = f"FAIL ({failed}, worst {worst.name})" if failed else "pass"
        return (
            f"{self.file:<40} max {max(item.max_difference for item in self.comparisons):8.1e}  "
            f"relative {worst.relative_difference:8.1e}  tolerance {worst.tolerance:8.1e}  "
            f"{len(self.comparisons):4} tensors  {result}"
        )


def check_file(path: Path) -> Verdict:
    """Run the golden at `path`."""
    try:
        golden = read_golden(path)
        if golden.kind not in GOLDEN_KINDS:
            return Verdict(path.name, problem=f"kind {golden.kind!r} is not known")
        check_cases(golden)
        comparisons = tuple(GOLDEN_KINDS[golden.kind](golden))
    except AvatarError as error:
        return Verdict(path.name, problem=_first_line(error))
    except Exception as error:  # noqa: BLE001  whatever a file makes a runner raise, it is the file
        return Verdict(path.name, problem=f"{type(error).__name__}: {_first_line(error)}")
    if not comparisons:
        return Verdict(path.name, problem="it stores nothing to compare with")
    return Verdict(path.name, comparisons)


def golden_files(folder: Path) -> list[Path]:
    """Files of `folder` that should be goldens, by name; its sub-folders hold weights."""
    suffixes = (*GOLDEN_SUFFIXES, *OTHER_SUFFIXES)
    return sorted(
        path for path in folder.iterdir() if path.suffix in suffixes and not path.is_dir()
    )


def exit_code(verdicts: Iterable[Verdict]) -> int:
    """A difference weighs more than a file that was not understood."""
    codes = {verdict.exit_code for verdict in verdicts}
    if ONE_DIFFERS in codes:
        return ONE_DIFFERS
    return NOT_UNDERSTOOD if NOT_UNDERSTOOD in codes or not codes else ALL_AGREE


def _main(folder: Annotated[Path, typer.Argument(help="A folder of golden files.")]) -> None:
    """Compare this program with the results stored in a folder."""
    if not folder.is_dir():
        typer.echo(f"{folder}: there is no such folder", err=True)
        raise typer.Exit(NOT_UNDERSTOOD)
    verdicts = []
    for path in golden_files(folder):
        verdicts.append(check_file(path))
        typer.echo(verdicts[-1].line())
    if not verdicts:
        typer.echo(f"{folder}: there are no goldens in it", err=True)
    raise typer.Exit(exit_code(verdicts))


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _severity(item: Comparison) -> float:
    """How many tolerances it is off; not a number counts as infinitely many."""
    tolerances = item.relative_difference / max(item.tolerance, SMALLEST)
    return math.inf if math.isnan(tolerances) else tolerances


if __name__ == "__main__":
    typer.run(_main)
