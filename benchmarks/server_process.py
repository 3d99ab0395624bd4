"""The real server as a process of its own, seen only from outside."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.web import request

ROOT = Path(__file__).parents[1]
SERVER = ROOT / "run_server.py"
_READY_WITHIN_S = 60.0
_ASK_EVERY_S = 0.05
_STOP_WITHIN_S = 10.0
_OK = 200
_LOG_TAIL_CHARACTERS = 2000


class ServerError(Exception):
    """The server did not start, or did not end as asked."""


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A server that answers."""

    url: str
    pid: int
    ready_s: float  # from the start of the process to the first good answer of /readyz
    log: Path

    def rss_mb(self) -> float:
        """Memory that the process holds."""
        return rss_mb(self.pid)


@contextmanager
def running_server(
    flags: Sequence[str] = (),
    program: Path = SERVER,
    surroundings: Mapping[str, str] | None = None,
) -> Iterator[ServerProcess]:
    """Start the program on a free port, wait until it is ready, and end it after the block.

    `surroundings` are environment variables to set besides those of this process.
    """
    with tempfile.TemporaryDirectory() as folder:
        log, port = Path(folder) / "server.log", free_port()
        command = [sys.executable, str(program), "--host", "127.0.0.1", "--port", str(port), *flags]
        environment = {**os.environ, **(surroundings or {})}
        with log.open("wb") as sink:
            begun_s = time.monotonic()
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=sink, stderr=subprocess.STDOUT
            )
            try:
                url = f"http://127.0.0.1:{port}"
                _wait_until_ready(url, process, log)
                yield ServerProcess(url, process.pid, time.monotonic() - begun_s, log)
            finally:
                _end(process)


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def rss_mb(pid: int | None = None) -> float:
    """Resident memory of a process (default: this one), in MB of 10^6 bytes; Linux only."""
    pages = int(Path(f"/proc/{pid or os.getpid()}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline_s = time.monotonic() + _READY_WITHIN_S
    while time.monotonic() < deadline_s and process.poll() is None:
        try:
            if request("GET", f"{url}/readyz").status == _OK:
                return
        except OSError:
            pass  # not listening yet
        time.sleep(_ASK_EVERY_S)
    tail = log.read_text(errors="replace")[-_LOG_TAIL_CHARACTERS:]
    raise ServerError(f"no server at {url} (exit code {process.poll()}); its log ends:\n{tail}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
