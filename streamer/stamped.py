"""An engine whose pictures carry a strip that says which frame they are. For benchmarks only."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from engine.api import (
    Avatar,
    AvatarError,
    Engine,
    Picture,
    PortraitOptions,
    Samples,
    Stream,
    StreamOptions,
    Unit,
    Watcher,
)
from engine.direction import Direction, PuppetFrame
from streamer.performance import to_planes
from streamer.timecode import Code, OnsetFinder, stamp


class NotABenchmarkError(AvatarError):
    """The strip was asked for where visitors might see it."""


class StampedStream:
    """A stream that leaves all to another one, and then stamps its pictures."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._onsets = OnsetFinder()

    @property
    def look_ahead_frames(self) -> int:
        """As the stream inside."""
        return self._stream.look_ahead_frames

    @property
    def chunk_frames(self) -> int:
        """As the stream inside."""
        return self._stream.chunk_frames

    @property
    def repaired_frames(self) -> int:
        """As the stream inside."""
        return self._stream.repaired_frames

    def push(self, samples: Samples) -> list[Unit]:
        """Units with the strip on."""
        return [self._stamped(unit) for unit in self._stream.push(samples)]

    def flush(self) -> list[Unit]:
        """Units with the strip on."""
        return [self._stamped(unit) for unit in self._stream.flush()]

    def reset(self, epoch: int) -> None:
        """As the stream inside; the strip calls the epoch a generation."""
        self._stream.reset(epoch)

    def direct(self, direction: Direction) -> None:
        """As the stream inside."""
        self._stream.direct(direction)

    def gesture(self, name: str) -> None:
        """As the stream inside."""
        self._stream.gesture(name)

    def puppet(self, frame: PuppetFrame | None) -> None:
        """As the stream inside."""
        self._stream.puppet(frame)

    def close(self) -> None:
        """As the stream inside."""
        self._stream.close()

    def _stamped(self, unit: Unit) -> Unit:
        code = Code(unit.epoch, unit.frame_index, self._onsets.push(unit.samples))
        return replace(unit, picture=stamp(to_planes(unit.picture), code))


class StampedEngine:
    """An engine that opens stamped streams wherever planes are allowed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def prepare(self, picture: Picture, options: PortraitOptions) -> Avatar:
        """As the engine inside."""
        return self._engine.prepare(picture, options)

    def open(self, avatar: Avatar, options: StreamOptions) -> Stream:
        """A stamped stream; where a frame must be RGB there is no strip."""
        stream = self._engine.open(avatar, options)
        return StampedStream(stream) if options.planes else stream

    def watch(self) -> Watcher:
        """As the engine inside."""
        return self._engine.watch()


def loading_stamped(load: Callable[[], Engine], *, is_benchmark: bool) -> Callable[[], Engine]:
    """Let an engine be loaded stamped. Raises `NotABenchmarkError`."""
    if not is_benchmark:
        raise NotABenchmarkError("--timecode: expected together with --benchmark only")
    return partial(_load_stamped, load)  # unlike a lambda, it can go to another process


def _load_stamped(load: Callable[[], Engine]) -> Engine:
    return StampedEngine(load())
