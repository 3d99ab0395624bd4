"""A client for programs: speech in, frames and sound out. See docs/clients.md."""

from streamer.client.calls import RefusedError, ServerAbsentError
from streamer.client.film import say_to_film
from streamer.client.talk import AsyncTalk, Wish
from streamer.client.units import TalkUnit

__all__ = [
    "AsyncTalk",
    "RefusedError",
    "ServerAbsentError",
    "TalkUnit",
    "Wish",
    "say_to_film",
]
