"""Servers to visit, with the fake engine behind them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
from fastapi import FastAPI

from engine.api import Picture, PortraitOptions
from engine.picture import read_picture
from streamer.app import build_app
from streamer.serve import Address, serve
from streamer.service import EngineParts, Service, ServiceSettings
from streamer.sessions import SessionRules
from tests.fakes import FakeEngine

SIZE = 128
START_S = 20


def two_portraits() -> dict[str, Picture]:
    return {name: np.full((64, 64, 3), level, np.uint8) for name, level in (("a", 10), ("b", 20))}


@pytest.fixture
def parts() -> EngineParts:
    return EngineParts(
        name="fake", load=FakeEngine, read_picture=read_picture, portraits=two_portraits
    )


@pytest.fixture
def settings(tmp_path: Path) -> ServiceSettings:
    return ServiceSettings(
        data_folder=tmp_path,
        portrait=PortraitOptions(size=SIZE),
        sessions=SessionRules(max_sessions=2, by_cost=False),
        seed=1,
    )


@asynccontextmanager
async def running_server(settings: ServiceSettings, parts: EngineParts) -> AsyncIterator[str]:
    """The real server on a free port; yields its address."""
    urls: asyncio.Queue[str] = asyncio.Queue()
    serving = asyncio.create_task(serve(Address(port=0), settings, parts, urls.put_nowait))
    try:
        async with asyncio.timeout(START_S):
            url = await urls.get()
        yield url
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


@pytest.fixture
async def server(settings: ServiceSettings, parts: EngineParts) -> AsyncIterator[str]:
    async with running_server(settings, parts) as url:
        yield url


@pytest.fixture
async def service(settings: ServiceSettings, parts: EngineParts) -> AsyncIterator[Service]:
    async with Service(settings, parts) as service:
        await service.warm_up()
        await service.fill_shelf()
        yield service


@pytest.fixture
def web_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "web"
    folder.mkdir()
    (folder / "index.html").write_text("<title>hello</title>")
    return folder


@pytest.fixture
def app(service: Service, web_folder: Path) -> FastAPI:
    return build_app(service, web_folder)


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client
