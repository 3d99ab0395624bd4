"""A receiving side that adds as little delay as it can, and notes when everything came.

aiortc's own buffers hold sound back by 82 ms and every picture by one frame. Here sound is passed
on packet by packet and a picture as soon as its last packet, which carries the marker bit, is
there. What remains on this side is the decoder's thread and one turn of the event loop.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from aiortc import RTCRtpReceiver
from aiortc.codecs.vpx import Vp8Decoder
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtp import RtpPacket
from av import AudioFrame, VideoFrame
from numpy.typing import NDArray

from benchmarks.curves import Curve, Floats
from engine.api import Picture
from engine.config import TIMING

_SEQUENCE_NUMBERS = 1 << 16
_WINDOW_PACKETS = 128  # a gap older than this is given up
_HOP_SAMPLES = TIMING.wire_rate_hz * 5 // 1000
_FULL_SCALE = 32768
_BUFFER_NAME = "_RTCRtpReceiver__jitter_buffer"


@dataclass(slots=True)
class PromptPictures:
    """Takes the place of aiortc's jitter buffer; keeps the film, still encoded, when asked to."""

    keeps: bool = True
    passes_on: bool = True  # to the decoder
    film: list[JitterFrame] = field(default_factory=list)
    arrived_s: list[float] = field(default_factory=list)
    lost: int = 0
    _waiting: dict[int, RtpPacket] = field(default_factory=dict)
    _next: int | None = None
    _source: int = 0

    def missing(self) -> tuple[int, list[int]]:
        """Whose packets these are, and which are missing before the newest."""
        if self._next is None or not self._waiting:
            return self._source, []
        ahead = max(map(self._ahead, self._waiting))
        numbers = [(self._next + offset) % _SEQUENCE_NUMBERS for offset in range(ahead)]
        return self._source, [number for number in numbers if number not in self._waiting]

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        """Take a packet; the answer is whether a key frame is needed, and a whole picture."""
        if self._next is None:
            self._next, self._source = packet.sequence_number, packet.ssrc
        if self._ahead(packet.sequence_number) >= _SEQUENCE_NUMBERS // 2:
            return False, self._pass_on(self._take_whole())  # a duplicate, or too late
        self._waiting[packet.sequence_number] = packet
        gives_up = len(self._waiting) > _WINDOW_PACKETS
        if gives_up:
            self._skip_gap()
        return gives_up, self._pass_on(self._take_whole())

    def has_whole(self) -> bool:
        """Whether one more picture is complete: what came late lets several go."""
        return self._whole() is not None

    def _pass_on(self, whole: JitterFrame | None) -> JitterFrame | None:
        return whole if self.passes_on else None

    def _ahead(self, number: int) -> int:
        assert self._next is not None
        return (number - self._next) % _SEQUENCE_NUMBERS

    def _skip_gap(self) -> None:
        """Forget what came before the newest packet: a key frame is asked for anyway."""
        self.lost += 1
        newest = max(self._waiting, key=self._ahead)
        self._waiting = {newest: self._waiting[newest]}
        self._next = newest

    def _take_whole(self) -> JitterFrame | None:
        found = self._whole()
        return None if found is None else self._release(*found)

    def _whole(self) -> tuple[list[RtpPacket], int] | None:
        """The packets of the next picture and the number after them, if all are there."""
        parts: list[RtpPacket] = []
        number = self._next
        while number in self._waiting:
            parts.append(self._waiting[number])
            number = (number + 1) % _SEQUENCE_NUMBERS
            if parts[-1].marker:
                return parts, number
        return None

    def _release(self, parts: list[RtpPacket], following: int) -> JitterFrame:
        for part in parts:
            del self._waiting[part.sequence_number]
        self._next = following
        data = b"".join(part._data for part in parts)  # type: ignore[attr-defined]
        whole = JitterFrame(data, parts[0].timestamp)
        self.arrived_s.append(time.monotonic())
        if self.keeps:
            self.film.append(whole)
        return whole


def replace_buffer(receiver: RTCRtpReceiver, buffer: PromptPictures) -> None:
    """Give a receiver of pictures a buffer of ours, before its first packet.

    aiortc takes one picture for each packet that comes. After a gap was filled several are
    complete; they would stay behind by as many for the rest of the call.
    """
    if not hasattr(receiver, _BUFFER_NAME):
        raise RuntimeError(f"RTCRtpReceiver has no {_BUFFER_NAME}: expected aiortc 1.16")
    setattr(receiver, _BUFFER_NAME, buffer)
    handle_packet = receiver._handle_rtp_packet

    async def handle(packet: RtpPacket, arrival_time_ms: int) -> None:
        await handle_packet(packet, arrival_time_ms)
        while buffer.has_whole():
            await handle_packet(packet, arrival_time_ms)

    receiver._handle_rtp_packet = handle  # type: ignore[method-assign]


def developed(film: Iterable[JitterFrame]) -> Iterator[Picture]:
    """The pictures of a VP8 film once more, [height, width, 3] RGB each."""
    decoder = Vp8Decoder()
    for encoded in film:
        for frame in decoder.decode(encoded):
            if isinstance(frame, VideoFrame):
                yield frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)


@dataclass(slots=True)
class HeardSound:
    """Sound packets as they came out of the decoder."""

    decoded_s: list[float] = field(default_factory=list)
    media_s: list[float] = field(default_factory=list)
    packets: list[NDArray[np.int16]] = field(default_factory=list)

    def add(self, frame: AudioFrame, now_s: float) -> None:
        """Note a decoded packet; the left channel stands for both."""
        assert frame.pts is not None
        channels = len(frame.layout.channels)
        self.decoded_s.append(now_s)
        self.media_s.append(frame.pts / TIMING.wire_rate_hz)
        self.packets.append(frame.to_ndarray().reshape(-1, channels)[:, 0].astype(np.int16))

    def playable_s(self) -> Floats:
        """When each packet can be heard: once decoded, and after the packet before it.

        A server may send the packets of one picture together; the second is then played 20 ms
        after the first. Farther back this does not look: one late packet delays no others.
        """
        decoded, media = np.array(self.decoded_s), np.array(self.media_s)
        after_last = decoded[:-1] + np.diff(media)
        return np.concatenate([decoded[:1], np.maximum(decoded[1:], after_last)])

    def level(self) -> Curve:
        """Loudness over time, 5 ms apart, at the moments it could be heard."""
        return level_curve(self.playable_s(), self.packets)

    def packet_level(self) -> Curve:
        """Loudness of each packet at the moment it came out of the decoder."""
        loud = [float(np.sqrt(np.mean((packet / _FULL_SCALE) ** 2))) for packet in self.packets]
        return Curve(np.array(self.decoded_s), np.array(loud))


def level_curve(begins_s: Floats, packets: list[NDArray[np.int16]]) -> Curve:
    """Loudness (root mean square, 5 ms apart) of packets that begin at given times."""
    times, values = [np.empty(0)], [np.empty(0)]
    for begin_s, packet in zip(begins_s, packets, strict=True):
        hops = packet.reshape(-1, _HOP_SAMPLES).astype(np.float64) / _FULL_SCALE
        times.append(begin_s + np.arange(len(hops)) * _HOP_SAMPLES / TIMING.wire_rate_hz)
        values.append(np.sqrt(np.mean(hops**2, axis=1)))
    joined = np.concatenate(times)
    order = np.argsort(joined, kind="stable")
    return Curve(joined[order], np.concatenate(values)[order])
