"""When an engine that falls behind should leave frames out instead of chasing them. Pure."""

from engine.config import TIMING

STUMBLE_S = 2 * TIMING.frame_s  # lost with a single frame: no matter of its share of time


class Pursuit:
    """Watches how long after its due time each frame is ready.

    An engine that shares its time among too many loses a little with every frame. Let alone it
    would paint pictures that come too late to be shown until nothing moves any more; begun again
    near the present at the first of them it shows fewer pictures, evenly. One that only stumbled
    is closer with each frame and is left alone, and so is one that finishes frames in chunks, for
    which a new beginning is expensive.
    """

    def __init__(self, chunk_frames: int) -> None:
        self._is_nimble = chunk_frames == 1
        self.restart()

    def restart(self) -> None:
        """The engine begins again."""
        self._needed_s: float | None = None
        self._was_in_time = False

    def is_hopeless(self, needed_s: float, is_too_late: bool) -> bool:
        """Note a frame; whether it is too late to be shown, and the next one would be later."""
        before_s = needed_s if self._needed_s is None else self._needed_s
        falls_behind = 0 < needed_s - before_s < STUMBLE_S
        self._needed_s = needed_s
        self._was_in_time |= not is_too_late
        return self._is_nimble and self._was_in_time and is_too_late and falls_behind
