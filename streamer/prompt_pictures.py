"""Our own inbound video jitter buffer, in place of aiortc's.

aiortc knows that a picture is whole when the first packet of the next one comes, a frame later. The
marker bit of its last packet says so at once (RFC 7741, section 4.1; RFC 6184, section 5.1).
"""

from aiortc import RTCRtpReceiver
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.rtp import RtpPacket

from streamer.jitter import BUFFER_NAME, UnsupportedAiortcError, check_aiortc

CAPACITY_PACKETS = 64  # about a second of a camera; after that a key frame is asked for


class PromptPictures(JitterBuffer):
    """Gives a picture out with its last packet."""

    def __init__(self) -> None:
        super().__init__(capacity=CAPACITY_PACKETS, is_video=True)

    def _remove_frame(self, sequence_number: int) -> JitterFrame | None:
        packets: list[RtpPacket] = []
        assert self._origin is not None, "a packet was added before"
        for count in range(self.capacity):
            packet = self._packets[(self._origin + count) % self.capacity]
            if packet is None or (packets and packet.timestamp != packets[0].timestamp):
                break
            packets.append(packet)
            if packet.marker:
                self.remove(count + 1)
                data = b"".join(part._data for part in packets)  # type: ignore[attr-defined]
                return JitterFrame(data=data, timestamp=packet.timestamp)
        return super()._remove_frame(sequence_number)  # a picture without a marker


def show_pictures_promptly(receiver: RTCRtpReceiver) -> None:
    """Give a video receiver our buffer, before its first packet."""
    check_aiortc()
    if not hasattr(receiver, BUFFER_NAME):
        raise UnsupportedAiortcError(f"RTCRtpReceiver has no {BUFFER_NAME}")
    setattr(receiver, BUFFER_NAME, PromptPictures())
