"""When an engine that falls behind should leave frames out instead of chasing them. Pure."""

from collections import deque
from statistics import median

from engine.config import TIMING

_DURATIONS = 3


class Pursuit:
    """Watches how late frames are, and how long the engine takes for each.

    An engine that shares its time among too many loses a little with every frame. Let alone it
    would paint pictures that come too late to be shown until nothing moves any more; begun again
    near the present before the first of them it shows fewer pictures, evenly. The median of three
    durations counts: one that only stumbled is fast afterwards and catches up by itself. Engines
    that finish frames in chunks are left alone: for them a new beginning is expensive.
    """

    def __init__(self, chunk_frames: int, now_s: float) -> None:
        self._is_nimble = chunk_frames == 1
        self._took_s: deque[float] = deque(maxlen=_DURATIONS)
        self._last_s = now_s

    def restart(self, now_s: float) -> None:
        """The engine begins again."""
        self._last_s = now_s

    def is_hopeless(self, needed_s: float, now_s: float, limit_s: float) -> bool:
        """Note a frame that was ready `needed_s` after its due time, where `limit_s` is too late.

        Whether the one after it would be too late, and all that follow.
        """
        self._took_s.append(now_s - self._last_s)
        self._last_s = now_s
        loses_s = median(self._took_s) - TIMING.frame_s
        is_sure = self._is_nimble and len(self._took_s) == _DURATIONS
        return is_sure and loses_s > 0 and needed_s + loses_s > limit_s
