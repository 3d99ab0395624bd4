"""A film at any frame rate; the live engine has but one."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from engine.api import Picture
from engine.audio import Sound, Waveform
from engine.video import FilmWriter


class RatedFilmWriter(FilmWriter):
    """Writes so many frames a second, the sound beside them."""

    def __init__(
        self, target: Path, size: tuple[int, int], sound: Sound, frame_rate_hz: Fraction
    ) -> None:
        height, width = size
        super().__init__(target, width, height, sound)
        self._frame_s = 1 / frame_rate_hz
        self._shown = 0

    def write_beside(self, picture: Picture, waveform: Waveform, *, last: bool) -> None:
        """Add the next frame and the part of the whole `waveform` that it is seen with.

        The last frame takes all that is left.
        """
        edges = [
            round(frame * self._frame_s * self._sound.rate_hz)
            for frame in (self._shown, self._shown + 1)
        ]
        heard = waveform[:, edges[0] : None if last else edges[1]]
        if heard.shape[1]:
            self.write_sound(heard)
        self.write_picture(picture)
        self._shown += 1

    def _add_video(self) -> av.VideoStream:
        stream = super()._add_video()
        stream.codec_context.framerate = 1 / self._frame_s
        stream.codec_context.time_base = self._frame_s
        return stream

    def _encode_picture(self, picture: Picture) -> None:
        inside = np.ascontiguousarray(picture[: self._height, : self._width])
        frame = av.VideoFrame.from_ndarray(inside, "rgb24").reformat(
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            threads=1,
        )
        frame.pts, frame.time_base = self._pictures, self._frame_s
        self._pictures += 1
        self._container.mux(self._video.encode(frame))
