"""The latency benchmark as pictures."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks.scenarios import Outcome
from benchmarks.timing import values

_GOAL_MS = 250
_SKEW_BOUNDS_MS = (-60, 45)


def plot(outcomes: Mapping[str, Outcome], folder: Path) -> list[Path]:
    """Draw two PNGs into a folder; their paths are returned."""
    # matplotlib takes a second to import and is an optional dependency.
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    names = list(outcomes)
    spread = Figure(figsize=(10, 6))
    lips, skew = spread.subplots(2, 1, sharex=True)
    lips.boxplot([values(outcomes[name].events, "lips_ms") for name in names], whis=(5, 95))
    lips.axhline(_GOAL_MS, linestyle=":")
    lips.set_ylabel("microphone to lips, ms")
    skew.boxplot([values(outcomes[name].events, "skew_ms") for name in names], whis=(5, 95))
    for bound in _SKEW_BOUNDS_MS:
        skew.axhline(bound, linestyle=":")
    skew.set_ylabel("lips after sound, ms")
    skew.set_xticks(range(1, len(names) + 1), names)
    course = Figure(figsize=(10, 2 * len(names)))
    for name, axes in zip(names, np.atleast_1d(course.subplots(len(names), 1)), strict=True):
        pictures_s = outcomes[name].pictures_s
        axes.plot(pictures_s[1:] - pictures_s[:1], np.diff(pictures_s) * 1000, linewidth=0.7)
        axes.set_ylabel(f"{name}\ngap, ms")
    paths = [folder / "latency.png", folder / "latency_gaps.png"]
    for figure, path in zip((spread, course), paths, strict=True):
        FigureCanvasAgg(figure)
        figure.savefig(path, dpi=100)
    return paths
