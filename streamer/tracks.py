"""Thin aiortc tracks: they send what the stage releases, when it is released."""

import asyncio
from collections import deque
from fractions import Fraction
from typing import Generic, TypeVar

import av
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av.video.frame import PictureType

from engine.config import TIMING
from streamer.resample import DELAY_WIRE_SAMPLES
from streamer.stage import Sight, Sound
from streamer.voice_encoder import LOOK_AHEAD_SAMPLES

F = TypeVar("F", av.AudioFrame, av.VideoFrame)
VIDEO_CLOCK_HZ = 90_000
_VIDEO_TICKS_PER_FRAME = VIDEO_CLOCK_HZ // TIMING.frame_rate_hz
VOICE_DELAY_S = (LOOK_AHEAD_SAMPLES + DELAY_WIRE_SAMPLES) / TIMING.wire_rate_hz
_AUDIO_CAPACITY_PACKETS = 10
_VIDEO_CAPACITY_FRAMES = 2
REPEAT_EVERY_SLOTS = 5  # while nothing new comes: who joins or lost a packet needs one


class ReleasedTrack(MediaStreamTrack, Generic[F]):
    """Frames wait here only while the encoder is busy; when full, the oldest goes."""

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self._frames: deque[F] = deque(maxlen=capacity)
        self._changed = asyncio.Event()
        self.dropped = 0
        self.first_s: float | None = None  # media time of the first frame that was taken

    async def recv(self) -> F:
        """Wait for the next frame."""
        while not self._frames:
            if self.readyState != "live":
                raise MediaStreamError
            self._changed.clear()
            await self._changed.wait()
        frame = self._frames.popleft()
        if self.first_s is None and frame.pts is not None and frame.time_base is not None:
            self.first_s = float(frame.pts * frame.time_base)
        return frame

    def stop(self) -> None:
        """End the track and whoever waits on it."""
        super().stop()
        self._frames.clear()
        self._changed.set()

    def _put(self, frame: F) -> None:
        if self.readyState == "live":
            self.dropped += len(self._frames) == self._frames.maxlen
            self._frames.append(frame)
            self._changed.set()


class VoiceTrack(ReleasedTrack[av.AudioFrame]):
    """Sound out: 20 ms of 48 kHz mono per packet."""

    kind = "audio"
    rate_hz = TIMING.wire_rate_hz

    @property
    def origin_s(self) -> float | None:
        """Media time of what a decoder plays at time stamp 0; known once something was sent.

        The encoder counts from its first packet, and sound is late in it by two filters.
        """
        return None if self.first_s is None else self.first_s - VOICE_DELAY_S

    def __init__(self) -> None:
        super().__init__(_AUDIO_CAPACITY_PACKETS)

    def release(self, sound: Sound) -> None:
        """Send one packet now."""
        frame = av.AudioFrame.from_ndarray(sound.samples[None, :], format="s16", layout="mono")
        frame.sample_rate = TIMING.wire_rate_hz
        frame.time_base = Fraction(1, TIMING.wire_rate_hz)
        frame.pts = sound.wire_index
        self._put(frame)


class FaceTrack(ReleasedTrack[av.VideoFrame]):
    """Pictures out; their time stamps follow from the sample index of their sound."""

    kind = "video"
    rate_hz = VIDEO_CLOCK_HZ

    @property
    def origin_s(self) -> float | None:
        """Media time of time stamp 0, once something was sent."""
        return None if self.first_s is None else 0.0

    def __init__(self) -> None:
        super().__init__(_VIDEO_CAPACITY_FRAMES)

    def release(self, sight: Sight[av.VideoFrame]) -> None:
        """Send one picture now, but one that was sent before only seldom."""
        if sight.stands_slots % REPEAT_EVERY_SLOTS:
            return
        frame = sight.picture if sight.picture.pts is None else _copy(sight.picture)
        frame.pict_type = PictureType.NONE  # a repeated picture may have been a key frame
        frame.time_base = Fraction(1, VIDEO_CLOCK_HZ)
        frame.pts = sight.slot * _VIDEO_TICKS_PER_FRAME
        self._put(frame)


def _copy(frame: av.VideoFrame) -> av.VideoFrame:
    """A frame of its own for a repeated picture: the first may still be waiting for the encoder."""
    return av.VideoFrame.from_numpy_buffer(frame.to_ndarray(), format=frame.format.name)
