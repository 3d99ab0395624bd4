"""Encoded once, sent to many: what one encoder makes goes to every viewer of a session."""

import asyncio
import logging
import statistics
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import av
from aiortc import RTCRtpSender
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av.frame import Frame

from streamer.encoder_limits import LiveEncoder, hear_losses
from streamer.jitter import UnsupportedAiortcError, check_aiortc
from streamer.stage import Sight, Sound
from streamer.tracks import FaceTrack, VoiceTrack

log = logging.getLogger(__name__)
CAPACITY_FRAMES = 10  # of a viewer who cannot be sent to as fast as frames come
_ENCODER_NAME, _KEY_FRAME_NAME = "_RTCRtpSender__encoder", "_send_keyframe"


class Encoder(Protocol):
    """Makes RTP payloads of frames, as the encoders of aiortc do."""

    def encode(self, frame: Frame, force_keyframe: bool = False) -> tuple[list[bytes], int]:
        """One frame to payloads and its time stamp."""
        ...


def _nobody(_: float) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """One frame, ready to be sent."""

    payloads: list[bytes]
    timestamp: int


class Relay:
    """One encoder, its source, and those who take what it makes; without them it rests."""

    def __init__(
        self,
        source: VoiceTrack | FaceTrack,
        encoder: Encoder,
        took_s: Callable[[float], None] = _nobody,
        *,
        is_quick: bool = False,
    ) -> None:
        self.source = source
        self.encoded_frames = 0
        self._encoder = encoder
        self._took_s = took_s  # told for each frame, in the thread that encodes
        self._is_quick = is_quick  # to encode: handing it to a thread would take longer
        self._losses: dict[RelayTrack, float] = {}
        self._told_drops = 0
        self._takers: dict[RelayTrack, int | None] = {}  # and the bit rates that they could take
        self._wants_key = False
        self._task = asyncio.create_task(self._run(), name=f"{source.kind} relay")

    @property
    def bits_per_s(self) -> int:
        """What is sent to each viewer; 0 while the encoder rests, and for sound."""
        return getattr(self._encoder, "target_bitrate", 0) if self._takers else 0

    def join(self, taker: "RelayTrack") -> None:
        """Send to one more, who begins with a key frame; once is enough."""
        if taker not in self._takers:
            self._takers[taker] = None
            self.request_key_frame()

    def leave(self, taker: "RelayTrack") -> None:
        """Send to one less."""
        self._takers.pop(taker, None)
        self._losses.pop(taker, None)

    def request_key_frame(self) -> None:
        """Let the next frame be decodable by itself; one does for all who ask meanwhile."""
        self._wants_key = True

    def estimate(self, taker: "RelayTrack", bits_per_s: int) -> None:
        """What one viewer could take. The median counts: one on a bad line spoils no other's."""
        if taker in self._takers:
            self._takers[taker] = bits_per_s
            known = [rate for rate in self._takers.values() if rate is not None]
            if hasattr(self._encoder, "target_bitrate"):
                self._encoder.target_bitrate = statistics.median_low(known)

    def lost(self, taker: "RelayTrack", share: float) -> None:
        """This share of one viewer's packets was lost. Again the median counts."""
        if taker in self._takers and isinstance(self._encoder, LiveEncoder):
            self._losses[taker] = share
            self._encoder.wishes.rate.lost(statistics.median_low(self._losses.values()))

    async def aclose(self) -> None:
        """Stop encoding."""
        self.source.stop()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                frame = await self.source.recv()
            except MediaStreamError:
                return
            if not self._takers:
                if not self.encoded_frames:
                    self.source.first_s = None  # the encoder's time begins with its first frame
                continue
            wants_key, self._wants_key = self._wants_key, False
            try:
                if self._is_quick:
                    payloads, timestamp = self._encode(frame, wants_key)
                else:
                    payloads, timestamp = await loop.run_in_executor(
                        None, self._encode, frame, wants_key
                    )
            except Exception:  # viewers must not end the session that they watch
                log.exception("a frame for viewers could not be encoded")
                continue
            self.encoded_frames += 1
            if payloads:  # none while an encoder still collects
                self._give(Encoded(payloads, timestamp))

    def _encode(self, frame: Frame, wants_key: bool) -> tuple[list[bytes], int]:
        begin_s = time.perf_counter()
        encoded = self._encoder.encode(frame, wants_key)
        self._took_s(time.perf_counter() - begin_s)
        return encoded

    def _give(self, encoded: Encoded) -> None:
        drops = self.source.dropped - self._told_drops
        self._told_drops += drops
        for taker in list(self._takers):
            taker.dropped += drops  # the encoder was too slow for all of them
            taker.put(encoded)


class RelayTrack(MediaStreamTrack):
    """Frames on their way to one viewer; also the sender's encoder, with nothing left to do."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.dropped = 0
        self._relay: Relay | None = None
        self._frames: deque[Encoded] = deque()
        self._changed = asyncio.Event()
        self._bits_per_s = 0

    def attach(self, sender: RTCRtpSender, relay: Relay) -> None:
        """Pass on what the relay makes, through a sender that has not begun yet.

        The first frame is made for it once it begins: what came before would be late.
        """
        check_aiortc()
        for name in (_ENCODER_NAME, _KEY_FRAME_NAME):
            if not hasattr(sender, name):
                raise UnsupportedAiortcError(f"RTCRtpSender has no {name}")
        setattr(sender, _ENCODER_NAME, self)
        setattr(sender, _KEY_FRAME_NAME, relay.request_key_frame)
        self._relay = relay
        hear_losses(sender, lambda share: relay.lost(self, share))

    def release(self, release: Sound | Sight[av.VideoFrame]) -> None:
        """Do nothing: the source of the relay is given each of them, for all at once."""

    def put(self, encoded: Encoded) -> None:
        """Send one frame soon. When too many wait, all go: a gap in them could not be decoded."""
        if len(self._frames) >= CAPACITY_FRAMES:
            self.dropped += len(self._frames)
            self._frames.clear()
            if self._relay is not None:
                self._relay.request_key_frame()
        self._frames.append(encoded)
        self._changed.set()

    async def recv(self) -> Encoded:  # type: ignore[override]  # aiortc hands it to `pack`
        """Wait for the next frame."""
        if self._relay is not None:
            self._relay.join(self)
        while not self._frames:
            if self.readyState != "live":
                raise MediaStreamError
            self._changed.clear()
            await self._changed.wait()
        return self._frames.popleft()

    def pack(self, encoded: Encoded) -> tuple[list[bytes], int]:
        """Payloads and time stamp: they are there already."""
        return encoded.payloads, encoded.timestamp

    @property
    def target_bitrate(self) -> int:
        """What this viewer could take, in bits per second."""
        return self._bits_per_s

    @target_bitrate.setter
    def target_bitrate(self, bits_per_s: int) -> None:
        self._bits_per_s = bits_per_s
        if self._relay is not None:
            self._relay.estimate(self, bits_per_s)

    def stop(self) -> None:
        """Leave the relay."""
        super().stop()
        if self._relay is not None:
            self._relay.leave(self)
        self._frames.clear()
        self._changed.set()
