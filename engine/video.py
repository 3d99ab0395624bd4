"""Writes a talking portrait as an mp4: H.264 and AAC, the sound's timing untouched. No torch.

Encoding runs in a thread of its own, so that it overlaps with the engine. The film grows under a
temporary name beside its target, and gets its own name only when it is whole.
"""

import os
import queue
import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from engine.api import AvatarError, Picture
from engine.audio import Sound, Waveform
from engine.config import TIMING

SUFFIX = ".mp4"
LIVE_RATE_HZ = Fraction(TIMING.frame_rate_hz)
WAITING_JOBS = 8  # how far the engine may run ahead of the encoder
ENCODER_THREADS = 1  # the other core belongs to the engine; two threads measured no faster
QUALITY = {"crf": "18", "preset": "veryfast", "profile": "high"}
MAX_BITS_PER_SAMPLE, MAX_BITS_PER_CHANNEL = 4, 128_000  # more than AAC needs to be transparent
COMMENT = "AI-generated talking portrait, made with vexpress-live"


class FilmError(AvatarError):
    """A film that cannot be written."""


class FilmWriter:
    """Writes one film of pictures of one size and their sound; use it in a `with`.

    Leaving the `with` in peace completes the film; leaving it by any exception, Ctrl-C included,
    leaves no file behind. An earlier film of the same name is replaced at the very end.
    """

    def __init__(
        self,
        target: Path,
        width: int,
        height: int,
        sound: Sound,
        frame_rate_hz: Fraction = LIVE_RATE_HZ,
    ) -> None:
        check_target(target)
        self._target = target
        self._partial = target.with_name(f".{target.stem[:80]}.{secrets.token_hex(4)}.part")
        self._width, self._height = width - width % 2, height - height % 2  # 4:2:0 halves both
        self._sound, self._frame_rate_hz = sound, frame_rate_hz
        self._pictures = self._samples = 0
        self._failure: Exception | None = None
        self._is_cancelled = threading.Event()
        self._jobs_wait_when_full: queue.Queue[Callable[[], None] | None] = queue.Queue(
            WAITING_JOBS
        )
        self._thread = threading.Thread(target=self._run, name="film encoder")

    def __enter__(self) -> Self:
        try:
            # The index goes to the front, so that a browser can start before it has everything.
            self._container = av.open(
                str(self._partial.resolve()), "w", "mp4", options={"movflags": "+faststart"}
            )
            self._container.metadata["comment"] = COMMENT
            self._video = self._add_video()
            self._audio = self._add_audio()
            self._container.start_encoding()
        except (av.FFmpegError, OSError) as error:
            self._remove_partial()
            raise FilmError(f"{self._target}: cannot be written ({_reason(error)})") from error
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._stop_thread()
                self._raise_failure()
                self._partial.replace(self._target)
        except OSError as problem:
            raise FilmError(f"{self._target}: cannot be written ({_reason(problem)})") from problem
        finally:
            self._is_cancelled.set()
            self._stop_thread()
            self._remove_partial()

    def write_picture(self, picture: Picture) -> None:
        """Add the next frame [height, width, 3]; waits while the encoder is far behind."""
        self._put(partial(self._encode_picture, picture))

    def write_sound(self, wave: Waveform) -> None:
        """Add the next sound [channels, time] of the rate that `Sound` says."""
        self._put(partial(self._encode_sound, wave))

    def _put(self, job: Callable[[], None]) -> None:
        self._raise_failure()
        self._jobs_wait_when_full.put(job)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            reason = _reason(self._failure)
            raise FilmError(f"{self._target}: cannot be written ({reason})") from self._failure

    def _stop_thread(self) -> None:
        if self._thread.is_alive():
            self._jobs_wait_when_full.put(None)
            self._thread.join()

    def _remove_partial(self) -> None:
        with suppress(OSError):
            self._partial.unlink(missing_ok=True)

    def _add_video(self) -> av.VideoStream:
        stream = self._container.add_stream("libx264", self._frame_rate_hz, options=QUALITY)
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = self._width, self._height, "yuv420p"
        context.thread_count = ENCODER_THREADS
        # Reordered frames would start late in players that ignore edit lists: lips out of sync.
        context.max_b_frames = 0
        context.colorspace, context.color_range = Colorspace.ITU709, ColorRange.MPEG
        context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.IEC61966_2_1
        return stream

    def _add_audio(self) -> av.AudioStream:
        stream = self._container.add_stream("aac", self._sound.rate_hz)
        stream.layout = self._layout
        per_channel = min(MAX_BITS_PER_CHANNEL, MAX_BITS_PER_SAMPLE * self._sound.rate_hz)
        stream.bit_rate = per_channel * self._sound.channels
        return stream

    @property
    def _layout(self) -> str:
        return "mono" if self._sound.channels == 1 else "stereo"

    def _run(self) -> None:
        """Work off the queue; after a failure only empty it, so that nobody waits for ever."""
        while (job := self._jobs_wait_when_full.get()) is not None:
            self._attempt(job)
        self._attempt(self._flush)
        self._close()

    def _attempt(self, step: Callable[[], None]) -> None:
        if self._failure is not None or self._is_cancelled.is_set():
            return
        try:
            step()
        except Exception as error:  # noqa: BLE001  the thread must go on; `_put` raises it
            self._failure = error

    def _flush(self) -> None:
        self._container.mux(self._video.encode(None))
        self._container.mux(self._audio.encode(None))

    def _close(self) -> None:
        try:
            self._container.close()
        except (av.FFmpegError, OSError) as error:
            self._failure = self._failure or error

    def _encode_picture(self, picture: Picture) -> None:
        inside = np.ascontiguousarray(picture[: self._height, : self._width])
        frame = av.VideoFrame.from_ndarray(inside, "rgb24").reformat(
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            threads=1,
        )
        frame.pts, frame.time_base = self._pictures, 1 / self._frame_rate_hz
        self._pictures += 1
        self._container.mux(self._video.encode(frame))

    def _encode_sound(self, wave: Waveform) -> None:
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave), "fltp", self._layout)
        frame.sample_rate, frame.time_base = self._sound.rate_hz, Fraction(1, self._sound.rate_hz)
        frame.pts = self._samples
        self._samples += frame.samples
        self._container.mux(self._audio.encode(frame))


def check_target(target: Path) -> None:
    """Raise `FilmError` if no film could be written there."""
    folder = target.parent
    if target.suffix.lower() != SUFFIX:
        raise FilmError(f"{target}: expected a name ending in {SUFFIX}")
    if not folder.is_dir():
        raise FilmError(f"{target}: the folder {folder} does not exist")
    if target.is_dir():
        raise FilmError(f"{target}: is a folder, expected the name of a file")
    if not os.access(folder, os.W_OK):
        raise FilmError(f"{target}: the folder {folder} may not be written")


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
