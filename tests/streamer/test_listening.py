import time

import av
import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from engine.config import TIMING
from streamer.barge_in import VOICED_PACKETS, BargeIn
from streamer.listening import listen_to
from streamer.speech_queue import SpeechQueue
from streamer.stage import EnginePace, Stage
from tests.streamer.test_stage import Painter


class Talker(MediaStreamTrack):
    """Half a second of sound, all at once."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.sent = 0

    async def recv(self) -> av.AudioFrame:
        if self.sent == 25:
            raise MediaStreamError
        sound = np.full((1, TIMING.wire_samples_per_packet), 9000, np.int16)
        frame = av.AudioFrame.from_ndarray(sound, format="s16", layout="mono")
        frame.sample_rate, frame.pts = TIMING.wire_rate_hz, self.sent * sound.shape[1]
        self.sent += 1
        return frame


@pytest.mark.parametrize(("reads_out", "interrupts"), [(True, 25 // VOICED_PACKETS), (False, 0)])
async def test_a_visitor_who_speaks_up_interrupts_what_is_read_out(
    reads_out: bool, interrupts: int
) -> None:
    stage: Stage[float] = Stage(Painter(), EnginePace(2, 1), SpeechQueue(), time.monotonic())
    if reads_out:
        stage.ingest.speech.put(np.ones(60 * TIMING.sample_rate_hz, np.float32))
    asked: list[int] = []
    barge_in = BargeIn(lambda _: True)
    await listen_to(Talker(), stage, barge_in, lambda: asked.append(1))
    assert len(asked) == interrupts


async def test_without_it_nothing_is_interrupted() -> None:
    stage: Stage[float] = Stage(Painter(), EnginePace(2, 1), SpeechQueue(), time.monotonic())
    stage.ingest.speech.put(np.ones(TIMING.sample_rate_hz, np.float32))
    asked: list[int] = []
    await listen_to(Talker(), stage, None, lambda: asked.append(1))
    assert asked == []
