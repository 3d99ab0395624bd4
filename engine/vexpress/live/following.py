"""A stream whose head can be led while it speaks."""

from engine.api import Samples, StreamClosedError, StreamOptions, Unit
from engine.direction import Direction, PuppetFrame
from engine.stream.denoise import StreamingDenoiser
from engine.vexpress.kps import Points
from engine.vexpress.live.avatar import VExpressAvatar
from engine.vexpress.live.conditions import VoiceAndPlaces
from engine.vexpress.live.decoding import FrameDecoder
from engine.vexpress.live.head import LedHead
from engine.vexpress.live.stream import VExpressStream


class FollowingStream(VExpressStream):
    """A `Stream` of the V-Express engine: poses, gestures, a camera or points move its head."""

    def __init__(
        self,
        conditions: VoiceAndPlaces,
        denoiser: StreamingDenoiser,
        decoder: FrameDecoder,
        avatar: VExpressAvatar,
        options: StreamOptions,
    ) -> None:
        super().__init__(conditions, denoiser, decoder, avatar, options)
        self._places = conditions.places
        self._head = LedHead(avatar.face, options.script)
        self._is_placed = False

    def place_face(self, points: Points | None) -> None:
        """Move the face for every frame whose last sample has not been pushed yet.

        points: [3, 2] in pixels (x, y) of the avatar's still, as `engine.vexpress.kps` names them;
        None: where it is led. Holds until it is moved again, or a `reset` or `flush`.
        Raises `TrackError` for other things, and `StreamClosedError` after `close`.
        """
        if self.is_closed:
            raise StreamClosedError("the stream is closed")
        self._places.place(points)
        self._is_placed = points is not None

    def reset(self, epoch: int) -> None:
        """Forget all audio and motion; the head goes on as it is led."""
        super().reset(epoch)
        self._is_placed = False

    def direct(self, direction: Direction) -> None:
        """Go to a pose, eased; at once if there was no frame yet.

        Raises `CannotDirectError` for all but poses, and `UnknownEmotionError`.
        """
        self._head.direct(direction)

    def gesture(self, name: str) -> None:
        """Begin a gesture with the next frame. Raises `UnknownGestureError`.

        And `CannotDirectError` for one that does not move the head.
        """
        self._head.gesture(name)

    def puppet(self, frame: PuppetFrame | None) -> None:
        """Follow the head before a camera; None, or half a second without news: no more."""
        self._head.puppet(frame)

    def _advance(self, piece: Samples) -> list[Unit]:
        """Lead the head, then take one frame of samples."""
        led = self._head.advance()
        if not self._is_placed:
            self._places.place_inside(led)
        return super()._advance(piece)
