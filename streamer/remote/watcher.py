"""A camera watched in the engine's process, where the networks that see faces are."""

from contextlib import suppress

from engine.api import Picture
from engine.direction import PuppetFrame
from streamer.remote.messages import Done, EngineGoneError, LookAway, See, Seen, Watch
from streamer.remote.process import EngineProcess, Patience


class RemoteWatcher:
    """A `Watcher` in the process that it was started in."""

    def __init__(self, process: EngineProcess, number: int, patience: Patience) -> None:
        self._process, self._number, self._patience = process, number, patience
        self.faces = 0
        process.ask_eyes(Watch(number), Done, patience.desk_s)
        self._is_open = True

    def see(self, picture: Picture, time_s: float) -> PuppetFrame | None:
        """What the next picture shows. Raises `EngineGoneError`."""
        request = See(self._number, picture, time_s)
        seen = self._process.ask_eyes(request, Seen, self._patience.desk_s)
        self.faces = seen.faces
        return seen.frame

    def close(self) -> None:
        """Release the networks; safe to call twice, and when the process is gone."""
        if self._is_open:
            self._is_open = False
            with suppress(EngineGoneError):
                self._process.ask_eyes(LookAway(self._number), Done, self._patience.desk_s)
