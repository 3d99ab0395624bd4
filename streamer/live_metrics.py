"""Numbers that are read when somebody asks: how full everything is now."""

from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from engine.config import TIMING
from streamer.sessions import Sessions
from streamer.studio import Studio

STATES = ("connecting", "live", "away", "closing")


class LiveNumbers(Collector):
    """Sessions by state, queues and costs."""

    def __init__(self, sessions: Sessions, studio: Studio) -> None:
        self._sessions = sessions
        self._studio = studio

    def collect(self) -> Iterator[Metric]:
        """Called by the registry for each scrape."""
        running = self._sessions.running
        states = Counter(session.state for session in running)
        yield _labelled(
            "vexpress_sessions_by_state",
            "Sessions that are open now.",
            "state",
            {state: states[state] for state in STATES},
        )
        costs = self._sessions.load.costs
        yield _labelled(
            "vexpress_cost_seconds_per_frame",
            "What admission reckons with.",
            "of",
            {"engine": costs.engine_s, "streaming": costs.streaming_s},
        )
        yield GaugeMetricFamily(
            "vexpress_queued_jobs",
            "Pushes that wait for an engine.",
            sum(lane.worker.queued_jobs for lane in self._studio.lanes),
        )
        yield GaugeMetricFamily(
            "vexpress_queued_speech_seconds",
            "Speech that waits in all sessions.",
            sum(len(session.speech) for session in running) / TIMING.sample_rate_hz,
        )
        yield GaugeMetricFamily(
            "vexpress_video_bits_per_second",
            "What all encoders of pictures for WebRTC are told to make.",
            sum(session.audience.video_bits_per_s for session in running),
        )
        yield GaugeMetricFamily(
            "vexpress_engines_ready",
            "Engines that can take a visitor.",
            sum(lane.is_ready for lane in self._studio.lanes),
        )


def _labelled(name: str, text: str, label: str, values: dict[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family
