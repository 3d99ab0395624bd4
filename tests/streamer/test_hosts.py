"""Whom a request must be meant for."""

import socket
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from streamer.app import build_app
from streamer.hosts import name_in, own_names
from streamer.service import EngineParts, Service, ServiceSettings
from streamer.web_settings import WebSettings
from tests.streamer.refusals import assert_error


@pytest.fixture
def app(settings: ServiceSettings, parts: EngineParts, web_folder: Path) -> FastAPI:
    names = own_names("127.0.0.1", ["Avatar.Example", "*.wide.example"])
    web = WebSettings(host_names=names)
    return build_app(Service(replace(settings, web=web), parts), web_folder)


async def asked(app: FastAPI, host: str, path: str = "/v1/config") -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
        return await client.get(f"http://test{path}", headers={"host": host})


@pytest.mark.parametrize(
    "host",
    [
        "localhost:8010",
        "LOCALHOST",
        "localhost.",
        "app.localhost:1",
        "127.0.0.1:8010",
        "[::1]:8010",
        "192.168.1.9:8010",
        "avatar.example",
        "avatar.example:443",
        "a.wide.example",
        "",
    ],
)
async def test_names_of_ours_and_addresses_are_served(app: FastAPI, host: str) -> None:
    assert (await asked(app, host)).status_code == 200
    assert (await asked(app, host, "/")).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "wide.example", "notlocalhost", "127.0.0.1.x"],
)
async def test_other_names_are_refused_with_the_flag_that_helps(app: FastAPI, host: str) -> None:
    for path in ("/v1/config", "/", "/metrics"):
        message = assert_error(await asked(app, f"{host}:80", path), 421, "unknown_host")
        assert host in message
        assert "--allowed-host" in message
    assert (await asked(app, host, "/healthz")).status_code == 200


def test_a_websocket_is_refused_too(app: FastAPI) -> None:
    client = TestClient(app)
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("/v1/stream", headers={"host": "evil.example"}),
    ):
        pass


def test_what_a_server_is_called() -> None:
    machine = socket.gethostname().lower()
    assert own_names("127.0.0.1") == ("localhost", "127.0.0.1")
    assert {machine, f"{machine}.local", "a.b"} <= set(own_names("0.0.0.0", ["A.b"]))
    assert WebSettings(host_names=own_names("::1", ["*", "*.x.y"])).host_names[-1] == "*.x.y"
    assert name_in("[fe80::1%eth0]:80") == "fe80::1%eth0"


@pytest.mark.parametrize("name", ["https://a.example", "a.example:80/", "", "a b", "*x"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="--allowed-host"):
        WebSettings(host_names=(name,))
