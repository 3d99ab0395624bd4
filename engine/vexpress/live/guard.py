"""No visitor sees a frame that went wrong: the last good one is shown in its place."""

from engine.api import Frame
from engine.stream.blend import blend_pictures, fade_in

_FADE_FRAMES = 2  # from what stood in to what is good again


class PictureGuard:
    """Remembers what one stream showed last and counts what it had to replace."""

    def __init__(self, first: Frame) -> None:
        self._first = first
        self._weights = [float(weight) for weight in fade_in(_FADE_FRAMES)]
        self.repaired_frames = 0
        self.reset()

    def reset(self) -> None:
        """Forget every frame but the first, and go on counting."""
        self._last = self._stand_in = self._first
        self._faded_frames = _FADE_FRAMES

    def pass_on(self, frame: Frame, *, shown: bool) -> Frame:
        """`frame`, or the last good one where it cannot be shown.

        The first good ones after that are blended in over what stood in for them.
        """
        if not shown:
            self.repaired_frames += 1
            self._stand_in, self._faded_frames = self._last, 0
            return self._last
        if self._faded_frames < _FADE_FRAMES:
            frame = blend_pictures(self._stand_in, frame, self._weights[self._faded_frames])
            self._faded_frames += 1
        self._last = frame
        return frame
