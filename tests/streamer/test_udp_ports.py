"""Guards what aiortc and aioice do with ports: they ask the loop for any, and we choose."""

import asyncio
import errno
import re
import socket

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection

from streamer.udp_ports import bound_to

CANDIDATE = re.compile(r"a=candidate:\S+ \d udp \d+ (\S+) (\d+) typ host")


def free_ports(count: int) -> range:
    """Ports in a row that were free a moment ago."""
    for first in range(41_000, 60_000, count):
        sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
        try:
            for offset, each in enumerate(sockets):
                each.bind(("0.0.0.0", first + offset))
        except OSError:
            continue
        else:
            return range(first, first + count)
        finally:
            for each in sockets:
                each.close()
    raise AssertionError("no free ports")


async def candidates() -> list[int]:
    """The ports of a peer that gathers; IPv6 has ports of its own and is left out."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connection.addTransceiver("audio")
    await connection.setLocalDescription(await connection.createOffer())
    found = CANDIDATE.findall(connection.localDescription.sdp)
    await connection.close()
    return [int(port) for address, port in found if ":" not in address]


async def test_candidates_come_from_the_range() -> None:
    ports = free_ports(8)
    with bound_to(ports):
        found = await candidates()
    assert found
    assert set(found) <= set(ports)


async def test_a_range_that_is_full_gives_no_candidates() -> None:
    ports = free_ports(1)
    loop = asyncio.get_running_loop()
    taken, _ = await loop.create_datagram_endpoint(
        asyncio.DatagramProtocol, local_addr=("0.0.0.0", ports[0])
    )
    with bound_to(ports):
        assert await candidates() == []
        with pytest.raises(OSError, match="all in use") as full:
            await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("0.0.0.0", 0))
        assert full.value.errno == errno.EADDRINUSE
    taken.close()


async def test_a_chosen_port_and_an_address_of_others_stay_as_they_are() -> None:
    ports = free_ports(2)
    loop = asyncio.get_running_loop()
    with bound_to(range(ports[0], ports[0] + 1)):
        chosen, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, local_addr=("127.0.0.1", ports[1])
        )
        assert chosen.get_extra_info("sockname")[1] == ports[1]
        with pytest.raises(OSError, match=r".") as foreign:
            await loop.create_datagram_endpoint(
                asyncio.DatagramProtocol, local_addr=("203.0.113.1", 0)
            )
        assert foreign.value.errno == errno.EADDRNOTAVAIL
    chosen.close()


async def test_afterwards_the_loop_is_as_before() -> None:
    loop = asyncio.get_running_loop()
    before = loop.create_datagram_endpoint
    with bound_to(range(50_000, 50_001)):
        assert loop.create_datagram_endpoint != before
    assert loop.create_datagram_endpoint == before
    with bound_to(None):
        assert loop.create_datagram_endpoint == before
