"""One who watches: sound and picture out, nothing in (the shape of WHEP)."""

from aiortc import RTCConfiguration

from streamer.audience import Audience
from streamer.connection import (
    OFFER_ERRORS,
    BadOfferError,
    Connection,
    ConnectionListener,
    capabilities,
)
from streamer.media_clock import MediaClock, report_media_clock
from streamer.one_way import OneWay
from streamer.relay import RelayTrack

_CODECS = {"audio": "audio/opus", "video": "video/"}
_OFFER = OneWay(
    direction="recvonly",
    sections=(("audio",), ("video",), ("audio", "video")),
    expected="one audio section, one video section, or both",
)


class Viewer(Connection):
    """Sends what an audience is sent."""

    def __init__(
        self, configuration: RTCConfiguration, listener: ConnectionListener, audience: Audience
    ) -> None:
        super().__init__(configuration, listener)
        self._audience = audience
        self._tracks: list[RelayTrack] = []

    async def answer(self, offer: str) -> str:
        """SDP offer to SDP answer. Raises `BadOfferError` and `NoUdpPortError`."""
        kinds = _OFFER.check(self._read(offer))
        self._tracks = [RelayTrack(kind) for kind in kinds]
        senders = []
        for track in self._tracks:
            sender = self._connection.addTransceiver(track, "sendonly")
            sender.setCodecPreferences(capabilities(track.kind, _CODECS[track.kind]))
            senders.append(sender)
        try:
            await self._hear_offer(offer)
            media_clock = MediaClock()
            for track, transceiver in zip(self._tracks, senders, strict=True):
                relay = self._audience.relay_for(transceiver._codecs[0])
                track.attach(transceiver.sender, relay)
                report_media_clock(transceiver.sender, relay.source, media_clock)
            return await self._make_answer()
        except OFFER_ERRORS as error:
            raise BadOfferError(f"cannot answer this SDP offer: {error}") from error

    async def aclose(self) -> None:
        """Leave the audience and hang up; safe to call twice."""
        for track in self._tracks:
            track.stop()
        await super().aclose()
