from aiortc import RTCPeerConnection
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtp import RtpPacket

from streamer.prompt_pictures import CAPACITY_PACKETS, PromptPictures, show_pictures_promptly


def packet(number: int, picture: int, *, is_last: bool) -> RtpPacket:
    made = RtpPacket(sequence_number=number % 65_536, timestamp=picture * 3600, marker=is_last)
    made._data = bytes([number % 256])  # type: ignore[attr-defined]
    return made


def film(pictures: int, marked: bool = True) -> list[RtpPacket]:
    """Three packets a picture."""
    return [
        packet(65_530 + 3 * picture + part, picture, is_last=marked and part == 2)
        for picture in range(pictures)
        for part in range(3)
    ]


def shown(buffer: JitterBuffer, packets: list[RtpPacket]) -> list[tuple[int, int]]:
    """At which packet which picture came out."""
    found = []
    for place, one in enumerate(packets):
        _, frame = buffer.add(one)
        if frame is not None:
            assert len(frame.data) == 3
            found.append((place, frame.timestamp // 3600))
    return found


def test_a_picture_comes_with_its_last_packet() -> None:
    assert shown(PromptPictures(), film(4)) == [(2, 0), (5, 1), (8, 2), (11, 3)]
    usual = JitterBuffer(capacity=128, is_video=True)
    assert shown(usual, film(4))[:2] == [(3, 0), (6, 1)]


def test_packets_in_the_wrong_order_are_put_right() -> None:
    packets = film(3)
    packets[3], packets[4] = packets[4], packets[3]
    assert shown(PromptPictures(), packets) == [(2, 0), (5, 1), (8, 2)]


def test_without_markers_a_picture_comes_with_the_next_one() -> None:
    assert shown(PromptPictures(), film(3, marked=False)) == [(3, 0), (6, 1)]


def test_after_a_loss_a_key_frame_is_asked_for() -> None:
    buffer = PromptPictures()
    lossy = film(CAPACITY_PACKETS)
    del lossy[4]
    asked = [buffer.add(one)[0] for one in lossy]
    assert any(asked)
    assert shown(buffer, film(CAPACITY_PACKETS + 2)[-6:]), "and pictures come again"


async def test_it_replaces_the_buffer_of_a_receiver() -> None:
    connection = RTCPeerConnection()
    receiver = connection.addTransceiver("video").receiver
    show_pictures_promptly(receiver)
    assert isinstance(getattr(receiver, "_RTCRtpReceiver__jitter_buffer"), PromptPictures)  # noqa: B009
    await connection.close()
