"""Fifty visitors who come and vanish: does the server stand afterwards where it stood before?

    python -m benchmarks.cycles [--cycles 50] [--url ...]

Every other visitor leaves without a word, as a closed tab does. Threads, open files (sockets among
them) and memory are read from outside, from the system's own books (Linux), before and after.
"""

import argparse
import asyncio
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.call import CallError, Watching, calling
from benchmarks.harness import Value, finish, result
from benchmarks.server_process import SERVER, ServerError, rss_mb, running_server
from benchmarks.web import request

_WARM_UP = 4  # the first calls fill caches that stay
_CONNECT_WITHIN_S = 15.0
_STAYS_S = 0.3
_GONE_WITHIN_S = 60.0  # a visitor who vanished is missed after a while only
_WATCHING = Watching(keeps_film=False)


@dataclass(frozen=True, slots=True)
class Held:
    """What a process holds."""

    threads: int
    files: int
    rss_mb: float

    @classmethod
    def by(cls, pid: int) -> "Held":
        """Read it now."""
        books = Path(f"/proc/{pid}")
        threads, files = (len(list((books / name).iterdir())) for name in ("task", "fd"))
        return cls(threads, files, rss_mb(pid))


async def run_cycles(url: str, pid: int, cycles: int) -> dict[str, Value]:
    """Come and go. Raises `CallError`."""
    for _ in range(_WARM_UP):
        await _visit(url, politely=True)
    await _all_gone(url)
    before = Held.by(pid)
    for number in range(cycles):
        await _visit(url, politely=number % 2 == 0)
    gone_s = await _all_gone(url)
    after = Held.by(pid)
    return {
        "cycles": cycles,
        "threads_before": before.threads,
        "threads_after": after.threads,
        "files_before": before.files,
        "files_after": after.files,
        "rss_growth_mb": after.rss_mb - before.rss_mb,
        "last_gone_after_s": gone_s,
    }


async def _visit(url: str, *, politely: bool) -> None:
    async with calling(url, np.zeros(0, np.float32), watching=_WATCHING) as call:
        await call.first_picture(_CONNECT_WITHIN_S)
        await asyncio.sleep(_STAYS_S)
        if not politely:
            call.notes.session_url = ""  # nothing is said; only the connection ends


async def _all_gone(url: str) -> float:
    """Wait until no session is left; how long it took."""
    begun_s = time.monotonic()
    while time.monotonic() - begun_s < _GONE_WITHIN_S:
        metrics = (await asyncio.to_thread(request, "GET", f"{url}/metrics")).body.decode()
        if "\nvexpress_sessions 0.0\n" in metrics:
            return time.monotonic() - begun_s
        await asyncio.sleep(0.2)
    raise CallError(f"sessions are still open {_GONE_WITHIN_S:.0f} s after the last visitor left")


def main() -> int:
    """Come and go, print; 1 when nothing could be measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cycles", description=__doc__)
    parser.add_argument("--cycles", type=int, default=50)
    parser.add_argument("--program", type=Path, default=SERVER, help="the server to start")
    parser.add_argument("--record", action="store_true", help="append to benchmarks/results/")
    given = parser.parse_args()
    try:
        with running_server(("--max-sessions", "20"), given.program) as server:
            values = asyncio.run(run_cycles(server.url, server.pid, given.cycles))
    except (CallError, ServerError, OSError) as error:
        print(f"nothing measured: {error}", file=sys.stderr)
        return 1
    for name, value in values.items():
        print(f"{name:20} {value}")
    finish(result("cycles", values), record=given.record)
    return 0


if __name__ == "__main__":
    sys.exit(main())
