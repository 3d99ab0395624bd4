"""Encoders of one voice: mono Opus at 48 kHz, a packet of 20 ms at a time."""

from fractions import Fraction

import av

from engine.config import TIMING


def opus_encoder(bits_per_s: int, options: dict[str, str]) -> av.AudioCodecContext:
    """An encoder of 16-bit frames [960] to one packet each; `options` are libopus' own."""
    context = av.CodecContext.create("libopus", "w")
    assert isinstance(context, av.AudioCodecContext)
    context.sample_rate, context.layout, context.format = TIMING.wire_rate_hz, "mono", "s16"
    context.bit_rate = bits_per_s
    context.time_base = Fraction(1, TIMING.wire_rate_hz)
    context.options = {"frame_duration": str(TIMING.packet_ms), **options}
    return context
