"""From a visitor's track to the stage."""

import time
from typing import TypeVar

import av
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from streamer.microphone import Microphone
from streamer.stage import Stage

T = TypeVar("T")


async def listen_to(microphone: MediaStreamTrack, stage: Stage[T]) -> None:
    """Let the stage hear a microphone until it ends."""
    converter, ingest = Microphone(), stage.ingest
    while True:
        try:
            frame = await microphone.recv()
        except MediaStreamError:
            return
        heard = (
            converter.convert(frame, ingest.stretch) if isinstance(frame, av.AudioFrame) else None
        )
        if heard is not None:
            stage.hear(heard.samples, time.monotonic(), heard.lost_samples)
