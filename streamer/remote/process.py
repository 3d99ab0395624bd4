"""One life of an engine process, seen from the server."""

import json
import mmap
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TypeVar

from engine.api import Engine
from streamer.remote.messages import BLOCK_BYTES, EngineGoneError, Failed, Load, Reply, Request

R = TypeVar("R")
# The module path travels along: the child finds the same code, wherever the server was started.
_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from streamer.remote.child import main; main(*map(int, sys.argv[2:6]), *sys.argv[6:])"
)
_LEAVE_WITHIN_S = 5.0
_MILLISECONDS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long an answer may take until the process is taken for hung."""

    load_s: float = 900.0  # with weights on a slow disk, and compilation
    desk_s: float = 120.0
    first_push_s: float = 300.0  # may compile
    push_s: float = 10.0


@dataclass(frozen=True, slots=True)
class ChildLog:
    """How the process writes its log."""

    level: str = "warning"
    log_format: str = "text"


class EngineProcess:
    """Asks one process; each of its pipes belongs to one thread at a time."""

    def __init__(self, log: ChildLog) -> None:
        self._live, live_end = _pipe()
        self._desk, desk_end = _pipe()
        self._eyes, eyes_end = _pipe()
        block = _shared_block()
        try:
            self._map = mmap.mmap(block, BLOCK_BYTES)
            self.block = memoryview(self._map)
            handed = (live_end, desk_end, eyes_end, block)
            arguments = [json.dumps(sys.path), *map(str, handed), log.level, log.log_format]
            command = [sys.executable, "-c", _PROGRAM, *arguments]
            # Its own group: Ctrl-C is for the server, which ends this process when it has drained.
            self._process = subprocess.Popen(command, pass_fds=handed, process_group=0)
        finally:
            for number in (live_end, desk_end, eyes_end, block):
                os.close(number)
        self.known_avatars: set[int] = set()
        self._pipes = (self._live, self._desk, self._eyes)
        self._locks = {id(pipe): threading.Lock() for pipe in self._pipes}
        self._ears = {id(pipe): _ear(pipe) for pipe in self._pipes}

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def load(self, load: Callable[[], Engine], within_s: float) -> None:
        """Let it make its engine. Raises what that raises."""
        self._ask(self._live, Load(load), within_s)

    def ask_live(self, request: Request, kind: type[R], within_s: float) -> R:
        """Ask the thread that pushes. Raises `EngineGoneError` and what the engine raises."""
        return _expect(self._ask(self._live, request, within_s), kind)

    def ask_desk(self, request: Request, kind: type[R], within_s: float) -> R:
        """Ask the thread that prepares. Raises `EngineGoneError` and what the engine raises."""
        return _expect(self._ask(self._desk, request, within_s), kind)

    def ask_eyes(self, request: Request, kind: type[R], within_s: float) -> R:
        """Ask the thread that looks. Raises `EngineGoneError` and what the engine raises."""
        return _expect(self._ask(self._eyes, request, within_s), kind)

    def wait(self) -> int:
        """Block until it has ended; returns its exit status."""
        return self._process.wait()

    def kill(self) -> None:
        """End it at once."""
        if self.is_alive:
            self._process.send_signal(signal.SIGKILL)

    def close(self) -> None:
        """Let it leave, or make it; nothing of it remains."""
        for pipe in self._pipes:
            with self._locks[id(pipe)]:
                pipe.close()
        try:
            self._process.wait(_LEAVE_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()

    def _ask(self, pipe: Connection, request: Request, within_s: float) -> Reply:
        with self._locks[id(pipe)]:
            try:
                pipe.send(request)
                if not self._ears[id(pipe)].poll(within_s * _MILLISECONDS):
                    self.kill()
                    raise EngineGoneError(
                        f"the engine process gave no answer within {within_s:g} s: it is restarted"
                    )
                reply: Reply = pipe.recv()
            except (EOFError, OSError) as error:
                raise EngineGoneError("the engine process ended: it is restarted") from error
        if isinstance(reply, Failed):
            raise reply.error
        return reply


def _expect(reply: Reply, kind: type[R]) -> R:
    assert isinstance(reply, kind), f"{type(reply).__name__} answered, expected {kind.__name__}"
    return reply


def _ear(pipe: Connection) -> select.poll:
    """Waits for an answer; `Connection.poll` would build one anew for every frame."""
    ear = select.poll()
    ear.register(pipe.fileno(), select.POLLIN)
    return ear


def _pipe() -> tuple[Connection, int]:
    ours, theirs = socket.socketpair()
    return Connection(ours.detach()), theirs.detach()


def _shared_block() -> int:
    """A file descriptor of memory that goes when the last one who holds it does."""
    if sys.platform == "linux":
        number = os.memfd_create("engine pictures")
    else:
        with tempfile.TemporaryFile() as file:
            number = os.dup(file.fileno())
    os.truncate(number, BLOCK_BYTES)
    return number
