"""A simulated loopback with known delays: the whole reading of a call finds them."""

from fractions import Fraction

import numpy as np
import pytest
from aiortc.codecs.vpx import Vp8Encoder, vp8_depayload
from aiortc.jitterbuffer import JitterFrame
from av import VideoFrame
from numpy.typing import NDArray

from benchmarks.call import Microphone, Notes, wire_packets
from benchmarks.curves import Floats
from benchmarks.lips import Findings, find
from benchmarks.receiving import developed
from engine.api import Samples, StreamOptions
from engine.config import TIMING
from tests.fakes import FakeAvatar, FakeStream
from tests.speech import syllables

SILENT_S = 2.0
BEGUN_S = 100.0
PACKET_S = TIMING.packet_ms / 1000


def encoded(pictures: list[NDArray[np.uint8]]) -> list[JitterFrame]:
    """Pictures as they lie in the film of a call: real VP8, of which a few may be left out."""
    encoder, film = Vp8Encoder(), []
    for number, picture in enumerate(pictures):
        frame = VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = number * 3600, Fraction(1, 90_000)
        payloads, timestamp = encoder.encode(frame)
        data = b"".join(vp8_depayload(part) for part in payloads)
        film += [JitterFrame(data, timestamp)] if data else []
    return film


def loopback(ears_s: float, skew_s: float) -> tuple[Notes, Floats]:
    """A call whose server shows frame k, and plays its samples, at known times."""
    words, onsets_s = syllables(12, 5)
    samples: Samples = np.concatenate([np.zeros(round(SILENT_S * 16_000), np.float32), words])
    notes = Notes(Microphone(samples))
    count = len(notes.microphone.packets)
    notes.microphone.sent_s = [BEGUN_S + n * PACKET_S for n in range(count)]
    for number, packet in enumerate(wire_packets(samples)):
        at_s = BEGUN_S + number * PACKET_S + ears_s
        notes.sound.decoded_s.append(at_s)
        notes.sound.media_s.append(number * PACKET_S)
        notes.sound.packets.append(packet)
    still = np.full((128, 128, 3), 90, np.uint8)
    stream = FakeStream(FakeAvatar("grey", still), StreamOptions(), look_ahead_frames=0)
    units = stream.push(samples)
    notes.pictures.film = encoded([unit.picture for unit in units])
    first_s = BEGUN_S + ears_s + skew_s
    stamps = [item.timestamp for item in notes.pictures.film]
    notes.pictures.arrived_s = [first_s + stamp / 90_000 for stamp in stamps]
    notes.shown = list(zip(stamps, notes.pictures.arrived_s, strict=True))
    return notes, onsets_s + SILENT_S


@pytest.mark.parametrize(("ears_s", "skew_s"), [(0.137, 0.0), (0.21, 0.06), (0.3, -0.08)])
def test_known_delays_are_found_to_within_a_frame(ears_s: float, skew_s: float) -> None:
    notes, onsets_s = loopback(ears_s, skew_s)
    found = find(notes, onsets_s, SILENT_S)
    assert found.method == "difference"
    assert len(found.milliseconds("lips_s")) == len(onsets_s) > 5
    frame_ms = TIMING.frame_s * 1000
    # The onset lies somewhere in its frame and in its packet.
    late_ms = found.milliseconds("lips_s") - (ears_s + skew_s) * 1000
    assert (np.abs(late_ms) <= frame_ms).all()
    np.testing.assert_allclose(found.milliseconds("ears_s"), ears_s * 1000, atol=6)
    assert found.milliseconds("skew_s").mean() == pytest.approx(
        skew_s * 1000 - frame_ms / 2, abs=frame_ms / 2
    )


@pytest.mark.parametrize(("ears_s", "skew_s"), [(0.137, 0.0), (0.21, 0.06), (0.3, -0.08)])
def test_whole_curves_tell_the_same_within_half_a_frame(ears_s: float, skew_s: float) -> None:
    notes, onsets_s = loopback(ears_s, skew_s)
    found = find(notes, onsets_s, SILENT_S)
    half_ms = TIMING.frame_s * 1000 / 2
    assert lag_ms(found, "sent_to_heard") == pytest.approx(ears_s * 1000, abs=3)
    assert lag_ms(found, "sent_to_mouth") == pytest.approx((ears_s + skew_s) * 1000, abs=half_ms)
    assert lag_ms(found, "heard_to_mouth") == pytest.approx(skew_s * 1000, abs=half_ms)


def lag_ms(found: Findings, name: str) -> float:
    return float(getattr(found, name).delay_s * 1000)


def test_a_mouth_that_never_moves_is_not_measured() -> None:
    notes, onsets_s = loopback(0.2, 0.0)
    still = [np.full((128, 128, 3), 90, np.uint8)] * 350
    notes.pictures.film = encoded(still)[: len(notes.shown)]
    for item, (stamp, _) in zip(notes.pictures.film, notes.shown, strict=True):
        item.timestamp = stamp
    found = find(notes, onsets_s, SILENT_S)
    assert not len(found.milliseconds("lips_s"))
    assert not len(found.milliseconds("skew_s"))
    assert len(found.milliseconds("ears_s")) == len(onsets_s)


def test_pictures_that_were_not_decoded_are_left_out_and_equal_stamps_kept_apart() -> None:
    notes = Notes(Microphone(np.zeros(640, np.float32)))
    notes.pictures.film = [JitterFrame(b"", stamp) for stamp in (0, 3600, 3600, 7200)]
    notes.pictures.arrived_s = [0.0, 0.1, 0.2, 0.3]
    notes.shown = [(0, 0.01), (3600, 0.11), (3600, 0.21)]
    assert [picture.shown_s for picture in notes.film()] == [0.01, 0.11, 0.21]
    notes.shown = [(0, 0.01), (7200, 0.31)]
    assert [picture.arrived_s for picture in notes.film()] == [0.0, 0.3]


def test_the_film_is_what_was_painted() -> None:
    pictures = [np.full((64, 64, 3), shade, np.uint8) for shade in (20, 90, 200)]
    shades = [float(np.mean(picture)) for picture in developed(encoded(pictures))]
    assert shades == pytest.approx([20, 90, 200], abs=3)


def test_the_wire_carries_the_sound_without_shift() -> None:
    samples = syllables(3, 1)[0]
    wire = np.concatenate(wire_packets(samples))
    again = wire[: len(samples) * 3 : 3] / 32767
    assert np.corrcoef(again, samples)[0, 1] > 0.99
