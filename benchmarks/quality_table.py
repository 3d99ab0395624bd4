"""The quality table: what was found, beside what is wanted and what others reach."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.harness import Value
from benchmarks.quality_findings import ClipScore, Findings
from benchmarks.quality_takes import Material
from engine.config import TIMING

OURS, OLDER, LOUDNESS, TRUE = "this engine", "older engine", "loudness", "true films"
_GAIN_OVER_LOUDNESS = 0.35


@dataclass(frozen=True, slots=True)
class Goal:
    """What a number shall lie between."""

    least: float = -np.inf
    most: float = np.inf

    def __str__(self) -> str:
        if np.isinf(self.most):
            return f">= {self.least:g}"
        return f"<= {self.most:g}" if np.isinf(self.least) else f"{self.least:g}-{self.most:g}"

    def reached(self, number: float | None) -> bool:
        """Whether a number is there and lies between the two."""
        return number is not None and self.least <= number <= self.most


GOALS = {
    "opening_r": Goal(0.6),
    "opening_r_over_loudness": Goal(_GAIN_OVER_LOUDNESS),
    "width_r": Goal(0.45),
    "lag_within_1": Goal(0.9),
    "closure_recall": Goal(0.9),
    "closure_false": Goal(most=0.1),
    "silence_ratio": Goal(most=0.02),
    "quiet_ratio": Goal(0.8),
    "seam_ratio": Goal(most=1.3),
    "blinks_per_minute": Goal(8, 25),
    "upper_face_ratio": Goal(0.5, 1.5),
    "head_still_s": Goal(most=2.0),
    "head_max_degrees": Goal(most=10.0),
    "flicker_ratio": Goal(most=1.0),
    "engine_ms_per_frame": Goal(most=12.0),
}


def show(found: Mapping[str, Findings]) -> None:
    """Print every clip, then every number of every column beside its goal."""
    console = Console(width=120)
    console.print(_clips(found[OURS].clips))
    ours = _with_gain(found)
    table = Table("", "goal", *found, "reached", title="Quality, from rendered frames")
    names = dict.fromkeys([*GOALS, *ours])
    for name in names:
        goal = GOALS.get(name)
        row = [_told(ours.get(name))]
        row += [_told(one.numbers.get(name)) for column, one in found.items() if column != OURS]
        reached = ("yes" if goal.reached(ours.get(name)) else "no") if goal else ""
        table.add_row(name, str(goal or ""), *row, reached)
    console.print(table)


def values(found: Mapping[str, Findings], said: Material) -> dict[str, Value]:
    """Everything as one flat mapping for the JSON line."""
    ours = _with_gain(found)
    line: dict[str, Value] = {"clips": len(said.clips)}
    line |= {name: ours.get(name) for name in dict.fromkeys([*GOALS, *ours])}
    cost_ms = ours.get("engine_ms_per_frame")
    line["engine_core_share"] = cost_ms * TIMING.frame_rate_hz / 1000 if cost_ms else None
    suffixes = {OLDER: "older", LOUDNESS: "loudness", TRUE: "true"}
    for column, suffix in suffixes.items():
        numbers = found[column].numbers if column in found else {}
        line |= {f"{name}_{suffix}": number for name, number in numbers.items() if name in GOALS}
    older_ms = line.get("engine_ms_per_frame_older")
    if cost_ms and isinstance(older_ms, float):
        line["engine_ms_over_older"] = cost_ms / older_ms
    return line


def _with_gain(found: Mapping[str, Findings]) -> dict[str, float | None]:
    ours = dict(found[OURS].numbers)
    mine, loud = ours.get("opening_r"), found[LOUDNESS].numbers.get("opening_r")
    ours["opening_r_over_loudness"] = mine - loud if mine is not None and loud is not None else None
    return ours


def _clips(scores: Sequence[ClipScore]) -> Table:
    table = Table("clip", "portrait", "opening r", "best r", "lag", "width r", "amplitude")
    for one in scores:
        table.add_row(
            one.clip,
            one.portrait,
            f"{one.opening.at_once:.2f}",
            f"{one.opening.best:.2f}",
            str(one.opening.best_lag_frames),
            f"{one.width_r:.2f}",
            _told(one.amplitude),
        )
    return table


def _told(number: float | None) -> str:
    return "-" if number is None else f"{number:.3f}"
