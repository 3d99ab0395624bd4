"""One who speaks and sends nothing but sound (the shape of WHIP)."""

import time

import av
from aiortc import RTCConfiguration
from aiortc.mediastreams import MediaStreamTrack

from streamer.connection import (
    OFFER_ERRORS,
    BadOfferError,
    Connection,
    ConnectionListener,
    capabilities,
)
from streamer.jitter import replace_jitter_buffer
from streamer.one_way import OneWay
from streamer.prompt_sound import decode_promptly
from streamer.stage import Sight, Sound

_OFFER = OneWay(
    direction="sendonly",
    sections=(("audio",), ("audio", "video")),
    expected="one audio section, at most one video section",
)
_SIGN_EVERY_S = 1.0


class NoVoice:
    """Nothing is sent back: others watch."""

    def release(self, sound: Sound) -> None:
        """Send nothing."""


class NoFace:
    """Nothing is shown here: others watch."""

    dropped = 0

    def release(self, sight: Sight[av.VideoFrame]) -> None:
        """Show nothing."""


class LivingTrack(MediaStreamTrack):
    """A microphone whose packets are signs of life, since there is no channel for a heartbeat."""

    kind = "audio"

    def __init__(self, track: MediaStreamTrack, listener: ConnectionListener) -> None:
        super().__init__()
        self._track = track
        self._listener = listener
        self._told_s = time.monotonic()

    async def recv(self) -> av.AudioFrame:
        """Wait for the next frame."""
        frame = await self._track.recv()
        assert isinstance(frame, av.AudioFrame)
        now_s = time.monotonic()
        if now_s - self._told_s > _SIGN_EVERY_S:
            self._told_s = now_s
            self._listener.peer_connected()
        return frame


class Publisher(Connection):
    """The server's end of a call that goes one way. A line of a session."""

    def __init__(self, configuration: RTCConfiguration, listener: ConnectionListener) -> None:
        super().__init__(configuration, listener)
        self.voice = NoVoice()
        self.face = NoFace()
        self.microphone: MediaStreamTrack | None = None
        self.camera: MediaStreamTrack | None = None  # never one: whoever watches sees no camera
        self._connection.on("track", self._track_opened)

    async def answer(self, offer: str) -> str:
        """SDP offer to SDP answer. Raises `BadOfferError` and `NoUdpPortError`."""
        _OFFER.check(self._read(offer))
        connection = self._connection
        voice = connection.addTransceiver("audio", "recvonly")
        voice.setCodecPreferences(capabilities("audio", "audio/opus"))
        try:
            await self._hear_offer(offer)
            replace_jitter_buffer(voice.receiver, time.monotonic)
            decode_promptly(voice.receiver)
            for transceiver in connection.getTransceivers():
                if transceiver is not voice:
                    transceiver.direction = "inactive"  # a picture that nobody would look at
            return await self._make_answer()
        except OFFER_ERRORS as error:
            raise BadOfferError(f"cannot answer this SDP offer: {error}") from error

    def send(self, text: str) -> None:
        """Say nothing: WHIP has no words."""

    def _track_opened(self, track: MediaStreamTrack) -> None:
        if track.kind == "audio":
            self.microphone = LivingTrack(track, self._events)
