"""Calls through a TURN server that nobody here wrote: coturn, with our time-limited credentials.

TURNSERVER names the program where it is not on the path; on Debian it comes with `coturn`.
"""

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from aioice.ice import get_host_addresses
from aiortc import RTCConfiguration, RTCIceServer, RTCIceTransportPolicy, RTCPeerConnection

from streamer.ice import IceSettings
from streamer.service import EngineParts, ServiceSettings
from tests.streamer.conftest import running_server
from tests.streamer.visitor import visit

SECRET = "north"
RELAYS = "50400", "50499"
READY_WITHIN_S = 20

pytestmark = [pytest.mark.slow]


def free_udp_port(host: str) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def turnserver() -> str:
    """The program's path; skips, saying why, where there is none."""
    path = shutil.which(os.environ.get("TURNSERVER", "turnserver"))
    if path is None:
        pytest.skip("no relay test: no turnserver on the path (TURNSERVER may name one; coturn)")
    return path


@pytest.fixture
async def relay(turnserver: str, tmp_path: Path) -> AsyncIterator[str]:
    """A running relay; yields its host and port."""
    host = get_host_addresses(use_ipv4=True, use_ipv6=False)[0]
    port = free_udp_port(host)
    flags = {
        "listening-ip": host,
        "relay-ip": host,
        "listening-port": port,
        "min-port": RELAYS[0],
        "max-port": RELAYS[1],
        "realm": "vexpress.example",
        "static-auth-secret": SECRET,
        "userdb": tmp_path / "users",
        "pidfile": tmp_path / "pid",
        "log-file": tmp_path / "log",
    }
    words = [f"--{name}={value}" for name, value in flags.items()]
    switches = ["--use-auth-secret", "--no-tls", "--no-dtls", "--no-cli", "--fingerprint", "-n"]
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        turnserver, *words, *switches, stdout=quiet, stderr=quiet
    )
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            await until_it_listens(host, port)
        yield f"{host}:{port}"
    finally:
        process.kill()
        await process.wait()


async def until_it_listens(host: str, port: int) -> None:
    """The same port takes TCP, which tells at once."""
    while True:
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        writer.close()
        return


def relayed(settings: ServiceSettings, relay: str, secret: str = SECRET) -> ServiceSettings:
    turn = f"turn:{relay}?transport=udp"
    return replace(settings, ice=IceSettings(turn=(turn,), turn_secret=secret, relay_only=True))


async def network_of(url: str) -> RTCConfiguration:
    """What the server tells a browser to use."""
    async with httpx.AsyncClient(base_url=url) as http:
        told = (await http.get("/v1/ice-servers")).json()
    return RTCConfiguration(
        iceServers=[RTCIceServer(**server) for server in told["ice_servers"]],
        iceTransportPolicy=RTCIceTransportPolicy(told["ice_transport_policy"]),
    )


def candidate_types(connection: RTCPeerConnection) -> set[str]:
    descriptions = (connection.localDescription.sdp, connection.remoteDescription.sdp)
    lines = "\n".join(descriptions).splitlines()
    return {line.split(" typ ")[1].split()[0] for line in lines if line.startswith("a=candidate")}


async def test_sound_and_pictures_flow_through_nothing_but_the_relay(
    settings: ServiceSettings, parts: EngineParts, relay: str
) -> None:
    async with (
        running_server(relayed(settings, relay), parts) as url,
        visit(url, network=await network_of(url)) as visitor,
    ):
        await visitor.connect()
        await visitor.wait_for(lambda: len(visitor.video) > 20 and len(visitor.audio) > 40)
        assert candidate_types(visitor.connection) == {"relay"}


async def test_a_relay_that_refuses_us_is_a_refusal_with_a_reason(
    settings: ServiceSettings, parts: EngineParts, relay: str
) -> None:
    async with (
        running_server(relayed(settings, relay, "south"), parts) as url,
        visit(url) as visitor,
    ):
        answer = await visitor.offer()
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "no_udp_port"


async def test_a_stun_server_tells_us_where_we_are_seen(
    settings: ServiceSettings, parts: EngineParts, relay: str
) -> None:
    open_to_all = replace(settings, ice=IceSettings(stun=(f"stun:{relay}",)))
    async with running_server(open_to_all, parts) as url, visit(url) as visitor:
        await visitor.connect()
        assert "srflx" in candidate_types(visitor.connection)


async def test_a_stun_server_that_is_silent_keeps_nobody_waiting_for_long(
    settings: ServiceSettings, parts: EngineParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamer.connection.GATHER_WITHIN_S", 0.05)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        stun = f"stun:127.0.0.1:{silent.getsockname()[1]}"
        deaf = replace(settings, ice=IceSettings(stun=(stun,)))
        async with running_server(deaf, parts) as url, visit(url) as visitor:
            async with asyncio.timeout(4):  # aioice alone waits for five seconds
                answer = await visitor.offer()
    assert answer.status_code == 201
    assert "a=candidate:" in answer.text
