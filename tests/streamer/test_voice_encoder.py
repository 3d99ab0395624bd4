from fractions import Fraction

import av
import numpy as np

from streamer.voice_encoder import BITS_PER_S, LOOK_AHEAD_SAMPLES, VoiceEncoder
from tests.speech import syllables

PACKET = 960


def packets_of(wire: np.ndarray[tuple[int], np.dtype[np.int16]]) -> list[bytes]:
    encoder, payloads = VoiceEncoder(), list[bytes]()
    for begin in range(0, len(wire), PACKET):
        piece = wire[None, begin : begin + PACKET]
        frame = av.AudioFrame.from_ndarray(piece, format="s16", layout="mono")
        frame.sample_rate, frame.time_base = 48_000, Fraction(1, 48_000)
        frame.pts = 9600 + begin
        (payload,), timestamp = encoder.encode(frame)
        assert timestamp == begin, "counted from the first packet, one payload each"
        payloads.append(payload)
    return payloads


def test_speech_comes_back_as_it_was_after_the_promised_delay() -> None:
    wire = np.repeat(syllables(2.0, 3)[0], 3)[: 100 * PACKET]
    sent = np.convolve(wire, np.ones(9) / 9, "same") * 20_000
    payloads = packets_of(sent.astype(np.int16))
    rate = sum(map(len, payloads)) * 8 * 50 / len(payloads)
    assert rate < 1.6 * BITS_PER_S, "it varies with what is said"
    decoder = av.CodecContext.create("libopus", "r")
    assert isinstance(decoder, av.AudioCodecContext)
    decoder.format, decoder.layout, decoder.sample_rate = "s16", "mono", 48_000
    frames = [frame for payload in payloads for frame in decoder.decode(av.Packet(payload))]
    heard = np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames])
    delayed = sent[: len(heard) - LOOK_AHEAD_SAMPLES]
    assert np.corrcoef(delayed, heard[LOOK_AHEAD_SAMPLES:][: len(delayed)])[0, 1] > 0.98
