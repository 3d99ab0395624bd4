"""What a session is made of."""

from collections.abc import Callable
from dataclasses import dataclass

from engine.api import Avatar, Watcher
from streamer.barge_in import BargeIn
from streamer.lasting_stream import LastingStream, Renew
from streamer.lease import LeaseTerms
from streamer.load import LoadMeter
from streamer.worker import Worker


@dataclass(frozen=True, slots=True)
class SessionParts:
    """What a session is given when it is made."""

    session_id: str
    avatar: Avatar
    stream: LastingStream
    worker: Worker
    terms: LeaseTerms
    load: LoadMeter
    eyes: Worker  # looks at the visitor's camera
    watch: Callable[[], Watcher]
    renew: Renew
    barge_in: BargeIn | None = None
