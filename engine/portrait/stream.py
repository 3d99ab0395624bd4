"""One talking portrait in progress: samples in, units out."""

import numpy as np

from engine.api import Avatar, Samples, StreamOptions, Unit
from engine.badge import BadgePainter
from engine.direction import Direction, PuppetFrame
from engine.portrait.acting import Acting
from engine.portrait.channels import MOUTH
from engine.portrait.easing import Easing
from engine.portrait.landmarks import Floats
from engine.portrait.life import SpeechLife, life
from engine.portrait.motion import LOOK_AHEAD_FRAMES, MotionModel
from engine.portrait.renderer import Renderer
from engine.unit_cutter import UnitCutter


class PortraitStream:
    """A `Stream` of the portrait engine: motion of the voice, life of the face, one renderer."""

    def __init__(
        self, renderer: Renderer, avatar: Avatar, model: MotionModel, options: StreamOptions
    ) -> None:
        height, width = avatar.still.shape[:2]
        self._renderer = renderer
        self._badge = BadgePainter(width, height) if options.badge else None
        self._motion = model.open(options.expression_strength, options.seed)
        self._speech_life = SpeechLife(options.seed)
        self._acting = Acting(options.expression_strength, options.script)
        self._seed = options.seed
        self._life_frame = options.life_frame  # of frame 0 of this epoch
        self._cutter = UnitCutter(LOOK_AHEAD_FRAMES)
        self._easing = Easing()

    @property
    def look_ahead_frames(self) -> int:
        """Frames of future audio that a frame waits for."""
        return LOOK_AHEAD_FRAMES

    @property
    def chunk_frames(self) -> int:
        """Every frame is finished by itself."""
        return 1

    @property
    def repaired_frames(self) -> int:
        """None: the renderer has no way to go wrong."""
        return 0

    def push(self, samples: Samples) -> list[Unit]:
        """Take any number of samples; return the units that are now due, in order."""
        pieces = self._cutter.cut(samples)
        return [unit for piece in pieces for unit in self._advance(piece)]

    def flush(self) -> list[Unit]:
        """Return what is still held back, the last unit padded with silence; then start anew."""
        held = self._cutter.held_units
        units = self.push(self._cutter.silence_to_finish())[:held]
        self.reset(self._cutter.epoch)
        return units

    def reset(self, epoch: int) -> None:
        """Forget all audio and motion; the next unit is number 0 of `epoch`. Life goes on.

        The face leaves its last expression within a few frames, so that it does not jump.
        """
        self._life_frame += self._cutter.next_frame
        self._cutter.reset(epoch)
        self._motion.reset()
        self._speech_life.reset()
        self._easing.restart()

    def close(self) -> None:
        """Release the stream; safe to call twice."""
        self._cutter.close()

    def direct(self, direction: Direction) -> None:
        """Act like this from the next frame on, eased; at once if there was no frame yet.

        Raises `UnknownEmotionError`.
        """
        self._acting.direct(direction)

    def gesture(self, name: str) -> None:
        """Begin a named gesture with the next frame. Raises `UnknownGestureError`."""
        self._acting.gesture(name)

    def puppet(self, frame: PuppetFrame | None) -> None:
        """Follow a camera from the next frame on; None, or half a second without news: no more."""
        self._acting.puppet(frame)

    def _advance(self, piece: Samples) -> list[Unit]:
        """Take one frame of samples; return the unit that it completes, if any."""
        mouth = self._motion.push(piece)
        if mouth is None:
            return []
        picture = self._renderer.render(self._vector(mouth))
        if self._badge is not None:
            self._badge.paint(picture)
        return [self._cutter.unit(picture)]

    def _vector(self, mouth: Floats) -> Floats:
        """The whole motion of this frame: life, what speech adds to it, and the mouth."""
        frame = self._life_frame + self._cutter.next_frame
        motion = life(self._seed, frame) + self._speech_life.push(self._motion.loudness, frame)
        motion[MOUTH] = mouth
        return self._acting.apply(self._easing.apply(np.asarray(motion, np.float32)))
