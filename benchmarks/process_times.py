"""Processor time of a process and all that it started, as Linux counts it."""

import os
from pathlib import Path

_PARENT, _USER, _SYSTEM = 1, 11, 12  # places after the name in /proc/PID/stat


def cpu_s(
    pid: int, processes: Path = Path("/proc"), ticks_per_s: int = os.sysconf("SC_CLK_TCK")
) -> float:
    """Seconds of all cores so far, of `pid` and its descendants that still live."""
    parents, ticks = dict[int, int](), dict[int, int]()
    for folder in processes.glob("[0-9]*"):
        try:
            told = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        number = int(folder.name)
        parents[number] = int(told[_PARENT])
        ticks[number] = int(told[_USER]) + int(told[_SYSTEM])
    family = {pid}
    while more := {one for one, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(ticks.get(one, 0) for one in family) / ticks_per_s
