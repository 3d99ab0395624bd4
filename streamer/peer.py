"""One WebRTC connection: SDP in and out, two tracks, one data channel."""

import asyncio
import time
from typing import Protocol

from aiortc import RTCConfiguration, RTCDataChannel, RTCRtpTransceiver
from aiortc.mediastreams import MediaStreamTrack
from aiortc.sdp import SessionDescription

from streamer.audience import Audience
from streamer.connection import (
    OFFER_ERRORS,
    BadOfferError,
    Connection,
    ConnectionListener,
    capabilities,
)
from streamer.jitter import replace_jitter_buffer
from streamer.media_clock import MediaClock, report_media_clock
from streamer.prompt_pictures import show_pictures_promptly
from streamer.prompt_sound import decode_promptly
from streamer.relay import RelayTrack

CHANNEL_LABEL = "control"
_LAST_WORDS_S = 0.2
MAX_UNSENT_BYTES = 64 * 1024  # some six minutes of statistics: nobody takes them any more
_SECTIONS = (["application", "audio", "video"], ["application", "audio", "video", "video"])
_RECEIVES, _SENDS = ("sendrecv", "recvonly"), ("sendrecv", "sendonly")


class PeerListener(ConnectionListener, Protocol):
    """Who wants to know what a peer does. All are called on the event loop."""

    def peer_said(self, text: str) -> None:
        """A message came on the data channel."""
        ...


class Peer(Connection):
    """The server's end of a call."""

    def __init__(
        self, configuration: RTCConfiguration, listener: PeerListener, audience: Audience
    ) -> None:
        super().__init__(configuration, listener)
        self.voice = RelayTrack("audio")
        self.face = RelayTrack("video")
        self._audience = audience
        self.microphone: MediaStreamTrack | None = None
        self.camera: MediaStreamTrack | None = None
        self._listener = listener
        self._channel: RTCDataChannel | None = None
        self._connection.on("datachannel", self._channel_opened)
        self._connection.on("track", self._track_opened)

    async def answer(self, offer: str) -> str:
        """SDP offer to SDP answer. Raises `BadOfferError` and `NoUdpPortError`."""
        description = self._read(offer)
        _check(description)
        connection = self._connection
        voice = connection.addTransceiver(self.voice, "sendrecv")
        voice.setCodecPreferences(capabilities("audio", "audio/opus"))
        face = self._add_pictures(description)
        try:
            await self._hear_offer(offer)
            media_clock = MediaClock()
            for track, way in ((self.voice, voice), (self.face, face)):
                relay = self._audience.relay_for(way._codecs[0])
                track.attach(way.sender, relay)
                report_media_clock(way.sender, relay.source, media_clock)
            replace_jitter_buffer(voice.receiver, time.monotonic)
            decode_promptly(voice.receiver)
            for transceiver in connection.getTransceivers():
                if transceiver.kind == "video":
                    show_pictures_promptly(transceiver.receiver)
            return await self._make_answer()
        except OFFER_ERRORS as error:
            raise BadOfferError(f"cannot answer this SDP offer: {error}") from error

    def _add_pictures(self, description: SessionDescription) -> RTCRtpTransceiver:
        """Ways for the offer's video sections, in their order; returns the one of the face."""
        face = None
        for section in description.media:
            if section.kind != "video":
                continue
            if face is None and section.direction in _RECEIVES:
                direction = "sendrecv" if section.direction in _SENDS else "sendonly"
                way = face = self._connection.addTransceiver(self.face, direction)
            else:
                way = self._connection.addTransceiver("video", "recvonly")
            way.setCodecPreferences(capabilities("video", "video/"))  # VP8 comes first
        assert face is not None, "an offer without one is refused"
        return face

    def send(self, text: str) -> None:
        """Send a message, if the channel is open; who takes none for too long has left."""
        channel = self._channel
        if channel is None or channel.readyState != "open":
            return
        if channel.bufferedAmount > MAX_UNSENT_BYTES:
            self._listener.peer_left("reader too slow: its messages wait unread")
        else:
            channel.send(text)

    async def aclose(self) -> None:
        """Say what is still unsaid and hang up; safe to call twice."""
        channel = self._channel
        if channel is not None and channel.readyState == "open" and channel.bufferedAmount:
            await asyncio.sleep(_LAST_WORDS_S)
        self.voice.stop()
        self.face.stop()
        await super().aclose()

    def _track_opened(self, track: MediaStreamTrack) -> None:
        if track.kind == "audio":
            self.microphone = track
        else:
            self.camera = track

    def _channel_opened(self, channel: RTCDataChannel) -> None:
        if channel.label == CHANNEL_LABEL:
            self._channel = channel
            channel.on("message", self._message_came)

    def _message_came(self, message: str | bytes) -> None:
        if isinstance(message, str):
            self._listener.peer_said(message)


def _check(description: SessionDescription) -> None:
    """One section of each kind, or a clear word about it."""
    sections = sorted(section.kind for section in description.media)
    if sections not in _SECTIONS:
        raise BadOfferError(
            f"SDP offer with the sections {', '.join(sections) or 'none'}: expected one audio, one "
            "video and one application section, or two video sections"
        )
    videos = [section.direction for section in description.media if section.kind == "video"]
    receiving = sum(direction in _RECEIVES for direction in videos)
    sending = sum(direction in _SENDS for direction in videos)
    if receiving != 1 or sending > 1:
        raise BadOfferError(
            f"SDP offer with {' and '.join(map(str, videos))} video: expected one section that "
            "receives the portrait, and at most one that sends a camera"
        )
