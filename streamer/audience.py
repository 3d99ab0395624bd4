"""Those who watch a session, beside the one who speaks in it."""

import asyncio

import av
from aiortc.codecs import get_encoder
from aiortc.rtcrtpparameters import RTCRtpCodecParameters

from streamer.encoder_limits import LiveH264Encoder, LiveVp8Encoder
from streamer.relay import Relay
from streamer.stage import Sight, Sound
from streamer.tracks import FaceTrack, VoiceTrack

_VIDEO_ENCODERS = {"video/vp8": LiveVp8Encoder, "video/h264": LiveH264Encoder}


class Audience:
    """One relay per codec, shared by all viewers who agreed on it."""

    def __init__(self) -> None:
        self._relays: dict[str, Relay] = {}

    @property
    def relays(self) -> dict[str, Relay]:
        """By media type, in lower case."""
        return self._relays

    def release(self, release: Sound | Sight[av.VideoFrame]) -> None:
        """Let sound or a picture go to all viewers."""
        for relay in self._relays.values():
            match relay.source, release:
                case VoiceTrack() as voice, Sound() as sound:
                    voice.release(sound)
                case FaceTrack() as face, Sight() as sight:
                    face.release(sight)

    def relay_for(self, codec: RTCRtpCodecParameters) -> Relay:
        """The relay of a codec; the first viewer who wants it brings it about."""
        name = codec.mimeType.lower()
        if name not in self._relays:
            make_video = _VIDEO_ENCODERS.get(name)
            self._relays[name] = (
                Relay(FaceTrack(), make_video())
                if make_video
                else Relay(VoiceTrack(), get_encoder(codec))
            )
        return self._relays[name]

    async def aclose(self) -> None:
        """Stop all encoders."""
        await asyncio.gather(*(relay.aclose() for relay in self._relays.values()))
        self._relays.clear()
