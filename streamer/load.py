"""What sessions cost on this machine, measured while they run."""

import os
import time
from collections.abc import Callable
from statistics import median

from engine.config import TIMING
from streamer.admission import Costs

USUAL_STREAMING_S = 0.005  # a frame of 512 x 512 as VP8 with its sound, until it is measured
_SLOW = 0.1  # weight of a new second; the first ten weigh alike, so that a bad start is outvoted
_MAX_READINGS = 1000


def cores() -> int:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class LoadMeter:
    """Slow estimates: the median of a second counts, so that one hiccup turns nobody away.

    With `engine_inside` the engines run in this very process, and their time is taken off its own.
    """

    def __init__(
        self, *, engine_inside: bool, cpu_s: Callable[[], float] = time.process_time
    ) -> None:
        self._cpu_s = cpu_s
        self._engine_inside = engine_inside
        self._engine_s: float | None = None
        self._streaming_s = USUAL_STREAMING_S
        self._seconds = 0
        self._readings_s: list[float] = []
        self._films_s: list[float] = []
        self._last_cpu_s = cpu_s()

    @property
    def costs(self) -> Costs:
        """The present estimates; an engine that was not heard of yet costs nothing."""
        return Costs(self._engine_s or 0.0, self._streaming_s)

    def rendered(self, engine_s: float) -> None:
        """A frame took so long in its engine."""
        if len(self._readings_s) < _MAX_READINGS:
            self._readings_s.append(engine_s)

    def film_took(self, engine_s: float, cpu_s: float) -> None:
        """A film spent so much; callable from any thread. No visitor costs that."""
        self._films_s.append(engine_s if self._engine_inside else cpu_s)

    def second_over(self, sessions: int, seconds: float) -> None:
        """Take in what was measured in the last `seconds`, with so many sessions live."""
        spent_s = self._cpu_s() - self._last_cpu_s
        self._last_cpu_s += spent_s
        readings_s, self._readings_s = self._readings_s, []
        films_s, self._films_s = self._films_s, []
        if readings_s:
            usual_s = median(readings_s)
            known_s = self._engine_s or 0.0
            self._seconds += 1
            weight = max(_SLOW, 1 / self._seconds)
            self._engine_s = known_s + weight * (usual_s - known_s)
        if sessions and seconds > 0:
            inside_s = sum(readings_s) if self._engine_inside else 0.0
            frames = sessions * seconds / TIMING.frame_s
            streaming_s = max(0.0, spent_s - inside_s - sum(films_s)) / frames
            self._streaming_s += _SLOW * (streaming_s - self._streaming_s)
