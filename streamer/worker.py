"""Threads that compute, so that the event loop never does."""

import asyncio
import logging
import os
import sys
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from types import TracebackType
from typing import Self, TypeVar

from engine.api import AvatarError

T = TypeVar("T")
Job = Callable[[], None]
log = logging.getLogger(__name__)


class WorkerFullError(AvatarError, RuntimeError):
    """One client has too many jobs queued already, or the thread ends."""


class Worker:
    """One thread and one bounded queue per client, served in turn.

    A client that posts faster than it is served fills its own queue only: the others keep theirs.
    """

    def __init__(self, name: str, capacity: int = 64, nice: int = 0) -> None:
        self._nice = nice
        self._capacity = capacity
        self._queues: OrderedDict[Hashable, deque[Job]] = OrderedDict()
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=name)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Finish what is queued, then stop the thread; blocks until it has stopped."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    def post(self, client: Hashable, job: Job) -> bool:
        """Queue a job; False, and no job queued, when the client's queue is full or all closes."""
        with self._changed:
            queue = self._queues.setdefault(client, deque())
            if self._closing or len(queue) >= self._capacity:
                return False
            queue.append(job)
            self._changed.notify()
            return True

    @property
    def queued_jobs(self) -> int:
        """How many wait, of all clients."""
        with self._changed:
            return sum(len(queue) for queue in self._queues.values())

    def forget(self, client: Hashable) -> int:
        """Drop the jobs that a client still has queued; returns how many."""
        with self._changed:
            return len(self._queues.pop(client, ()))

    async def run(self, client: Hashable, compute: Callable[[], T]) -> T:
        """Queue a computation and wait for its result or exception."""
        future: Future[T] = Future()

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = compute()
            except BaseException as error:  # noqa: BLE001  it belongs to the one who waits
                future.set_exception(error)
            else:
                future.set_result(result)

        if not self.post(client, job):
            raise WorkerFullError(f"{self._thread.name} takes no job: full or closing, try again")
        return await asyncio.wrap_future(future)

    def _next(self) -> Job | None:
        with self._changed:
            while not self._queues:
                if self._closing:
                    return None
                self._changed.wait()
            client, queue = self._queues.popitem(last=False)
            job = queue.popleft() if queue else None
            if queue:
                self._queues[client] = queue  # back to the end of the line
            return job or _nothing

    def _run(self) -> None:
        if self._nice and sys.platform == "linux":  # elsewhere a thread has no priority of its own
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), self._nice)
        while (job := self._next()) is not None:
            try:
                job()
            except Exception:  # one client's fault must not stop the others
                log.exception("a job failed in %s", self._thread.name)


def _nothing() -> None:
    """Stand in for the job of a client whose queue ran empty."""
