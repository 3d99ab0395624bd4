"""Named ways to run the model live: sizes, schedule, decoder. Each has shapes of its own."""

from dataclasses import dataclass, replace
from enum import StrEnum

from engine.api import AvatarError
from engine.stream.ladder import Ladder
from engine.stream.schedule import Burst, Diagonal, Schedule, Window
from engine.vexpress.images import LATENT_PIXELS, check_size
from engine.vexpress.sampling import NO_GUIDANCE
from engine.vexpress.scheduler import Scheduler

_FAR_CHUNK = 1000  # by which a schedule has settled


class Decoder(StrEnum):
    """What turns latents into pictures."""

    TINY = "tiny"  # a distilled decoder: 141 GFLOP a frame at 512x512
    KL = "kl"  # the model's own: 2 515 GFLOP


class UnknownPresetError(AvatarError):
    """No preset has this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One way to run live."""

    name: str
    size: int  # pixels of a frame's side
    schedule: Schedule
    meant_for: str
    guidance_scale: float = NO_GUIDANCE  # in the guided steps of the schedule
    decoder: Decoder = Decoder.TINY
    fade_frames: int = 2  # after a restart
    shared_noise: float = 0.0  # of the variance, common to all frames; more flickers less

    @property
    def latent_side(self) -> int:
        """Latent pixels of a frame's side."""
        return self.size // LATENT_PIXELS

    @property
    def needs_mixed_levels(self) -> bool:
        """Whether frames of different noise levels are shown to the network together."""
        return any(len(set(call.levels)) > 1 for call in self.schedule.calls(_FAR_CHUNK))

    def ladder(self, scheduler: Scheduler) -> Ladder:
        """The noise levels of this preset: as published for stock weights, else level to level."""
        steps = self.schedule.steps
        stride = None if self.needs_mixed_levels else scheduler.config.training_steps // steps
        return Ladder.climb(scheduler.signal.tolist(), scheduler.timesteps(steps), stride)


_PILE = Diagonal(chunk_frames=4, steps=4)
PRESETS = (
    Preset(
        name="h100-512",
        size=512,
        schedule=Burst(diagonal=_PILE, chunks=3),
        meant_for="one H100, weights distilled for mixed noise levels",
    ),
    Preset(
        name="4090-384",
        size=384,
        schedule=Burst(diagonal=_PILE, chunks=3),
        meant_for="one RTX 4090, weights distilled for mixed noise levels",
    ),
    Preset(
        name="4090-512",
        size=512,
        schedule=Diagonal(chunk_frames=4, steps=2, history_frames=2),
        meant_for="one RTX 4090, weights distilled to two steps",
    ),
    Preset(
        name="stock",
        size=512,
        schedule=Window(chunk_frames=8, history_frames=4, steps=8, guided_steps=3),
        meant_for="the published weights; slower than real time",
        guidance_scale=3.5,
    ),
)


def choose_preset(name: str, size: int | None = None, decoder: Decoder | None = None) -> Preset:
    """The preset of that name, of another size or with another decoder if one is given.

    Raises `UnknownPresetError`, and `BadPictureError` for a size without whole latents.
    """
    known = {preset.name: preset for preset in PRESETS}
    if name not in known:
        raise UnknownPresetError(f"preset {name!r}: expected one of: {', '.join(known)}")
    preset = known[name] if decoder is None else replace(known[name], decoder=decoder)
    if size is None:
        return preset
    check_size(size, size)
    return replace(preset, size=size)
