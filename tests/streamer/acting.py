"""An engine whose streams can be looked at while a server runs them."""

from dataclasses import dataclass, field

from engine.api import Avatar, CannotDirectError, StreamOptions
from engine.direction import Direction, PuppetFrame
from tests.fakes import FakeEngine, FakeStream


class StiffStream(FakeStream):
    """Has no means to follow any direction."""

    def direct(self, direction: Direction) -> None:
        raise CannotDirectError("the head stays where it is")

    def gesture(self, name: str) -> None:
        raise CannotDirectError("the head stays where it is")

    def puppet(self, frame: PuppetFrame | None) -> None:
        if frame is not None:
            raise CannotDirectError("the head stays where it is")


@dataclass
class OpenBook(FakeEngine):
    """Keeps the streams that it opened."""

    kind: type[FakeStream] = FakeStream
    streams: list[FakeStream] = field(default_factory=list)

    def open(self, avatar: Avatar, options: StreamOptions) -> FakeStream:
        self.streams.append(self.kind(avatar, options))
        return self.streams[-1]
