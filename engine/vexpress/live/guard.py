"""No visitor sees a frame that went wrong: the last good one is shown in its place."""

from engine.api import Picture


class PictureGuard:
    """Remembers the last good picture of one stream and counts what it had to replace."""

    def __init__(self, first: Picture) -> None:
        self._good = first
        self.repaired_frames = 0

    def pass_on(self, picture: Picture, *, shown: bool) -> Picture:
        """`picture`, or the last good one where it cannot be shown."""
        if shown:
            self._good = picture
        else:
            self.repaired_frames += 1
        return self._good
