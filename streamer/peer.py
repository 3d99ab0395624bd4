"""One WebRTC connection: SDP in and out, two tracks, one data channel."""

import asyncio
import logging
import time
from typing import Protocol

from aiortc import (
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCRtpSender,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.exceptions import InternalError, InvalidAccessError, InvalidStateError, OperationError
from aiortc.mediastreams import MediaStreamTrack
from aiortc.rtcrtpparameters import RTCRtpCodecCapability
from aiortc.sdp import SessionDescription

from engine.api import AvatarError
from streamer.encoder_limits import limit_encoder
from streamer.jitter import replace_jitter_buffer
from streamer.media_clock import MediaClock, report_media_clock
from streamer.prompt_pictures import show_pictures_promptly
from streamer.tracks import FaceTrack, VoiceTrack
from streamer.trickle import (
    MAX_CANDIDATES,
    BadFragmentError,
    Fragment,
    IceRestartError,
    TooManyCandidatesError,
)
from streamer.udp_ports import NoUdpPortError

log = logging.getLogger(__name__)
CHANNEL_LABEL = "control"
_LAST_WORDS_S = 0.2
_SECTIONS = (["application", "audio", "video"], ["application", "audio", "video", "video"])
_RECEIVES, _SENDS = ("sendrecv", "recvonly"), ("sendrecv", "sendonly")
# What aiortc raises on offers that are broken in one way or another.
_OFFER_ERRORS = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    StopIteration,
    InternalError,
    InvalidAccessError,
    InvalidStateError,
    OperationError,
)


class BadOfferError(AvatarError):
    """An SDP offer that cannot be answered."""


class PeerListener(Protocol):
    """Who wants to know what a peer does. All are called on the event loop."""

    def peer_connected(self) -> None:
        """Media can flow."""
        ...

    def peer_left(self, reason: str) -> None:
        """The connection is gone."""
        ...

    def peer_said(self, text: str) -> None:
        """A message came on the data channel."""
        ...


class Peer:
    """The server's end of a call."""

    def __init__(self, configuration: RTCConfiguration, listener: PeerListener) -> None:
        self.voice = VoiceTrack()
        self.face = FaceTrack()
        self.microphone: MediaStreamTrack | None = None
        self.camera: MediaStreamTrack | None = None
        self._listener = listener
        self._channel: RTCDataChannel | None = None
        self._ice_username = ""
        self._candidates = 0  # of the peer
        self._connection = RTCPeerConnection(configuration)
        self._connection.on("connectionstatechange", self._state_changed)
        self._connection.on("datachannel", self._channel_opened)
        self._connection.on("track", self._track_opened)

    async def answer(self, offer: str) -> str:
        """SDP offer to SDP answer. Raises `BadOfferError` and `NoUdpPortError`."""
        description = _check(offer)
        self._ice_username = _username(description)
        self._candidates = sum(len(section.ice_candidates) for section in description.media)
        connection = self._connection
        voice = connection.addTransceiver(self.voice, "sendrecv")
        voice.setCodecPreferences(_capabilities("audio", "audio/opus"))
        face = self._add_pictures(description)
        try:
            await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
            limit_encoder(face.sender, face._codecs[0])
            replace_jitter_buffer(voice.receiver, time.monotonic)
            media_clock = MediaClock()
            report_media_clock(voice.sender, self.voice, media_clock)
            report_media_clock(face.sender, self.face, media_clock)
            for transceiver in connection.getTransceivers():
                if transceiver.kind == "video":
                    show_pictures_promptly(transceiver.receiver)
            await connection.setLocalDescription(await connection.createAnswer())
        except _OFFER_ERRORS as error:
            raise BadOfferError(f"cannot answer this SDP offer: {error}") from error
        answer = str(connection.localDescription.sdp)
        if "a=candidate:" not in answer:
            raise NoUdpPortError("no way to send media from here: no free UDP port, or no relay")
        return answer

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
            way.setCodecPreferences(_capabilities("video", "video/"))  # VP8 comes first
        assert face is not None, "an offer without one is refused"
        return face

    async def add_candidates(self, fragment: Fragment) -> None:
        """Take candidates that came after the offer. Raises what `streamer.trickle` names."""
        if fragment.username != self._ice_username:
            raise IceRestartError("an ICE restart: expected candidates of the offer's ice-ufrag")
        self._candidates += len(fragment.candidates)
        if self._candidates > MAX_CANDIDATES:
            raise TooManyCandidatesError(
                f"{self._candidates} candidates: expected at most {MAX_CANDIDATES}"
            )
        last = [None] if fragment.is_last else []
        try:
            for candidate in [*fragment.candidates, *last]:
                await self._connection.addIceCandidate(candidate)
        except ValueError as error:
            raise BadFragmentError(f"candidates that cannot be used: {error}") from error

    def send(self, text: str) -> None:
        """Send a message, if the channel is open."""
        if self._channel is not None and self._channel.readyState == "open":
            self._channel.send(text)

    async def aclose(self) -> None:
        """Say what is still unsaid and hang up; safe to call twice."""
        channel = self._channel
        if channel is not None and channel.readyState == "open" and channel.bufferedAmount:
            await asyncio.sleep(_LAST_WORDS_S)
        self.voice.stop()
        self.face.stop()
        await self._connection.close()

    def _state_changed(self) -> None:
        state = self._connection.connectionState
        log.debug("peer is %s", state)
        if state == "connected":
            self._listener.peer_connected()
        elif state in ("failed", "closed"):
            self._listener.peer_left(f"connection {state}")

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


def _capabilities(kind: str, prefix: str) -> list[RTCRtpCodecCapability]:
    codecs = RTCRtpSender.getCapabilities(kind).codecs
    return [codec for codec in codecs if codec.mimeType.startswith(prefix)]


def _username(description: SessionDescription) -> str:
    """Of ICE; the sections of a bundle share it."""
    ice = description.media[0].ice
    return (ice.usernameFragment or "") if ice else ""


def _check(offer: str) -> SessionDescription:
    """One section of each kind, or a clear word about it."""
    try:
        description = SessionDescription.parse(offer)
    except _OFFER_ERRORS as error:
        raise BadOfferError(f"not an SDP offer: {offer[:40]!r}") from error
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
    candidates = sum(len(section.ice_candidates) for section in description.media)
    if candidates > MAX_CANDIDATES:
        raise BadOfferError(f"{candidates} candidates: expected at most {MAX_CANDIDATES}")
    return description
