"""Memory that captured CUDA graphs share, and the order in which they use it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


class GraphPool:
    """Scratch memory for runners that never work at the same time.

    Graphs of one pool lay their intermediate results over each other. That is safe in any order
    of replays because static inputs and outputs are outside the pool, and because `in_turn` lets
    one thread in at a time and makes its stream wait for the stream that was in before.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._handle: Any = None
        self._last: torch.cuda.Stream | None = None

    @property
    def handle(self) -> Any:
        """PyTorch's name of the pool, made at first use: it takes a GPU."""
        if self._handle is None:
            self._handle = torch.cuda.graph_pool_handle()
        return self._handle

    @contextmanager
    def in_turn(self, device: torch.device | None) -> Iterator[None]:
        """Use the pool from the current stream of `device`; without a device, of this thread."""
        with self._lock:
            if device is not None:
                self._follow(torch.cuda.current_stream(device))
            yield

    def _follow(self, stream: torch.cuda.Stream) -> None:
        if self._last is not None and self._last != stream:
            stream.wait_stream(self._last)
        self._last = stream
