"""The one bridge from worker threads to the event loop."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from typing import Generic, TypeVar

T = TypeVar("T")


class DropOldest(Generic[T]):
    """A bounded hand-off. When full, the oldest item goes and `dropped` counts it."""

    def __init__(self, capacity: int, receive: Callable[[T], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._receive = receive
        self._context = copy_context()  # so that the log names the session, not the thread
        self._items: deque[T] = deque(maxlen=capacity)
        self._lock = threading.Lock()
        self._woken = False
        self._closed = False
        self.dropped = 0

    def put_from_thread(self, item: T) -> None:
        """Hand over one item; callable from any thread, never blocks."""
        with self._lock:
            if self._closed:
                return
            self.dropped += len(self._items) == self._items.maxlen
            self._items.append(item)
            if not self._woken:  # one wake-up serves all that lies here when the loop comes
                self._woken = True
                self._loop.call_soon_threadsafe(self._deliver, context=self._context)

    def close(self) -> None:
        """Deliver nothing any more; later items are ignored."""
        with self._lock:
            self._closed = True
            self._items.clear()

    def _deliver(self) -> None:
        with self._lock:
            items = list(self._items)
            self._items.clear()
            self._woken = False
        for item in items:
            self._receive(item)
