"""One visitor's portrait, spoken through the model: samples in, units out."""

import torch

from engine.api import Samples, StreamOptions, Unit
from engine.stream.denoise import Emitted, StreamingDenoiser
from engine.unit_cutter import UnitCutter
from engine.vexpress.live.avatar import VExpressAvatar
from engine.vexpress.live.conditions import Conditions
from engine.vexpress.live.decoding import FrameDecoder
from engine.vexpress.live.finishing import finish_for
from engine.vexpress.live.guard import PictureGuard
from engine.vexpress.live.hearing import LOOK_AHEAD_FRAMES
from engine.vexpress.live.silence import PauseWatch


class VExpressStream:
    """All of a `Stream` but how its head is led. Its units come a chunk at a time."""

    def __init__(
        self,
        conditions: Conditions,
        denoiser: StreamingDenoiser,
        decoder: FrameDecoder,
        avatar: VExpressAvatar,
        options: StreamOptions,
    ) -> None:
        self._conditions, self._denoiser, self._decoder = conditions, denoiser, decoder
        self._finish = finish_for(avatar, options)
        still = decoder.decode(avatar.anchor, self._finish).pictures[0]
        self._guard, self._pauses = PictureGuard(still), PauseWatch()
        self._look_ahead_frames = denoiser.delay_frames + LOOK_AHEAD_FRAMES
        self._cutter = UnitCutter(self._look_ahead_frames)
        self._pause_began = False

    @property
    def look_ahead_frames(self) -> int:
        """Frames of future audio that a frame waits for at most: sound, chunk and pile."""
        return self._look_ahead_frames

    @property
    def chunk_frames(self) -> int:
        """Frames that are denoised and decoded together."""
        return self._denoiser.chunk_frames

    @property
    def repaired_frames(self) -> int:
        """Frames that were black or broken and had the last good one shown in their place."""
        return self._guard.repaired_frames

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._cutter.is_closed

    def push(self, samples: Samples) -> list[Unit]:
        """Take any number of samples; return the units that are now due, in order."""
        with torch.no_grad():
            pieces = self._cutter.cut(samples)
            return [unit for piece in pieces for unit in self._advance(piece)]

    def flush(self) -> list[Unit]:
        """Return what is still held back, the last unit padded with silence; then start anew."""
        held = self._cutter.held_units
        units = self.push(self._cutter.silence_to_finish())[:held]
        self.reset(self._cutter.epoch)
        return units

    def reset(self, epoch: int) -> None:
        """Forget all audio and motion; the next unit is number 0 of `epoch`."""
        self._cutter.reset(epoch)
        self._conditions.reset()
        self._denoiser.reset()
        self._pauses.reset()
        self._guard.reset()
        self._pause_began = False

    def close(self) -> None:
        """Release the stream; safe to call twice."""
        self._cutter.close()

    def _advance(self, piece: Samples) -> list[Unit]:
        """Take one frame of samples; return the units that it completes."""
        self._pause_began |= self._pauses.push(piece)
        conditions = self._conditions.push(piece)
        if conditions is None:
            return []
        if self._pause_began:
            self._denoiser.restart()
            self._pause_began = False
        emitted = self._denoiser.push(conditions)
        return [] if emitted is None else self._show(emitted)

    def _show(self, emitted: Emitted) -> list[Unit]:
        decoded = self._decoder.decode(emitted.latents, self._finish)
        if not decoded.shown.all():
            self._denoiser.recover()
        pairs = zip(decoded.pictures, decoded.shown, strict=True)
        return [
            self._cutter.unit(self._guard.pass_on(picture, shown=bool(shown)))
            for picture, shown in pairs
        ]
