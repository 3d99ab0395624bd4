"""A stream of the engine, run in a worker thread for one session."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import av
import cv2
import numpy as np

from engine.api import Frame, Samples, Stream, Unit
from engine.config import TIMING
from streamer.handoff import DropOldest
from streamer.worker import Worker

HANDOFF_CAPACITY_UNITS = 12
_RGB_AXES = 3


@dataclass(frozen=True, slots=True)
class Rendered:
    """A unit's picture, ready for an encoder."""

    generation: int
    index: int
    picture: av.VideoFrame
    engine_s: float  # what the engine took for it


def to_planes(picture: Frame) -> Frame:
    """RGB [height, width, 3] to the I420 planes that encoders want; planes stay as they are."""
    if picture.ndim != _RGB_AXES:
        return picture
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420), np.uint8)


def to_video_frame(picture: Frame) -> av.VideoFrame:
    """What the video track takes. Planes made here need no copy; an engine may reuse its own."""
    planes = picture.copy() if picture.ndim != _RGB_AXES else to_planes(picture)
    return av.VideoFrame.from_numpy_buffer(planes, format="yuv420p")


class Performance:
    """Posts a session's samples to the worker and hands back what the engine paints.

    `receive` and `fail` are called on the event loop.
    """

    def __init__(
        self,
        worker: Worker,
        stream: Stream,
        receive: Callable[[Rendered], None],
        fail: Callable[[Exception], None],
    ) -> None:
        self._worker = worker
        self._stream = stream
        self._generation: int | None = None
        self._held: Samples = np.empty(0, np.float32)
        self._wanted_samples = 0
        self._begin(None)
        self._rendered: DropOldest[Rendered] = DropOldest(HANDOFF_CAPACITY_UNITS, receive)
        self._failures: DropOldest[Exception] = DropOldest(1, fail)

    @property
    def dropped_units(self) -> int:
        """Units that the event loop was too late to take."""
        return self._rendered.dropped

    @property
    def repaired_frames(self) -> int:
        """Frames that went wrong in the engine and were replaced there."""
        return self._stream.repaired_frames

    def push(self, samples: Samples) -> bool:
        """Queue samples; False when the queue is full.

        As much at a time as gives one unit: with less no engine can do anything, and each push is a
        question to another process and a turn among all sessions; with more the first unit would
        wait for the last, and so would those of the others.
        """
        self._held = np.concatenate([self._held, samples])
        while len(self._held) >= self._wanted_samples:
            ready, self._held = np.split(self._held, [self._wanted_samples])
            generation, self._generation = self._generation, None
            self._wanted_samples = TIMING.samples_per_frame
            job = partial(self._push, generation, ready)
            if not self._worker.post(self, partial(self._guard, job)):
                return False
        return True

    def restart(self, generation: int) -> None:
        """Drop what is queued; what follows belongs to `generation`."""
        self._worker.forget(self)
        self._begin(generation)

    async def aclose(self) -> None:
        """Stop computing and release the stream."""
        self._rendered.close()
        self._failures.close()
        self._worker.forget(self)
        await self._worker.run(self, self._stream.close)

    def _begin(self, generation: int | None) -> None:
        """Reset with the next push, which must bring what the first unit looks ahead, too."""
        self._generation = generation
        self._held = np.empty(0, np.float32)
        look_ahead_samples = self._stream.look_ahead_frames * TIMING.samples_per_frame
        self._wanted_samples = look_ahead_samples + TIMING.samples_per_frame

    def _push(self, generation: int | None, samples: Samples) -> None:
        if generation is not None:
            self._stream.reset(generation)
        begin_s = time.perf_counter()
        units = self._stream.push(samples)
        engine_s = (time.perf_counter() - begin_s) / max(1, len(units))
        for unit in units:
            self._rendered.put_from_thread(_rendered(unit, engine_s))

    def _guard(self, job: Callable[[], object]) -> None:
        try:
            job()
        except Exception as error:  # noqa: BLE001  ends this session, not the worker
            self._failures.put_from_thread(error)


def _rendered(unit: Unit, engine_s: float) -> Rendered:
    return Rendered(unit.epoch, unit.frame_index, to_video_frame(unit.picture), engine_s)
