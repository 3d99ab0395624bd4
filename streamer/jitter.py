"""Our own inbound audio jitter buffer, in place of aiortc's.

aiortc holds four packets back for good (82 ms) and, after one lost packet, sixteen (282 ms). This
one passes packets on at once while they come in order, waits briefly for a missing one, and after
a loss is back where it was.
"""

import math
from importlib.metadata import version
from typing import Protocol

from aiortc import RTCRtpReceiver
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtp import RtpPacket

TESTED_AIORTC = "1.16"  # the private names below were read in this release
WAIT_S = 0.045
WINDOW_PACKETS = 8
_SEQUENCE_NUMBERS = 1 << 16
_BUFFER_NAME = "_RTCRtpReceiver__jitter_buffer"


class UnsupportedAiortcError(RuntimeError):
    """The installed aiortc is not built the way this program expects."""


def check_aiortc() -> None:
    """Refuse releases whose private parts nobody has read."""
    found = version("aiortc")
    if not found.startswith(f"{TESTED_AIORTC}."):
        raise UnsupportedAiortcError(f"aiortc {found}: expected {TESTED_AIORTC}.*")


class ReorderWindow:
    """Puts packets in order; a gap is waited for `WAIT_S` or `WINDOW_PACKETS`, then given up."""

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[RtpPacket, float]] = {}
        self._next: int | None = None
        self._source = 0
        self.lost_packets = 0

    def add(self, packet: RtpPacket, now_s: float) -> list[RtpPacket]:
        """Take a packet; return those whose turn has come, in order."""
        distance = self._distance(packet)
        if distance is None:
            self._source, self._next = packet.ssrc, packet.sequence_number
            self._waiting.clear()
        elif distance < 0:
            return []  # a duplicate, or too late
        self._waiting[packet.sequence_number] = (packet, now_s)
        ready = self._take_consecutive()
        while self._waiting and self._has_waited_enough(now_s):
            self._give_up_gap()
            ready += self._take_consecutive()
        return ready

    def _distance(self, packet: RtpPacket) -> int | None:
        """Sequence numbers from the expected one; None when this is a new beginning."""
        if self._next is None or packet.ssrc != self._source:
            return None
        half = _SEQUENCE_NUMBERS // 2
        distance = (packet.sequence_number - self._next + half) % _SEQUENCE_NUMBERS - half
        return distance if abs(distance) < WINDOW_PACKETS * WINDOW_PACKETS else None

    def _take_consecutive(self) -> list[RtpPacket]:
        ready = []
        while self._next is not None and self._next in self._waiting:
            ready.append(self._waiting.pop(self._next)[0])
            self._next = (self._next + 1) % _SEQUENCE_NUMBERS
        return ready

    def _has_waited_enough(self, now_s: float) -> bool:
        first_s = min((came_s for _, came_s in self._waiting.values()), default=math.inf)
        return now_s - first_s >= WAIT_S or len(self._waiting) >= WINDOW_PACKETS

    def _give_up_gap(self) -> None:
        while self._next is not None and self._next not in self._waiting:
            self._next = (self._next + 1) % _SEQUENCE_NUMBERS
            self.lost_packets += 1


class PassOn:
    """Stands where aiortc keeps its jitter buffer: one packet in, one audio frame out."""

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame]:
        """Never asks for a key frame, never holds anything back."""
        return False, JitterFrame(data=packet._data, timestamp=packet.timestamp)  # type: ignore[attr-defined]


class Clock(Protocol):
    """Monotonic seconds."""

    def __call__(self) -> float:
        """Now."""
        ...


def replace_jitter_buffer(receiver: RTCRtpReceiver, now_s: Clock) -> ReorderWindow:
    """Give an audio receiver our buffer, before its first packet."""
    check_aiortc()
    if not hasattr(receiver, _BUFFER_NAME):
        raise UnsupportedAiortcError(f"RTCRtpReceiver has no {_BUFFER_NAME}")
    window = ReorderWindow()
    handle_in_order = receiver._handle_rtp_packet

    async def handle(packet: RtpPacket, arrival_time_ms: int) -> None:
        for ready in window.add(packet, now_s()):
            await handle_in_order(ready, arrival_time_ms)

    setattr(receiver, _BUFFER_NAME, PassOn())
    receiver._handle_rtp_packet = handle  # type: ignore[method-assign]
    return window
