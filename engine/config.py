"""The clock of the project: every rate has its home here and derived numbers are exact."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How audio time maps to video time. All rates are whole numbers per second."""

    sample_rate_hz: int = 16_000
    frame_rate_hz: int = 25
    wire_rate_hz: int = 48_000
    packet_ms: int = 20

    def __post_init__(self) -> None:
        if self.sample_rate_hz % self.frame_rate_hz:
            raise ValueError(
                f"{self.sample_rate_hz} Hz audio has no whole {self.frame_rate_hz} Hz frame"
            )
        if self.wire_rate_hz % self.sample_rate_hz:
            raise ValueError(
                f"{self.wire_rate_hz} Hz is no whole multiple of {self.sample_rate_hz} Hz"
            )
        if self.wire_rate_hz * self.packet_ms % 1000:
            raise ValueError(f"{self.packet_ms} ms holds no whole number of samples")

    @property
    def samples_per_frame(self) -> int:
        """Engine samples that belong to one video frame."""
        return self.sample_rate_hz // self.frame_rate_hz

    @property
    def wire_samples_per_packet(self) -> int:
        """Samples in one Opus packet on the wire."""
        return self.wire_rate_hz * self.packet_ms // 1000

    @property
    def packet_samples(self) -> int:
        """Engine samples in the time of one Opus packet."""
        return self.sample_rate_hz * self.packet_ms // 1000

    @property
    def frame_s(self) -> float:
        """Seconds per video frame."""
        return 1 / self.frame_rate_hz


TIMING = Timing()
