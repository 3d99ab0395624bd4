"""Pauses: a stream looks at nothing old from there on, and nobody sees where."""

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.api import Samples, StreamOptions
from engine.stream.denoise import StreamingDenoiser
from engine.vexpress.live.avatar import VExpressAvatar
from engine.vexpress.live.engine import VExpressEngine
from engine.vexpress.live.silence import PAUSE_FRAMES
from tests.engine.vexpress.live.conftest import perform, speech

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@dataclass
class Restarts:
    """What was in flight when a denoiser was restarted, before and after."""

    chunks: list[int] = field(default_factory=list)
    in_flight: list[tuple[Tensor, Tensor]] = field(default_factory=list)


@pytest.fixture
def restarts(monkeypatch: pytest.MonkeyPatch) -> Restarts:
    seen = Restarts()
    restart = StreamingDenoiser.restart

    def watched(denoiser: StreamingDenoiser) -> None:
        window = denoiser._window
        before = torch.stack([window.latents, window.noise])
        restart(denoiser)
        seen.chunks.append(denoiser.next_chunk)
        seen.in_flight.append((before, torch.stack([window.latents, window.noise])))

    monkeypatch.setattr(StreamingDenoiser, "restart", watched)
    return seen


def spoken_with_pauses(*pauses_frames: int) -> Samples:
    """Words of twelve frames, and silence after each."""
    parts = []
    for number, frames in enumerate(pauses_frames):
        parts += [speech(12, seed=number), np.zeros(640 * frames, np.float32)]
    return np.concatenate([*parts, speech(12, seed=9)])


def test_a_restart_is_no_jump(
    engine: VExpressEngine, avatar: VExpressAvatar, restarts: Restarts, latents: list[Tensor]
) -> None:
    stream = engine.open(avatar, StreamOptions())
    latents.clear()
    perform(stream, spoken_with_pauses(PAUSE_FRAMES + 2))
    (chunk,) = restarts.chunks
    schedule = engine.model.preset.schedule
    border = chunk * schedule.chunk_frames
    changes = torch.cat(latents, dim=2).diff(dim=2).abs().mean(dim=(0, 1, 3, 4))
    # The first new frame shows a quarter of what is new; a pile has nothing to fade.
    allowed = 0.5 if schedule.finishes_chunks else 1.5
    assert changes[border - 1] / changes.median() < allowed
    around = changes[border - schedule.chunk_frames : border + schedule.chunk_frames]
    assert around.max() / changes.median() < 1.5


def test_every_pause_restarts_once_and_nothing_in_flight_is_touched(
    engine: VExpressEngine, avatar: VExpressAvatar, restarts: Restarts
) -> None:
    sound = spoken_with_pauses(PAUSE_FRAMES, PAUSE_FRAMES - 1, 2 * PAUSE_FRAMES + 3)
    units = perform(engine.open(avatar, StreamOptions()), sound)
    assert len(restarts.chunks) == 2
    assert [unit.frame_index for unit in units] == list(range(len(sound) // 640))
    for before, after in restarts.in_flight:
        assert torch.equal(before, after)
    assert not torch.equal(restarts.in_flight[0][0], restarts.in_flight[1][0])


def test_silence_before_the_first_word_is_no_pause(
    engine: VExpressEngine, avatar: VExpressAvatar, restarts: Restarts
) -> None:
    stream = engine.open(avatar, StreamOptions())
    perform(stream, np.concatenate([np.zeros(640 * 20, np.float32), speech(4)]))
    assert restarts.chunks == []
    perform(stream, spoken_with_pauses(PAUSE_FRAMES))  # a reset lies between
    assert len(restarts.chunks) == 1
