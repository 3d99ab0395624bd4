"""What a receiver's buffer alone adds to a microphone: aiortc's own beside ours.

The same packets, at the same simulated times, go through both. No sockets, no clocks: exact, and
over in a moment.
"""

import heapq
import random

import numpy as np
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtp import RtpPacket

from benchmarks.curves import Floats
from benchmarks.relay import Weather
from engine.config import TIMING
from streamer.jitter import ReorderWindow

_PACKETS = 3000  # a minute
_PACKET_S = TIMING.packet_ms / 1000
_CAPACITY, _PREFETCH = 16, 4  # aiortc's numbers for sound


def held_ms(weather: Weather, seed: int = 0) -> dict[str, Floats]:
    """How long each packet was held by either buffer, in milliseconds."""
    arrivals = _arrivals(weather, seed)
    stock, ours = JitterBuffer(capacity=_CAPACITY, prefetch=_PREFETCH), ReorderWindow()
    held: dict[str, list[float]] = {"aiortc": [], "ours": []}
    came_s: dict[int, float] = {}
    for now_s, number in arrivals:
        came_s[number] = now_s
        packet = _packet(number)
        _, frame = stock.add(packet)
        if frame is not None:
            held["aiortc"].append(now_s - came_s[frame.timestamp // TIMING.wire_samples_per_packet])
        for ready in ours.add(_packet(number), now_s):
            held["ours"].append(now_s - came_s[ready.sequence_number])
    return {name: 1000 * np.array(values) for name, values in held.items()}


def _arrivals(weather: Weather, seed: int) -> list[tuple[float, int]]:
    chance = random.Random(seed)
    queue: list[tuple[float, int]] = []
    for number in range(_PACKETS):
        if number and chance.random() < weather.loss:
            continue
        heapq.heappush(queue, (number * _PACKET_S + chance.uniform(*weather.delay_s), number))
    return [heapq.heappop(queue) for _ in range(len(queue))]


def _packet(number: int) -> RtpPacket:
    packet = RtpPacket(
        sequence_number=number, timestamp=number * TIMING.wire_samples_per_packet, marker=1
    )
    packet._data = bytes(1)  # type: ignore[attr-defined]
    return packet
