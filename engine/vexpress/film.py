"""A film whose whole sound is there before its first frame, at any frame rate."""

from fractions import Fraction
from pathlib import Path

from engine.api import Picture
from engine.audio import Sound, Waveform
from engine.video import FilmWriter


class RatedFilmWriter(FilmWriter):
    """Writes so many frames a second, the sound beside them."""

    def __init__(
        self, target: Path, size: tuple[int, int], sound: Sound, frame_rate_hz: Fraction
    ) -> None:
        height, width = size
        super().__init__(target, width, height, sound, frame_rate_hz)
        self._samples_per_frame = sound.rate_hz / frame_rate_hz
        self._shown = 0

    def write_beside(self, picture: Picture, waveform: Waveform, *, last: bool) -> None:
        """Add the next frame and the part of the whole `waveform` that it is seen with.

        The last frame takes all that is left.
        """
        start, end = (
            round(frame * self._samples_per_frame) for frame in (self._shown, self._shown + 1)
        )
        heard = waveform[:, start : None if last else end]
        if heard.shape[1]:
            self.write_sound(heard)
        self.write_picture(picture)
        self._shown += 1
