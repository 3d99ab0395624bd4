"""The engine process: three threads that answer requests until their pipes are closed.

One pushes streams, one prepares and opens, one looks at cameras; the last two give way.
"""

import mmap
import os
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection

import numpy as np

from engine.api import Avatar, Engine, Stream, Unit, Watcher
from streamer.logs import LogFormat, set_up_logging
from streamer.remote.messages import (
    BLOCK_BYTES,
    Acting,
    Close,
    Direct,
    Done,
    Follow,
    Forget,
    Load,
    LookAway,
    More,
    Open,
    Opened,
    PlacedUnit,
    Play,
    Prepare,
    Prepared,
    Push,
    Reply,
    Request,
    Reset,
    See,
    Seen,
    Units,
    Watch,
    Watching,
    failed,
)

_DESK_NICE = 10  # a conversation comes before a new portrait
_EYES_NICE = 5  # and lips before a camera


class EngineHost:
    """Holds the engine and what was made with it, by the numbers that the server gave."""

    def __init__(self, block: mmap.mmap) -> None:
        self._block = np.frombuffer(memoryview(block), np.uint8)
        self._engine: Engine | None = None
        self._avatars: dict[int, Avatar] = {}
        self._streams: dict[int, Stream] = {}
        self._watchers: dict[int, Watcher] = {}
        self._waiting: list[Unit] = []
        self._pushed: Stream | None = None

    def answer(self, request: Request) -> Reply:
        """Do what is asked; raises what the engine raises."""
        match request:
            case Load():
                self._engine = request.load()
                return Done()
            case Prepare() | Forget() | Open():
                return self._at_desk(request)
            case Push() | More():
                return self._compute(request)
            case Reset() | Direct() | Play() | Follow():
                return self._act(request)
            case Watch() | See() | LookAway():
                return self._watch(request)
            case Close():
                self._streams.pop(request.stream).close()
                return Done()

    def _at_desk(self, request: Prepare | Forget | Open) -> Reply:
        if isinstance(request, Forget):
            for number in request.avatars:
                self._avatars.pop(number, None)
            return Done()
        assert self._engine is not None
        if isinstance(request, Prepare):
            avatar = self._engine.prepare(request.picture, request.options)
            self._avatars[request.avatar] = avatar
            return Prepared(avatar.avatar_id, avatar.still)
        stream = self._engine.open(self._avatars[request.avatar], request.options)
        self._streams[request.stream] = stream
        return Opened(stream.look_ahead_frames, stream.chunk_frames)

    def _act(self, request: Reset | Acting) -> Done:
        stream = self._streams[request.stream]
        match request:
            case Reset():
                stream.reset(request.epoch)
            case Direct():
                stream.direct(request.direction)
            case Play():
                stream.gesture(request.gesture)
            case Follow():
                stream.puppet(request.frame)
        return Done()

    def _watch(self, request: Watching) -> Reply:
        if isinstance(request, See):
            watcher = self._watchers[request.watcher]
            return Seen(watcher.see(request.picture, request.time_s), watcher.faces)
        if isinstance(request, LookAway):
            self._watchers.pop(request.watcher).close()
        else:
            assert self._engine is not None
            self._watchers[request.watcher] = self._engine.watch()
        return Done()

    def _compute(self, request: Push | More) -> Units:
        if isinstance(request, Push):
            stream = self._pushed = self._streams[request.stream]
            samples = request.samples
            self._waiting = stream.flush() if samples is None else stream.push(samples)
        assert self._pushed is not None
        placed = self._place()
        return Units(placed, bool(self._waiting), self._pushed.repaired_frames)

    def _place(self) -> tuple[PlacedUnit, ...]:
        placed: list[PlacedUnit] = []
        begin = 0
        while self._waiting and begin + self._waiting[0].picture.size <= len(self._block):
            unit = self._waiting.pop(0)
            end = begin + unit.picture.size
            self._block[begin:end] = unit.picture.reshape(-1)
            shape = unit.picture.shape
            placed.append(PlacedUnit(unit.frame_index, unit.epoch, begin, shape, unit.samples))
            begin = end
        return tuple(placed)


def converse(host: EngineHost, pipe: Connection, leave: Callable[[], None]) -> None:
    """Answer one pipe's requests in order."""
    while True:
        try:
            request: Request = pipe.recv()
        except (EOFError, OSError):
            leave()  # the server is gone, and this process with it
            return
        try:
            reply = host.answer(request)
        except Exception as error:  # noqa: BLE001  it belongs to the one who asked
            reply = failed(error)
        try:
            pipe.send(reply)
        except OSError:
            leave()
            return


def main(live: int, desk: int, eyes: int, block: int, log_level: str, log_format: str) -> None:
    """Run as a process; the numbers are inherited file descriptors."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the server decides when all ends
    set_up_logging(log_level, LogFormat(log_format))
    host = EngineHost(mmap.mmap(block, BLOCK_BYTES))

    def leave() -> None:
        os._exit(0)  # the other thread may sit in a computation that nobody waits for

    def converse_nicely(pipe: int, nice: int) -> None:
        if sys.platform == "linux":  # elsewhere a thread has no priority of its own
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), nice)
        converse(host, Connection(pipe), leave)

    for name, pipe, nice in (("desk", desk, _DESK_NICE), ("eyes", eyes, _EYES_NICE)):
        thread = threading.Thread(target=converse_nicely, args=(pipe, nice), name=name, daemon=True)
        thread.start()
    converse(host, Connection(live), leave)
