"""Sender reports that tell browsers which sound belongs to which picture.

A browser aligns two tracks by the pair of wall clock and media time in their sender reports. aiortc
pairs the time stamp of the last packet with the moment it was sent, so the encoder's time becomes
an offset between lips and sound. Here both tracks' pairs lie on one line: the media clock.
"""

from aiortc import RTCRtpSender, clock
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtcrtpsender import RTCEncodedFrame
from aiortc.rtp import AnyRtcpPacket, RtcpSrPacket

from streamer.jitter import UnsupportedAiortcError, check_aiortc
from streamer.tracks import FaceTrack, VoiceTrack

_NTP_ONE_S = 1 << 32
_LAST_REPORT_NAME = "_RTCRtpSender__lsr"
_NAMES = (_LAST_REPORT_NAME, "_next_encoded_frame", "_send_rtcp")


class MediaClock:
    """Wall clock of a media time; the line is fixed by whoever asks first."""

    def __init__(self) -> None:
        self._origin_ntp: int | None = None

    def ntp(self, media_s: float, now_ntp: int) -> int:
        """When this second of the media happened, as an NTP time stamp."""
        elapsed = round(media_s * _NTP_ONE_S)
        if self._origin_ntp is None:
            self._origin_ntp = now_ntp - elapsed
        return self._origin_ntp + elapsed


def report_media_clock(
    sender: RTCRtpSender, track: VoiceTrack | FaceTrack, media_clock: MediaClock
) -> None:
    """Let a sender's reports follow the media clock, before its first frame."""
    check_aiortc()
    for name in _NAMES:
        if not hasattr(sender, name):
            raise UnsupportedAiortcError(f"RTCRtpSender has no {name}")
    encode_next, send_reports = sender._next_encoded_frame, sender._send_rtcp
    last = 0  # time stamp of the encoded frame that was sent last, without the random origin

    async def note_next(codec: RTCRtpCodecParameters) -> RTCEncodedFrame | None:
        nonlocal last
        encoded = await encode_next(codec)
        last = encoded.timestamp if encoded else last
        return encoded

    async def send(packets: list[AnyRtcpPacket]) -> None:
        for packet in packets:
            if isinstance(packet, RtcpSrPacket) and track.origin_s is not None:
                media_s = track.origin_s + last / track.rate_hz
                ntp = media_clock.ntp(media_s, clock.current_ntp_time())
                packet.sender_info.ntp_timestamp = ntp
                setattr(sender, _LAST_REPORT_NAME, ntp >> 16 & 0xFFFFFFFF)
        await send_reports(packets)

    sender._next_encoded_frame = note_next  # type: ignore[method-assign]
    sender._send_rtcp = send  # type: ignore[method-assign]
