import asyncio

import pytest

from benchmarks.relay import (
    Address,
    NoCandidateError,
    Relay,
    Weather,
    first_candidate,
    relaying,
    with_candidate,
)

HOST = "127.0.0.1"
SDP = (
    "m=audio 1 UDP/TLS/RTP/SAVPF 96\r\n"
    "a=candidate:1 1 udp 1 fd00::1 5000 typ host\r\n"
    "a=candidate:2 1 udp 1 127.0.0.1 {port} typ host\r\n"
    "a=candidate:3 1 udp 1 10.0.0.1 7 typ srflx raddr 0.0.0.0 rport 0\r\n"
    "a=end-of-candidates\r\n"
    "a=ice-ufrag:abcd\r\n"
)


class Person(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self.heard.append(data)


async def talk(weather: Weather, *, armed: bool, count: int = 200) -> tuple[list[bytes], Relay]:
    """One peer says numbers; what the other one heard is returned."""
    loop = asyncio.get_running_loop()
    ends = [await loop.create_datagram_endpoint(Person, local_addr=(HOST, 0)) for _ in range(2)]
    (caller, _), (callee, person) = ends
    ports = [end.get_extra_info("sockname")[1] for end, _ in ends]
    async with relaying(weather, seed=4) as relay:
        await relay.offer(SDP.format(port=ports[0]))
        _, port = first_candidate(relay.answer(SDP.format(port=ports[1])))
        relay.armed = armed
        for number in range(count):
            caller.sendto(bytes([number]), (HOST, port))
            await asyncio.sleep(0)
        await asyncio.sleep(0.2)
    for end in (caller, callee):
        end.close()
    return person.heard, relay


async def test_fair_weather_changes_nothing() -> None:
    heard, _ = await talk(Weather(loss=1.0), armed=False)
    assert heard == [bytes([number]) for number in range(200)]


async def test_loss_is_as_announced_and_the_same_every_time() -> None:
    first, relay = await talk(Weather(loss=0.3), armed=True)
    second, _ = await talk(Weather(loss=0.3), armed=True)
    assert first == second
    assert len(first) + relay.lost_packets == 200
    assert relay.lost_packets == pytest.approx(60, abs=25)


async def test_delays_put_packets_out_of_order() -> None:
    heard, _ = await talk(Weather(delay_s=(0.0, 0.05)), armed=True)
    assert sorted(heard) == [bytes([number]) for number in range(200)]
    assert heard != sorted(heard)


def test_one_address_takes_the_place_of_all_others() -> None:
    made = with_candidate(SDP.format(port=9), ("192.0.2.1", 77))
    assert made.count("a=candidate") == 1
    assert first_candidate(made) == ("192.0.2.1", 77)
    with pytest.raises(NoCandidateError):
        first_candidate("v=0\r\n")
