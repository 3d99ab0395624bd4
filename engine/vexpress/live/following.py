"""A stream whose face can be moved while it speaks."""

from engine.api import StreamClosedError, StreamOptions
from engine.stream.denoise import StreamingDenoiser
from engine.vexpress.kps import Points
from engine.vexpress.live.avatar import VExpressAvatar
from engine.vexpress.live.conditions import VoiceAndPlaces
from engine.vexpress.live.decoding import FrameDecoder
from engine.vexpress.live.stream import VExpressStream


class FollowingStream(VExpressStream):
    """A `VExpressStream` that follows face points."""

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

    def place_face(self, points: Points | None) -> None:
        """Move the face for every frame whose last sample has not been pushed yet.

        points: [3, 2] in pixels (x, y) of the avatar's still, as `engine.vexpress.kps` names them;
        None: where the portrait has it. Holds until it is moved again, or a `reset` or `flush`.
        Raises `TrackError` for other things, and `StreamClosedError` after `close`.
        """
        if self.is_closed:
            raise StreamClosedError("the stream is closed")
        self._places.place(points)
