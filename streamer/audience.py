"""All who are sent a session: those who watch, and the one who speaks in it."""

import asyncio
from collections.abc import Callable

import av
from aiortc.rtcrtpparameters import RTCRtpCodecParameters

from engine.api import AvatarError
from streamer.encoder_limits import live_encoder
from streamer.relay import Relay
from streamer.stage import Sight, Sound
from streamer.tracks import FaceTrack, VoiceTrack
from streamer.voice_encoder import VoiceEncoder


class SessionEndedError(AvatarError):
    """Somebody came to a session that is over."""


class Audience:
    """One relay per codec, shared by all who agreed on it."""

    def __init__(self, took_s: Callable[[float], None]) -> None:
        self._took_s = took_s  # told for every picture that was encoded
        self._relays: dict[str, Relay] = {}
        self._is_over = False

    @property
    def relays(self) -> dict[str, Relay]:
        """By media type, in lower case."""
        return self._relays

    @property
    def video_bits_per_s(self) -> int:
        """What all encoders of pictures are told to make at present."""
        return sum(each.bits_per_s for each in self._relays.values())

    def release(self, release: Sound | Sight[av.VideoFrame]) -> None:
        """Let sound or a picture go to all viewers."""
        for relay in self._relays.values():
            match relay.source, release:
                case VoiceTrack() as voice, Sound() as sound:
                    voice.release(sound)
                case FaceTrack() as face, Sight() as sight:
                    face.release(sight)

    def relay_for(self, codec: RTCRtpCodecParameters) -> Relay:
        """The relay of a codec; the first viewer who wants it brings it about.

        Raises `SessionEndedError`: nobody would ever stop a relay that begins after the end.
        """
        if self._is_over:
            raise SessionEndedError("the session ended in this moment: expected one that lives")
        name = codec.mimeType.lower()
        if name not in self._relays:
            self._relays[name] = (
                Relay(FaceTrack(), live_encoder(codec), self._took_s)
                if name.startswith("video/")
                else Relay(VoiceTrack(), VoiceEncoder(), is_quick=True)
            )
        return self._relays[name]

    async def aclose(self) -> None:
        """Stop all encoders, and let none begin."""
        self._is_over = True
        await asyncio.gather(*(relay.aclose() for relay in self._relays.values()))
        self._relays.clear()
