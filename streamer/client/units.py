"""Puts packets of `/v1/stream` together again: frame by frame, picture and sound."""

from dataclasses import dataclass
from fractions import Fraction

import av
import cv2
import numpy as np

from engine.api import Picture, Samples
from streamer.wire import CLOCK_HZ, TICKS_PER_FRAME, Codec, Kind, Packet

_FULL_SCALE = 32_768
# A picture that did not come while sound ran ahead by so much was left out.
PATIENCE_FRAMES = 5


@dataclass(frozen=True, slots=True)
class TalkUnit:
    """One frame, 40 ms."""

    frame: int  # counted through the session
    epoch: int
    picture: Picture | None  # [height, width, 3] RGB; None if it was left out for a slow reader
    samples: Samples  # [1920] at 48 kHz
    dropped_pictures: int  # of the whole session so far


class SoundTimeline:
    """Sound in order; gaps become silence."""

    def __init__(self, codec: Codec, pre_skip: int) -> None:
        self._decoder: av.AudioCodecContext | None = None
        if codec is Codec.OPUS:
            context = av.CodecContext.create("libopus", "r")
            assert isinstance(context, av.AudioCodecContext)
            context.sample_rate, context.layout = CLOCK_HZ, "mono"
            self._decoder = context
        self._pre_skip = pre_skip
        self._held = np.empty(0, np.float32)
        self._begin: int | None = None  # tick of the first held sample

    def push(self, packet: Packet) -> None:
        """Take a packet."""
        samples = self._decoded(packet.payload)
        if self._begin is None:
            self._begin = packet.pts
            samples = samples[self._pre_skip :]
        else:
            gap = packet.pts - self._pre_skip - self._begin - len(self._held)
            if gap > 0:
                self._held = np.concatenate([self._held, np.zeros(gap, np.float32)])
        self._held = np.concatenate([self._held, samples])

    def has(self, frame: int) -> bool:
        """Whether a frame's sound is complete."""
        end = (frame + 1) * TICKS_PER_FRAME
        return self._begin is not None and self._begin + len(self._held) >= end

    def take(self, frame: int) -> Samples:
        """A frame's sound [1920]; earlier sound is forgotten, missing sound is silent."""
        begin = frame * TICKS_PER_FRAME
        held_from = begin if self._begin is None else self._begin
        if held_from > begin:
            silence = np.zeros(held_from - begin, np.float32)
            self._held = np.concatenate([silence, self._held])
        skipped = max(0, begin - held_from)
        taken = self._held[skipped : skipped + TICKS_PER_FRAME]
        self._held = self._held[skipped + TICKS_PER_FRAME :]
        self._begin = begin + TICKS_PER_FRAME
        return np.pad(taken, (0, TICKS_PER_FRAME - len(taken))).astype(np.float32)

    def _decoded(self, payload: bytes) -> Samples:
        if self._decoder is None:
            return np.asarray(np.frombuffer(payload, "<i2") / np.float32(_FULL_SCALE), np.float32)
        packet = av.Packet(payload)
        packet.time_base = Fraction(1, CLOCK_HZ)
        pieces = [_to_float(frame) for frame in self._decoder.decode(packet)]
        return np.concatenate([np.empty(0, np.float32), *pieces])


class PictureDecoder:
    """Pictures in order."""

    def __init__(self, codec: Codec) -> None:
        self._decoder: av.VideoCodecContext | None = None
        if codec is Codec.H264:
            context = av.CodecContext.create("h264", "r")
            assert isinstance(context, av.VideoCodecContext)
            context.thread_count = 1
            self._decoder = context

    def decode(self, payload: bytes) -> Picture | None:
        """RGB [height, width, 3]; None for bytes that show nothing yet."""
        if self._decoder is None:
            rows = cv2.imdecode(np.frombuffer(payload, np.uint8), cv2.IMREAD_COLOR)
            if rows is None:
                return None
            return np.asarray(cv2.cvtColor(rows, cv2.COLOR_BGR2RGB), np.uint8)
        frames = self._decoder.decode(av.Packet(payload))
        return np.asarray(frames[-1].to_ndarray(format="rgb24"), np.uint8) if frames else None


class UnitAssembler:
    """Gives units out in order, without a hole."""

    def __init__(self, sound: SoundTimeline, pictures: PictureDecoder) -> None:
        self._sound = sound
        self._decoder = pictures
        self._pictures: dict[int, Picture | None] = {}
        self._epochs: dict[int, int] = {}
        self._next: int | None = None
        self._newest = -1
        self._dropped = 0

    def push(self, packet: Packet) -> list[TalkUnit]:
        """Take a packet; the units that are now whole."""
        if self._next is None:
            self._next = packet.frame
        self._dropped = packet.dropped
        if packet.kind is Kind.SOUND:
            self._sound.push(packet)
            self._newest = max(self._newest, packet.frame)
        else:
            self._pictures[packet.frame] = self._decoder.decode(packet.payload)
        self._epochs[packet.frame] = packet.epoch
        return self._ready()

    def finish(self) -> list[TalkUnit]:
        """Nothing more comes: what is left."""
        first, last = self._next or 0, max([self._newest, *self._pictures])
        return [self._take(frame) for frame in range(first, last + 1)]

    def _ready(self) -> list[TalkUnit]:
        assert self._next is not None
        units: list[TalkUnit] = []
        while self._sound.has(self._next) and (
            self._next in self._pictures or self._newest >= self._next + PATIENCE_FRAMES
        ):
            units.append(self._take(self._next))
        return units

    def _take(self, frame: int) -> TalkUnit:
        self._next = frame + 1
        epoch = self._epochs.pop(frame, 0)
        picture = self._pictures.pop(frame, None)
        for old in [number for number in self._pictures if number <= frame]:
            del self._pictures[old]
        return TalkUnit(frame, epoch, picture, self._sound.take(frame), self._dropped)


def _to_float(frame: av.AudioFrame) -> Samples:
    planes = frame.to_ndarray().reshape(-1)
    if planes.dtype == np.int16:
        return np.asarray(planes / np.float32(_FULL_SCALE), np.float32)
    return np.asarray(planes, np.float32)
