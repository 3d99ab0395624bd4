"""From a visitor's track to the stage."""

import time
from collections.abc import Callable
from typing import TypeVar

import av
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from streamer.barge_in import BargeIn
from streamer.microphone import Microphone
from streamer.stage import Stage

T = TypeVar("T")


async def listen_to(
    microphone: MediaStreamTrack,
    stage: Stage[T],
    barge_in: BargeIn | None,
    interrupt: Callable[[], object],
) -> None:
    """Let the stage hear a microphone until it ends; who barges in interrupts what is read out."""
    converter, ingest = Microphone(), stage.ingest
    while True:
        try:
            frame = await microphone.recv()
        except MediaStreamError:
            return
        heard = (
            converter.convert(frame, ingest.stretch) if isinstance(frame, av.AudioFrame) else None
        )
        if heard is None:
            continue
        now_s = time.monotonic()
        speaks = ingest.speech.has_the_word(now_s)
        if barge_in is not None and barge_in.takes_word(heard.samples, speaks):
            interrupt()
        stage.hear(heard.samples, now_s, heard.lost_samples)
