"""Our own inbound audio jitter buffer, in place of aiortc's.

aiortc holds four packets back for good (82 ms) and, after one lost packet, sixteen (282 ms). This
one passes packets on at once while they come in order. For a missing one it waits as long as
packets were lately seen to overtake each other: not at all on most networks, at most 60 ms on any.
Once a loss is given up it is back where it was.
"""

import math
from collections import OrderedDict, deque
from importlib.metadata import version
from typing import Protocol

from aiortc import RTCRtpReceiver
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtp import RtpPacket

TESTED_AIORTC = "1.16"  # the private names below were read in this release
MAX_WAIT_S = 0.06
WINDOW_PACKETS = 8
_MEMORY_S = 10.0  # for how long a network that reorders is remembered
_SLACK_S = 0.005
_SEQUENCE_NUMBERS = 1 << 16
BUFFER_NAME = "_RTCRtpReceiver__jitter_buffer"


class UnsupportedAiortcError(RuntimeError):
    """The installed aiortc is not built the way this program expects."""


def check_aiortc() -> None:
    """Refuse releases whose private parts nobody has read."""
    found = version("aiortc")
    if not found.startswith(f"{TESTED_AIORTC}."):
        raise UnsupportedAiortcError(f"aiortc {found}: expected {TESTED_AIORTC}.*")


class Overtaking:
    """How late packets come after those that should have come behind them."""

    def __init__(self) -> None:
        self._late: deque[tuple[float, float]] = deque()  # when, by how much; falling in lateness

    def note(self, late_s: float, now_s: float) -> None:
        """A packet came this long after one that should have followed it."""
        while self._late and self._late[-1][1] <= late_s:
            self._late.pop()
        self._late.append((now_s, late_s))

    def wait_s(self, now_s: float) -> float:
        """How long a missing packet may still come."""
        while self._late and now_s - self._late[0][0] > _MEMORY_S:
            self._late.popleft()
        return min(self._late[0][1] + _SLACK_S, MAX_WAIT_S) if self._late else 0.0


class ReorderWindow:
    """Puts packets in order; gives up a gap that was waited for, or `WINDOW_PACKETS` behind it."""

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[RtpPacket, float]] = {}
        self._given_up: OrderedDict[int, float] = OrderedDict()  # when its successor came
        self._overtaking = Overtaking()
        self._next: int | None = None
        self._source = 0
        self.lost_packets = 0

    def add(self, packet: RtpPacket, now_s: float) -> list[RtpPacket]:
        """Take a packet; return those whose turn has come, in order."""
        distance = self._distance(packet)
        if distance is None:
            self._begin(packet)
        elif distance < 0:  # a duplicate, or too late
            came_s = self._given_up.pop(packet.sequence_number, None)
            if came_s is not None:
                self._overtaking.note(now_s - came_s, now_s)
            return []
        elif self._waiting and packet.sequence_number == self._next:
            self._overtaking.note(now_s - self._first_came_s, now_s)
        self._waiting[packet.sequence_number] = (packet, now_s)
        ready = self._take_consecutive()
        while self._waiting and self._has_waited_enough(now_s):
            self._give_up_gap()
            ready += self._take_consecutive()
        return ready

    @property
    def _first_came_s(self) -> float:
        return min((came_s for _, came_s in self._waiting.values()), default=math.inf)

    def _begin(self, packet: RtpPacket) -> None:
        self._source, self._next = packet.ssrc, packet.sequence_number
        self._waiting.clear()
        self._given_up.clear()

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
        waited_s = now_s - self._first_came_s
        enough_s = self._overtaking.wait_s(now_s)
        return waited_s >= enough_s or len(self._waiting) >= WINDOW_PACKETS

    def _give_up_gap(self) -> None:
        came_s = self._first_came_s
        while self._next is not None and self._next not in self._waiting:
            self._given_up[self._next] = came_s
            self._next = (self._next + 1) % _SEQUENCE_NUMBERS
            self.lost_packets += 1
        while len(self._given_up) > WINDOW_PACKETS:
            self._given_up.popitem(last=False)


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
    if not hasattr(receiver, BUFFER_NAME):
        raise UnsupportedAiortcError(f"RTCRtpReceiver has no {BUFFER_NAME}")
    window = ReorderWindow()
    handle_in_order = receiver._handle_rtp_packet

    async def handle(packet: RtpPacket, arrival_time_ms: int) -> None:
        for ready in window.add(packet, now_s()):
            await handle_in_order(ready, arrival_time_ms)

    setattr(receiver, BUFFER_NAME, PassOn())
    receiver._handle_rtp_packet = handle  # type: ignore[method-assign]
    return window
