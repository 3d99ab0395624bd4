"""What the app serves, without HTTP: engine, avatars and sessions, started and stopped together."""

import asyncio
import gc
import logging
import secrets
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np

from engine.api import Avatar, BadPictureError, Engine, Picture, PortraitOptions, StreamOptions
from engine.config import TIMING
from streamer.avatars import Avatars
from streamer.ice import IceSettings
from streamer.live_metrics import LiveNumbers
from streamer.metrics import Metrics
from streamer.remote.messages import EngineGoneError
from streamer.sessions import DrainingError, SessionRules, Sessions
from streamer.studio import Crew, Lane, NotReadyError, Studio
from streamer.udp_ports import bound_to
from streamer.viewers import Viewers
from streamer.web_settings import WebSettings

log = logging.getLogger(__name__)
_SEED_BITS = 31
_WARM_RUNS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineParts:
    """What the program that starts the server knows about the engine."""

    name: str
    load: Callable[[], Engine]
    read_picture: Callable[[bytes], Picture]
    portraits: Callable[[], dict[str, Picture]]  # the first one is the default


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """How the service behaves; frozen, read once at the edge."""

    data_folder: Path
    portrait: PortraitOptions = field(default_factory=PortraitOptions)
    sessions: SessionRules = field(default_factory=SessionRules)
    drain_s: float = 30.0  # that running sessions get when the server is told to stop
    badge: bool = True
    seed: int | None = None  # None: each session has its own
    expression_strength: float = 1.0
    ice: IceSettings = field(default_factory=IceSettings)
    web: WebSettings = field(default_factory=WebSettings)
    crew: Crew = field(default_factory=Crew)


class Service:
    """Owns the studio, the avatars and the sessions."""

    def __init__(self, settings: ServiceSettings, parts: EngineParts) -> None:
        self.settings = settings
        self.parts = parts
        self.ready = False
        self.running = asyncio.Event()
        self.metrics = Metrics()
        self.studio = Studio(settings.portrait, settings.crew, self.metrics.engine_restarts.inc)
        self.avatars = Avatars(self.studio, settings.data_folder / "avatars", parts.read_picture)
        self.viewers = Viewers()
        self.sessions = Sessions(
            self.studio,
            self.metrics,
            settings.sessions,
            settings.ice,
            self._stream_options,
        )
        self.metrics.watch(LiveNumbers(self.sessions, self.studio))
        self._unprepared: list[tuple[str, Picture]] = []
        self._owned = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._owned.enter_context(bound_to(self.settings.ice.udp_ports))
        self._owned.enter_context(self.studio)
        self._owned.push_async_callback(self.avatars.aclose)
        self._owned.push_async_callback(self.sessions.aclose)
        self._owned.push_async_callback(self.viewers.aclose)
        watching = asyncio.create_task(self.sessions.watch_load(), name="load meter")
        self._owned.callback(watching.cancel)
        self.running.set()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.ready = False
        await self._owned.aclose()

    def check_ready(self) -> None:
        """Raise what keeps visitors out: loading, restarting, stopping."""
        if self.sessions.is_draining:
            raise DrainingError("the server stops: no new session, ask another server")
        if not self.ready:
            self.metrics.refused.labels("not_ready").inc()
            raise NotReadyError("the engine is still being loaded: try again in a few seconds")
        if not self.studio.is_ready:
            self.metrics.refused.labels("engine_restarts").inc()
            raise EngineGoneError("the engine process is being restarted: try again in a moment")

    async def warm_up(self) -> None:
        """Load the engine and the default avatar, then be ready. Raises `BadPictureError`."""
        # Portraits first: a wrong file name need not wait for the models.
        portraits = await self.studio.at_desk(self.parts.portraits)
        await self.studio.load(self.parts.load)
        (name, picture), *self._unprepared = portraits.items()
        entry = await self.avatars.add_builtin(name, picture)
        for lane in self.studio.lanes:
            await self._rehearse(lane, entry.avatar)
        gc.collect()
        gc.freeze()  # what lives as long as the server need not be looked at after each session
        self.ready = True

    async def fill_shelf(self) -> None:
        """Prepare all other avatars, while visitors are served already."""
        for name, picture in self._unprepared:
            try:
                await self.avatars.add_builtin(name, picture)
            except BadPictureError as error:
                log.warning("portrait %s is skipped: %s", name, error)
        await self.avatars.load_uploads()

    async def _rehearse(self, lane: Lane, avatar: Avatar) -> None:
        """Pay for everything that happens only once before the first visitor comes."""
        stream = await self.studio.open_in(lane, avatar, self._stream_options())
        frames = 2 + stream.look_ahead_frames
        silence = np.zeros(frames * TIMING.samples_per_frame, np.float32)
        took_s = []
        for _ in range(1 + _WARM_RUNS):
            begin_s = time.perf_counter()
            units = await lane.worker.run(self, lambda: stream.push(silence))
            took_s.append((time.perf_counter() - begin_s) / max(1, len(units)))
        frame_s = min(took_s[1:])  # whatever else the machine does makes it only longer
        self.sessions.load.rendered(frame_s)
        self.sessions.load.second_over(0, 0.0)
        if frame_s > TIMING.frame_s:
            log.warning(
                "the engine needs %.0f ms a frame on this machine, real time leaves it %.0f: "
                "pictures will stand still, sound will not",
                frame_s * 1000,
                TIMING.frame_s * 1000,
            )
        await lane.worker.run(self, stream.close)

    def _stream_options(self) -> StreamOptions:
        seed = self.settings.seed
        return StreamOptions(
            seed=secrets.randbits(_SEED_BITS) if seed is None else seed,
            expression_strength=self.settings.expression_strength,
            badge=self.settings.badge,
            planes=True,
        )
