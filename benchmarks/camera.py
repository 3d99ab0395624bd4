"""What a camera adds: from a picture of a head to the portrait that moves with it.

    python -m benchmarks.camera [--seconds 20] [--record]

Two calls to one server speak the same words, one after the other: the first with a microphone
alone, the second with a camera before which a head sways as well. How long the voice takes to the
lips is written in the pictures (`benchmarks.latency`); how long the head takes is how late the
sway that landmarks find in the decoded pictures follows the sway that was sent. The last line is
JSON.
"""

import asyncio
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated

import av
import cv2
import numpy as np
import typer
from aiortc.mediastreams import VIDEO_CLOCK_RATE, VIDEO_TIME_BASE, MediaStreamTrack

from benchmarks.call import Call, CallError, Notes, Watching, calling
from benchmarks.curves import Curve, lag
from benchmarks.harness import Spread, Value, finish, print_spreads, result
from benchmarks.process_times import cpu_s
from benchmarks.receiving import developed
from benchmarks.scenarios import spoken_words
from benchmarks.server_process import ServerError, ServerProcess, running_server
from benchmarks.timing import events, freezes, new_pictures_s, per_second, values
from benchmarks.tracking import FilmError, watched
from engine.api import Picture
from engine.portraits import bundled_portraits

GOAL_ADDED_MS, GOAL_FRAMES_PER_S = 60.0, 25.0
_FLAGS = ("--benchmark", "--timecode", "--no-admit-by-cost", "--seed", "1")
_SHOWN = "hopper"  # before the camera; not the portrait that follows
_WIDTH, _HEIGHT, _RATE_HZ = 480, 360, 25
_STILL_S = 3.0  # before the sway, so that the rest can be learnt
_SWAYS = ((0.45, 5.0), (1.1, 2.0))  # hertz and degrees: a head that tilts as people's do
_CONNECT_WITHIN_S, _DRIVE_WITHIN_S = 15.0, 10.0
_LONGEST_S = 0.8
_AFTER_S = 0.5
_ROLL = 2


