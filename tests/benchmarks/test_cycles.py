import asyncio
import gc
import os
from pathlib import Path

import pytest

from benchmarks.cycles import run_cycles
from streamer.session import Session
from tests.benchmarks.test_latency import serving_url
from tests.fakes import FakeEngine

VISITS = 3


@pytest.mark.slow
async def test_visitors_leave_nothing_behind(tmp_path: Path) -> None:
    async with serving_url(tmp_path, FakeEngine) as url:
        values = await run_cycles(url, os.getpid(), VISITS)
        await asyncio.sleep(1.0)
        left = [item for item in gc.get_objects() if isinstance(item, Session)]
    assert len(left) <= 1, "the sweep after a session unties it"
    assert values["files_after"] == values["files_before"]
    # The pool of the event loop may still grow to its fixed size, by less than one a visit.
    assert int(str(values["threads_after"])) < int(str(values["threads_before"])) + VISITS
