"""Binary messages of `/v1/stream`: a header of 24 bytes, then sound or a picture.

Pictures and sound share one clock of 48 kHz: frame k of the session begins at 1920 k. Used by the
server and by the client library.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum

from engine.api import AvatarError
from engine.config import TIMING

CLOCK_HZ = TIMING.wire_rate_hz
TICKS_PER_FRAME = CLOCK_HZ // TIMING.frame_rate_hz
HEADER = struct.Struct("<BBHIIIQ")  # kind, codec, flags, epoch, frame, dropped, pts


class BadWireError(AvatarError):
    """Bytes that are no message of `/v1/stream`."""


class Kind(IntEnum):
    """What a message holds."""

    SOUND = 1
    PICTURE = 2


class Codec(IntEnum):
    """How it is coded."""

    PCM = 1  # 16-bit little-endian, 48 kHz, one channel
    OPUS = 2
    JPEG = 3
    H264 = 4  # Annex B


class Flag(IntEnum):
    """Bits of a message's flags."""

    KEY = 1  # a picture that needs none before it


@dataclass(frozen=True, slots=True)
class Packet:
    """One message."""

    kind: Kind
    codec: Codec
    flags: int
    epoch: int
    frame: int  # counted through the session
    dropped: int  # pictures that were left out for this reader so far
    pts: int  # ticks of `CLOCK_HZ`
    payload: bytes


def pack(packet: Packet) -> bytes:
    """As it is sent."""
    head = HEADER.pack(
        packet.kind,
        packet.codec,
        packet.flags,
        packet.epoch,
        packet.frame,
        packet.dropped,
        packet.pts,
    )
    return head + packet.payload


def unpack(data: bytes) -> Packet:
    """As it was packed. Raises `BadWireError`."""
    if len(data) < HEADER.size:
        raise BadWireError(f"{len(data)} bytes: expected a header of {HEADER.size}")
    kind, codec, *numbers = HEADER.unpack_from(data)
    try:
        known = Kind(kind), Codec(codec)
    except ValueError as error:
        raise BadWireError(f"kind {kind}, codec {codec}: expected known ones") from error
    flags, epoch, frame, dropped, pts = numbers
    return Packet(*known, flags, epoch, frame, dropped, pts, data[HEADER.size :])
