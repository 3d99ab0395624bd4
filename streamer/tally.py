"""Turns a stage's counts into the message and the metrics of one second."""

from typing import Any

from streamer.metrics import Metrics
from streamer.protocol import Stats
from streamer.stage import Stage


class Tally:
    """Remembers what was already added to the metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._last = Stats(0, 0, 0, 0, 0.0, None, 0.0, False)
        self._repaired_frames = 0

    def take(self, stage: Stage[Any], dropped_by_track: int, repaired_frames: int) -> Stats:
        """The statistics of the second that ends now; both counts are of the whole session."""
        playout, readings = stage.playout, stage.readings
        stats = Stats(
            shown_frames=playout.shown_frames,
            repeated_frames=playout.repeated_frames,
            dropped_frames=playout.dropped_frames + dropped_by_track,
            dropped_samples=stage.dropped_samples,
            fps=float(readings.shown_frames),
            mic_to_lips_ms=readings.median_mic_to_lips_ms,
            skew_ms=readings.mean_skew_ms,
            speaking=readings.speaking,
        )
        frames = self._metrics.frames
        frames.labels("shown").inc(stats.shown_frames - self._last.shown_frames)
        frames.labels("repeated").inc(stats.repeated_frames - self._last.repeated_frames)
        frames.labels("dropped").inc(stats.dropped_frames - self._last.dropped_frames)
        frames.labels("repaired").inc(repaired_frames - self._repaired_frames)
        self._repaired_frames = repaired_frames
        self._metrics.dropped_samples.inc(stats.dropped_samples - self._last.dropped_samples)
        for lips_s in readings.mic_to_lips_s:
            self._metrics.mic_to_lips_s.observe(lips_s)
        for skew_s in readings.skew_s:
            self._metrics.skew_s.observe(skew_s)
        self._last = stats
        return stats
