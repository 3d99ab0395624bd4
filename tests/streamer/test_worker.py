import asyncio
import os
import sys
import threading
from functools import partial

import pytest

from streamer.worker import Worker


async def test_a_result_and_an_error_come_back() -> None:
    with Worker("test") as worker:
        assert await worker.run("a", lambda: 2 + 3) == 5
        with pytest.raises(ZeroDivisionError):
            await worker.run("a", lambda: 1 // 0)
        assert await worker.run("a", threading.current_thread) is not threading.main_thread()


def test_clients_are_served_in_turn() -> None:
    order: list[str] = []
    gate = threading.Event()
    with Worker("test") as worker:
        worker.post("first", lambda: (gate.wait(), None)[1])
        for client in ("a", "a", "a", "b", "c", "c"):
            assert worker.post(client, partial(order.append, client))
        gate.set()
    assert order == ["a", "b", "c", "a", "c", "a"]


def test_a_full_queue_refuses_and_harms_no_other() -> None:
    gate = threading.Event()
    done: list[str] = []
    with Worker("test", capacity=2) as worker:
        worker.post("gate", lambda: (gate.wait(), None)[1])
        results = [worker.post("a", partial(done.append, "a")) for _ in range(3)]
        assert results == [True, True, False]
        assert worker.post("b", partial(done.append, "b"))
        assert worker.forget("a") == 2
        gate.set()
    assert done == ["b"]


def test_a_failed_job_leaves_the_worker_alive(caplog: pytest.LogCaptureFixture) -> None:
    done: list[int] = []
    with Worker("test") as worker:
        worker.post("a", lambda: (1 // 0, None)[1])
        worker.post("a", partial(done.append, 1))
    assert done == [1]
    assert "a job failed" in caplog.text


async def test_a_cancelled_wait_skips_the_job_and_frees_the_line() -> None:
    gate = threading.Event()
    done: list[int] = []
    with Worker("test") as worker:
        worker.post("gate", lambda: (gate.wait(), None)[1])
        waiting = asyncio.create_task(worker.run("a", partial(done.append, 1)))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        gate.set()
    assert done == []


async def test_a_closed_worker_takes_no_job() -> None:
    worker = Worker("test")
    with worker:
        pass
    assert not worker.post("a", lambda: None)
    with pytest.raises(RuntimeError, match="takes no job"):
        await worker.run("a", lambda: None)


@pytest.mark.skipif(sys.platform != "linux", reason="only there a thread has its own priority")
async def test_a_worker_can_be_nice_alone() -> None:
    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    with Worker("nice", nice=3) as nice, Worker("plain") as plain:
        before = priority()
        assert await nice.run("a", priority) == 3
        assert await plain.run("a", priority) == before
    assert priority() == before
