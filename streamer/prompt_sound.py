"""A visitor's sound is decoded where it arrives, in place of aiortc's thread.

A packet of Opus takes less time than handing it to a thread and back, and a voice is mono. Who does
not listen keeps nothing waiting: aiortc's queue has no end.
"""

import asyncio
import logging
from fractions import Fraction
from queue import Queue
from typing import Any

import av
from aiortc import RTCRtpReceiver
from av.frame import Frame

from engine.config import TIMING
from streamer.jitter import UnsupportedAiortcError, check_aiortc

log = logging.getLogger(__name__)
MAX_WAITING_PACKETS = 50  # a second of sound that nobody took
QUEUE_NAME = "_RTCRtpReceiver__decoder_queue"


class PromptDecoder(Queue[Any]):
    """Stands where aiortc lets packets wait for its thread, which only waits for the end now."""

    def __init__(self, heard: "asyncio.Queue[Frame]") -> None:
        super().__init__()
        self._heard = heard
        decoder = av.CodecContext.create("libopus", "r")
        assert isinstance(decoder, av.AudioCodecContext)
        decoder.format, decoder.layout, decoder.sample_rate = "s16", "mono", TIMING.wire_rate_hz
        self._decoder = decoder

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Decode a packet; None, the end, goes to the thread."""
        if item is None:
            super().put(None)
            return
        _, encoded = item
        if not encoded.data:  # padding: the decoder would take it for the end
            return
        packet = av.Packet(encoded.data)
        packet.pts, packet.time_base = encoded.timestamp, Fraction(1, TIMING.wire_rate_hz)
        try:
            frames = self._decoder.decode(packet)
        except av.FFmpegError as error:
            log.debug("a packet of sound cannot be decoded: %s", error)
            return
        for frame in frames:
            if self._heard.qsize() < MAX_WAITING_PACKETS:
                self._heard.put_nowait(frame)


def decode_promptly(receiver: RTCRtpReceiver) -> None:
    """Give a receiver of Opus our decoder, before its first packet; if there are any."""
    check_aiortc()
    track = getattr(receiver, "_track", None)
    if track is None:
        return
    heard = getattr(track, "_queue", None)
    if heard is None or not hasattr(receiver, QUEUE_NAME):
        raise UnsupportedAiortcError(
            f"RTCRtpReceiver has no track with a queue, or no {QUEUE_NAME}"
        )
    setattr(receiver, QUEUE_NAME, PromptDecoder(heard))