class SwayingCamera(MediaStreamTrack):
    """A picture of a person that tilts about its middle, in the size and rate of the page."""

    kind = "video"

    def __init__(self, portrait: Picture) -> None:
        super().__init__()
        self.sent_s: list[float] = []
        self.degrees: list[float] = []
        side = _HEIGHT * 9 // 10
        small = cv2.resize(portrait[: portrait.shape[1]], (side, side))
        self._scene = np.full((_HEIGHT, _WIDTH, 3), 110, np.uint8)
        left, top = (_WIDTH - side) // 2, (_HEIGHT - side) // 2
        self._scene[top : top + side, left : left + side] = small
        self._begun_s = 0.0

    async def recv(self) -> av.VideoFrame:
        """The next picture, at its time."""
        number = len(self.sent_s)
        if not number:
            self._begun_s = time.monotonic()
        await asyncio.sleep(max(0.0, self._begun_s + number / _RATE_HZ - time.monotonic()))
        degrees = sway_degrees(number / _RATE_HZ - _STILL_S)
        frame = av.VideoFrame.from_ndarray(self.picture(degrees), format="rgb24")
        frame.pts, frame.time_base = (
            number * VIDEO_CLOCK_RATE // _RATE_HZ,
            Fraction(VIDEO_TIME_BASE),
        )
        self.sent_s.append(time.monotonic())
        self.degrees.append(degrees)
        return frame

    def picture(self, degrees: float) -> Picture:
        """The person tilted by an angle."""
        turn = cv2.getRotationMatrix2D((_WIDTH / 2, _HEIGHT / 2), degrees, 1.0)
        size = (_WIDTH, _HEIGHT)
        turned = cv2.warpAffine(self._scene, turn, size, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(turned, np.uint8)

    @property
    def sway(self) -> Curve:
        """What was sent, and when."""
        return Curve(np.array(self.sent_s), np.array(self.degrees))


def sway_degrees(time_s: float) -> float:
    """The head's tilt at a time after the sway began; 0 before."""
    if time_s <= 0:
        return 0.0
    return float(sum(size * np.sin(2 * np.pi * hertz * time_s) for hertz, size in _SWAYS))


@dataclass(frozen=True, slots=True)
class Session:
    """One call, and what the server needed for it."""

    notes: Notes
    begun_s: float  # from here on all is as it stays
    ended_s: float
    server_cores: float | None

    @property
    def frames_per_s(self) -> float | None:
        """New pictures a second."""
        return per_second(self._shown_s())

    @property
    def lips(self) -> Spread:
        """Microphone to lips in milliseconds."""
        found = [event for event in events(self.notes) if event.spoken_s >= self.begun_s]
        return Spread.of(values(found, "lips_ms"))

    def row(self, prefix: str) -> dict[str, Value]:
        """What is told of it."""
        return {
            f"{prefix}_mic_to_lips_ms": self.lips.p50,
            f"{prefix}_frames_per_s": self.frames_per_s,
            f"{prefix}_freezes": freezes(self._shown_s()),
            f"{prefix}_server_cores": self.server_cores,
        }

    def _shown_s(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        shown_s = new_pictures_s(self.notes)
        return shown_s[(shown_s >= self.begun_s) & (shown_s <= self.ended_s)]


async def hold(
    server: ServerProcess | None, url: str, seconds: float, camera: SwayingCamera | None
) -> Session:
    """Call, speak, and show a camera if there is one. Raises `CallError`."""
    words = spoken_words(seconds + _STILL_S + _DRIVE_WITHIN_S, seed=0)
    async with calling(url, words, watching=Watching(camera=camera)) as call:
        await call.first_picture(_CONNECT_WITHIN_S)
        if camera is not None:
            await _until_driven(call)
        await asyncio.sleep(_STILL_S)
        begun_s, before_s = time.monotonic(), None if server is None else cpu_s(server.pid)
        await asyncio.sleep(seconds)
        ended_s = time.monotonic()
        cores = None
        if server is not None and before_s is not None:
            cores = (cpu_s(server.pid) - before_s) / (ended_s - begun_s)
        await asyncio.sleep(_AFTER_S)
    return Session(call.notes, begun_s, ended_s, cores)


def head_lag(session: Session, camera: SwayingCamera) -> tuple[float | None, float | None]:
    """Milliseconds from the head before the camera to the portrait's, and how alike they are."""
    film = [one for one in session.notes.film() if one.shown_s >= session.begun_s]
    try:
        track = watched(_pictures(session, len(film)))
    except FilmError:
        return None, None
    seen = Curve(np.array([one.shown_s for one in film]), np.degrees(track.angles[:, _ROLL]))
    found = lag(camera.sway.between(session.begun_s, session.ended_s), seen, _LONGEST_S)
    return (1000 * found.delay_s, found.correlation) if found else (None, None)


def _pictures(session: Session, last: int) -> Iterator[Picture]:
    """The last pictures of the call; decoding must begin with the first."""
    film = session.notes.film()
    for number, picture in enumerate(developed(one.encoded for one in film)):
        if number >= len(film) - last:
            yield picture


async def _until_driven(call: Call) -> None:
    async with asyncio.timeout(_DRIVE_WITHIN_S):
        while not _is_driven(call.notes):  # noqa: ASYNC110  notes are a list, and no event
            await asyncio.sleep(0.05)


def _is_driven(notes: Notes) -> bool:
    return any(told["state"] == "driving" for _, told in notes.messages_of("camera"))


async def measure(server: ServerProcess | None, url: str, seconds: float) -> dict[str, Value]:
    """Both calls, and what they showed. Raises `CallError`."""
    alone = await hold(server, url, seconds, None)
    camera = SwayingCamera(bundled_portraits()[_SHOWN])
    try:
        driven = await hold(server, url, seconds, camera)
    except TimeoutError:
        raise CallError("the camera never drove the portrait") from None
    lips_ms = alone.lips.p50
    late_ms, alike = await asyncio.to_thread(head_lag, driven, camera)
    print_spreads(
        "Milliseconds, measured from outside",
        {"microphone to lips, alone": alone.lips, "with a camera": driven.lips},
    )
    return {
        "seconds": seconds,
        **alone.row("alone"),
        **driven.row("camera"),
        "camera_to_head_ms": late_ms,
        "head_correlation": alike,
        "added_ms": None if late_ms is None or lips_ms is None else late_ms - lips_ms,
    }


def main(
    seconds: Annotated[float, typer.Option(help="Of each call.")] = 20.0,
    url: Annotated[
        str | None, typer.Option(help=f"A server that runs already, with {' '.join(_FLAGS[:2])}.")
    ] = None,
    record: Annotated[bool, typer.Option(help="Append to benchmarks/results.")] = False,
) -> None:
    """Measure a call with a camera against one without."""
    cv2.setNumThreads(1)
    try:
        if url is not None:
            numbers = asyncio.run(measure(None, url.rstrip("/"), seconds))
        else:
            with running_server(_FLAGS) as server:
                numbers = asyncio.run(measure(server, server.url, seconds))
    except (CallError, ServerError, OSError) as error:
        print(f"nothing measured: {error}", file=sys.stderr)
        raise typer.Exit(1) from error
    for name, value in numbers.items():
        print(f"{name}: {value:.1f}" if isinstance(value, float) else f"{name}: {value}")
    print(f"goals: added_ms <= {GOAL_ADDED_MS:g}, camera_frames_per_s {GOAL_FRAMES_PER_S:g}")
    finish(result("camera", numbers), record=record)


if __name__ == "__main__":
    typer.run(main)
