"""Bad weather between two peers: a UDP relay that loses, delays and reorders, the same every time.

Each peer is told the relay's address in place of the other's. Until `armed`, and after it is
disarmed again, packets pass as they come.
"""

import asyncio
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias, cast

Address: TypeAlias = tuple[str, int]

_CANDIDATE = re.compile(
    r"^a=candidate:\S+ 1 udp \d+ (?P<host>\d+\.\d+\.\d+\.\d+) (?P<port>\d+) .*$",
    re.MULTILINE | re.IGNORECASE,
)
_ANY_CANDIDATE = re.compile(r"^a=(candidate:.*|end-of-candidates)\r?\n", re.MULTILINE)
_ICE_USER = re.compile(r"^(a=ice-ufrag:.*\r?\n)", re.MULTILINE)


class NoCandidateError(Exception):
    """A session description names no IPv4 address to send to."""


@dataclass(frozen=True, slots=True)
class Weather:
    """What happens to each packet, in both directions."""

    loss: float = 0.0  # share of packets
    delay_s: tuple[float, float] = (0.0, 0.0)  # between these, each packet for itself

    @property
    def is_fair(self) -> bool:
        """Whether nothing happens at all."""
        return not self.loss and self.delay_s[1] == 0.0


class _Side(asyncio.DatagramProtocol):
    """One end of the relay: what comes in here leaves at the other end."""

    def __init__(self, relay: "Relay", chance: random.Random) -> None:
        self.peer: Address | None = None
        self.other: _Side | None = None
        self._relay = relay
        self._chance = chance
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self.peer = addr
        if self.other is None:
            return
        weather = self._relay.weather
        if not self._relay.armed:
            self.other.send(data)
        elif self._chance.random() >= weather.loss:
            delay_s = self._chance.uniform(*weather.delay_s)
            asyncio.get_running_loop().call_later(delay_s, self.other.send, data)
        else:
            self._relay.lost_packets += 1

    def send(self, data: bytes) -> None:
        """To whoever is on this side."""
        if self._transport is not None and self.peer is not None:
            self._transport.sendto(data, self.peer)

    @property
    def address(self) -> Address:
        assert self._transport is not None
        host, port = self._transport.get_extra_info("sockname")
        return host, port

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Relay:
    """Two sockets, one for each peer."""

    def __init__(self, weather: Weather, seed: int) -> None:
        self.weather = weather
        self.armed = False
        self.lost_packets = 0
        self._near = _Side(self, random.Random(seed))
        self._far = _Side(self, random.Random(seed + 1))
        self._near.other, self._far.other = self._far, self._near

    async def open(self, host: str) -> None:
        """Listen on two free ports of an address."""
        loop = asyncio.get_running_loop()
        for side in (self._near, self._far):
            await loop.create_datagram_endpoint(lambda side=side: side, local_addr=(host, 0))  # type: ignore[misc]

    async def offer(self, sdp: str) -> str:
        """The caller's offer, as the server shall see it."""
        self._near.peer = first_candidate(sdp)
        await self.open(self._near.peer[0])
        return with_candidate(sdp, self._far.address)

    def answer(self, sdp: str) -> str:
        """The server's answer, as the caller shall see it."""
        self._far.peer = first_candidate(sdp)
        return with_candidate(sdp, self._near.address)

    def close(self) -> None:
        """Carry nothing any more."""
        self._near.close()
        self._far.close()


@asynccontextmanager
async def relaying(weather: Weather, seed: int) -> AsyncIterator[Relay]:
    """A relay that lasts as long as the block."""
    relay = Relay(weather, seed)
    try:
        yield relay
    finally:
        relay.close()


def first_candidate(sdp: str) -> Address:
    """The first IPv4 address in a session description. Raises `NoCandidateError`."""
    found = _CANDIDATE.search(sdp)
    if found is None:
        raise NoCandidateError("no IPv4 candidate in the session description")
    return found["host"], int(found["port"])


def with_candidate(sdp: str, address: Address) -> str:
    """A session description in which one address stands in place of all others."""
    host, port = address
    line = f"a=candidate:1 1 udp 2130706431 {host} {port} typ host\r\na=end-of-candidates\r\n"
    return _ICE_USER.sub(lambda found: line + found[1], _ANY_CANDIDATE.sub("", sdp))
