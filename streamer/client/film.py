"""A film of what a portrait says, with picture and sound on the samples they belong to."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.api import Picture, Samples
from engine.audio import AudioReader, Sound
from engine.config import TIMING
from engine.video import FilmWriter, check_target
from streamer.client.calls import Server
from streamer.client.talk import AsyncTalk, Wish
from streamer.client.units import TalkUnit
from streamer.wire import CLOCK_HZ


@dataclass(frozen=True, slots=True)
class FilmReport:
    """What became of it."""

    frames: int
    dropped_pictures: int

    @property
    def duration_s(self) -> float:
        """Of the film."""
        return self.frames * TIMING.frame_s


def speech_of(path: Path) -> Iterator[Samples]:
    """A sound file of any length in pieces [time], 16 kHz. Raises `BadAudioError`."""
    with AudioReader(path) as reader:
        for block in reader.blocks():
            yield block.samples


def say_to_film(server: Server, wish: Wish, speech: Path, target: Path) -> FilmReport:
    """Let a server say a sound file and write the film. Blocks; raises `AvatarError`."""
    return asyncio.run(say_to_film_async(server, wish, speech, target))


async def say_to_film_async(
    server: Server,
    wish: Wish,
    speech: Path,
    target: Path,
    show: Callable[[TalkUnit], None] = lambda _: None,
) -> FilmReport:
    """As `say_to_film`; `show` sees every unit."""
    check_target(target)
    pieces = speech_of(speech)
    first = await asyncio.to_thread(next, pieces)  # a file that is no sound asks no server
    async with AsyncTalk(server, wish) as talk:
        speaking = asyncio.create_task(_speak(talk, first, pieces))
        try:
            report = await _write(talk, target, show)
        finally:
            speaking.cancel()
            await asyncio.gather(speaking, return_exceptions=True)
        return report


async def _speak(talk: AsyncTalk, first: Samples, rest: Iterator[Samples]) -> None:
    await talk.say(first)
    while (piece := await asyncio.to_thread(next, rest, None)) is not None:
        await talk.say(piece)
    await talk.flush()


async def _write(talk: AsyncTalk, target: Path, show: Callable[[TalkUnit], None]) -> FilmReport:
    width, height = talk.size
    frames = dropped = 0
    last: Picture = np.zeros((height, width, 3), np.uint8)
    with FilmWriter(target, width, height, Sound(CLOCK_HZ, 1, None)) as film:
        async for unit in talk.units():
            last = last if unit.picture is None else unit.picture
            await asyncio.to_thread(_put, film, last, unit.samples)
            frames, dropped = frames + 1, unit.dropped_pictures
            show(unit)
    return FilmReport(frames, dropped)


def _put(film: FilmWriter, picture: Picture, samples: Samples) -> None:
    film.write_picture(picture)
    film.write_sound(samples[None, :])
