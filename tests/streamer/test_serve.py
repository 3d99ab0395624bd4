import asyncio
import os
import signal
import socket
import threading
import time
from dataclasses import replace

import httpx
import numpy as np
import pytest

from engine.api import BadPictureError, Engine, NoFaceError, Picture, PortraitOptions
from streamer.serve import Address, AddressInUseError, serve
from streamer.service import EngineParts, ServiceSettings
from streamer.tokens import Role, Tokens
from streamer.web_settings import WebSettings
from tests.fakes import FakeAvatar, FakeEngine
from tests.streamer.conftest import running_server


async def test_a_port_in_use_is_said_in_one_line(
    settings: ServiceSettings, parts: EngineParts
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(AddressInUseError, match=f"127.0.0.1:{port}"):
            await serve(Address(port=port), settings, parts, print)


async def test_a_bad_default_portrait_ends_the_start(
    settings: ServiceSettings, parts: EngineParts
) -> None:
    def black() -> dict[str, Picture]:
        return {"black": np.zeros((9, 9, 3), np.uint8)}

    announced: list[str] = []
    with pytest.raises(NoFaceError):
        await serve(Address(port=0), settings, replace(parts, portraits=black), announced.append)
    assert announced == []


async def test_a_portrait_file_that_cannot_be_read_ends_the_start(
    settings: ServiceSettings, parts: EngineParts
) -> None:
    def unreadable() -> dict[str, Picture]:
        raise BadPictureError("nothing.png: no such file")

    with pytest.raises(BadPictureError, match="no such file"):
        await serve(Address(port=0), settings, replace(parts, portraits=unreadable), print)


async def test_another_bad_portrait_is_left_out(
    settings: ServiceSettings, parts: EngineParts, caplog: pytest.LogCaptureFixture
) -> None:
    def mixed() -> dict[str, Picture]:
        return {
            name: np.full((9, 9, 3), level, np.uint8)
            for name, level in (("good", 9), ("black", 0), ("also good", 8))
        }

    async with (
        running_server(settings, replace(parts, portraits=mixed)) as url,
        httpx.AsyncClient(base_url=url) as http,
        asyncio.timeout(10),
    ):
        while len((await http.get("/v1/avatars")).json()["avatars"]) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert "portrait black is skipped" in caplog.text


async def test_it_answers_while_it_warms_up(settings: ServiceSettings, parts: EngineParts) -> None:
    gate = threading.Event()

    def load_slowly() -> Engine:
        gate.wait(20)
        return FakeEngine()

    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    urls: asyncio.Queue[str] = asyncio.Queue()
    slow = replace(parts, load=load_slowly)
    serving = asyncio.create_task(serve(Address(port=port), settings, slow, urls.put_nowait))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        async with asyncio.timeout(20):
            await asyncio.sleep(0.2)
            assert (await http.get("/healthz")).status_code == 200
            assert (await http.get("/readyz")).status_code == 503
            gate.set()
            await urls.get()
        assert (await http.get("/readyz")).status_code == 200
    os.kill(os.getpid(), signal.SIGINT)
    async with asyncio.timeout(20):
        await serving


async def test_https_with_a_certificate_of_our_own(
    settings: ServiceSettings, parts: EngineParts
) -> None:
    urls: asyncio.Queue[str] = asyncio.Queue()
    address = Address(port=0, self_signed=True)
    serving = asyncio.create_task(serve(address, settings, parts, urls.put_nowait))
    async with asyncio.timeout(20):
        url = await urls.get()
        assert url.startswith("https://")
        async with httpx.AsyncClient(base_url=url, verify=False) as http:
            assert (await http.get("/healthz")).status_code == 200
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def test_stopping_while_portraits_are_prepared_is_no_error(
    settings: ServiceSettings, parts: EngineParts
) -> None:
    class SlowEngine(FakeEngine):
        prepared = 0

        def prepare(self, picture: Picture, options: PortraitOptions) -> FakeAvatar:
            self.prepared += 1
            time.sleep(0.3 if self.prepared > 1 else 0)
            return super().prepare(picture, options)

    engine = SlowEngine()

    def many() -> dict[str, Picture]:
        return {str(level): np.full((9, 9, 3), level, np.uint8) for level in range(1, 6)}

    def stop(_: str) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    slow = replace(parts, portraits=many, load=lambda: engine)
    await serve(Address(port=0), settings, slow, stop)
    assert 1 <= engine.prepared < 5


@pytest.mark.parametrize(
    ("host", "tokens", "is_warned"),
    [("0.0.0.0", {}, True), ("0.0.0.0", {"00": Role.SPEAK}, False), ("127.0.0.1", {}, False)],
)
async def test_an_open_server_on_a_network_is_warned_of(
    settings: ServiceSettings,
    parts: EngineParts,
    caplog: pytest.LogCaptureFixture,
    host: str,
    tokens: dict[str, Role],
    is_warned: bool,
) -> None:
    guarded = replace(settings, web=WebSettings(tokens=Tokens(tokens)))
    with socket.socket() as taken:  # so that it warns and goes no further
        taken.bind((host, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(AddressInUseError):
            await serve(Address(host=host, port=port), guarded, parts, print)
    assert ("open to everyone" in caplog.text) == is_warned
