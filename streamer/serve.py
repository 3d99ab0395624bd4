"""From settings to a running server, and back to nothing."""

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import uvicorn

from engine.api import AvatarError
from streamer.app import build_app
from streamer.certificate import self_signed_certificate
from streamer.client_address import is_loopback
from streamer.redaction import Redacting
from streamer.service import EngineParts, Service, ServiceSettings

log = logging.getLogger(__name__)
WEB_FOLDER = Path(__file__).parents[1] / "web_client"
_GRACE_S = 3
_MAX_MESSAGE_BYTES = 4 * 2**20  # two minutes of speech at once
_WEB_LOGGER = "uvicorn.error"  # which it also uses when nothing is wrong
_BACKLOG = 128
_THREADS_PER_SESSION = 2  # sound and picture are encoded at the same time
_SPARE_THREADS = 2
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class AddressInUseError(AvatarError):
    """Somebody else listens there, or the address is not ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to listen."""

    host: str = "127.0.0.1"
    port: int = 8010
    self_signed: bool = False


class _Server(uvicorn.Server):
    """Leaves signals to `serve`, which must close sessions before the process ends."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def run(
    address: Address,
    settings: ServiceSettings,
    parts: EngineParts,
    announce: Callable[[str], None],
) -> None:
    """Serve until a signal comes. Raises `AddressInUseError` and `BadPictureError`."""
    asyncio.run(serve(address, settings, parts, announce))


async def serve(
    address: Address,
    settings: ServiceSettings,
    parts: EngineParts,
    announce: Callable[[str], None],
) -> None:
    """Serve until the task is cancelled or a signal comes; `announce` gets the address."""
    if not is_loopback(address.host) and not settings.web.tokens.roles:
        log.warning(
            "%s is open to everyone who can reach this machine: expected --tokens-file, or "
            "VEXPRESS_TOKEN_SPEAK and the like",
            address.host,
        )
    with _listen(address) as listener:
        service = Service(settings, parts)
        server = _Server(_configure(address, settings, service))
        url = _url(address, listener)
        _use_own_executor(settings.sessions.max_sessions)
        with stopped_by_signals(server, service, settings.drain_s):
            await _serve_and_warm_up(server, service, listener, lambda: announce(url))


async def _serve_and_warm_up(
    server: uvicorn.Server,
    service: Service,
    listener: socket.socket,
    announce: Callable[[], None],
) -> None:
    async def prepare() -> None:
        await service.running.wait()
        await service.warm_up()
        announce()
        await service.fill_shelf()

    serving = asyncio.create_task(server.serve([listener]))
    preparing = asyncio.create_task(prepare())
    try:
        await asyncio.wait([serving, preparing], return_when=asyncio.FIRST_COMPLETED)
        if preparing.done() and not server.should_exit:
            preparing.result()  # a bad default portrait ends it here
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        preparing.cancel()
        await asyncio.gather(serving, preparing, return_exceptions=True)


def _configure(address: Address, settings: ServiceSettings, service: Service) -> uvicorn.Config:
    _keep_tokens_out_of_log()
    config = uvicorn.Config(
        build_app(service, WEB_FOLDER),
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        ws="websockets-sansio",
        ws_per_message_deflate=False,  # pictures do not shrink, and the event loop would compress
        ws_max_size=_MAX_MESSAGE_BYTES,
        timeout_graceful_shutdown=_GRACE_S,
    )
    if address.self_signed:
        folder = settings.data_folder / "tls"
        made = self_signed_certificate(folder, address.host, datetime.now(UTC))
        config.ssl_certfile, config.ssl_keyfile = made.certificate_path, made.key_path
    return config


def _keep_tokens_out_of_log() -> None:
    """The web server writes down the address of each websocket, with its query."""
    logger = logging.getLogger(_WEB_LOGGER)
    if not any(isinstance(each, Redacting) for each in logger.filters):
        logger.addFilter(Redacting())


@contextmanager
def _listen(address: Address) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with listener:
        try:
            listener.bind((address.host, address.port))
        except OSError as error:
            where = f"{address.host}:{address.port}"
            reason = (error.strerror or str(error)).lower()
            raise AddressInUseError(
                f"cannot listen on {where} ({reason}): expected a free address, see --port"
            ) from error
        listener.listen(_BACKLOG)
        yield listener


def _url(address: Address, listener: socket.socket) -> str:
    host = f"[{address.host}]" if ":" in address.host else address.host
    scheme = "https" if address.self_signed else "http"
    return f"{scheme}://{host}:{listener.getsockname()[1]}"


def _use_own_executor(max_sessions: int) -> None:
    """Encoders run in the loop's default executor: give them threads that nothing else takes."""
    count = _THREADS_PER_SESSION * max_sessions + _SPARE_THREADS
    executor = ThreadPoolExecutor(count, thread_name_prefix="encode")
    asyncio.get_running_loop().set_default_executor(executor)


@contextmanager
def stopped_by_signals(server: uvicorn.Server, service: Service, drain_s: float) -> Iterator[None]:
    """SIGINT stops at once; SIGTERM lets sessions end first, and a second one does not wait."""
    loop = asyncio.get_running_loop()
    draining: list[asyncio.Task[None]] = []

    def stop() -> None:
        server.should_exit = True

    async def drain() -> None:
        log.info("draining for up to %g s", drain_s)
        await service.sessions.drain(drain_s)
        stop()

    def terminate() -> None:
        if draining:
            stop()
        else:
            draining.append(asyncio.create_task(drain(), name="drain"))

    loop.add_signal_handler(signal.SIGINT, stop)
    loop.add_signal_handler(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        for task in draining:
            task.cancel()
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
