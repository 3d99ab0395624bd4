"""Numbers for Prometheus; each app has its own registry."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.registry import Collector

_LIPS_BUCKETS_S = (0.1, 0.12, 0.14, 0.16, 0.18, 0.2, 0.25, 0.3, 0.4, 0.6, 1.0)
_CAMERA_BUCKETS_S = (0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.12, 0.2, 0.5)
_SKEW_BUCKETS_S = (0.005, 0.01, 0.02, 0.03, 0.045, 0.06, 0.1, 0.12)
_ENCODER_BUCKETS_S = (0.001, 0.002, 0.003, 0.004, 0.006, 0.01, 0.02, 0.04)
_ENGINE_BUCKETS_S = (0.004, 0.008, 0.012, 0.016, 0.02, 0.03, 0.04, 0.08, 0.2)


class Metrics:
    """All that `/metrics` shows."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.sessions = Gauge(
            "vexpress_sessions", "Sessions that are open now.", registry=self._registry
        )
        self.frames = Counter(
            "vexpress_frames",
            "Frames by what became of them: shown, repeated, dropped, repaired by the engine.",
            ["outcome"],
            registry=self._registry,
        )
        self.dropped_samples = Counter(
            "vexpress_dropped_samples",
            "Samples that came in and were never played.",
            registry=self._registry,
        )
        self.mic_to_lips_s = Histogram(
            "vexpress_mic_to_lips_seconds",
            "From a frame's last microphone packet to the release of its picture.",
            buckets=_LIPS_BUCKETS_S,
            registry=self._registry,
        )
        self.engine_s = Histogram(
            "vexpress_engine_seconds_per_frame",
            "Time of the engine per frame.",
            buckets=_ENGINE_BUCKETS_S,
            registry=self._registry,
        )
        self.engine_restarts = Counter(
            "vexpress_engine_restarts",
            "Engine processes that died or hung.",
            registry=self._registry,
        )
        self.renewed_streams = Counter(
            "vexpress_renewed_streams",
            "Sessions that went on with another stream after their engine process had ended.",
            registry=self._registry,
        )
        self.camera_s = Histogram(
            "vexpress_camera_seconds",
            "From the arrival of a picture of a visitor's camera to what it shows of the face.",
            buckets=_CAMERA_BUCKETS_S,
            registry=self._registry,
        )
        self.skew_s = Histogram(
            "vexpress_skew_seconds",
            "Release of a picture minus release of its own sound.",
            buckets=_SKEW_BUCKETS_S,
            registry=self._registry,
        )
        self.refused = Counter(
            "vexpress_refused",
            "Sessions that were refused: full, cost, draining, not_ready, engine_restarts.",
            ["reason"],
            registry=self._registry,
        )
        self.encoder_s = Histogram(
            "vexpress_encoder_seconds_per_frame",
            "Time of coding a picture for WebRTC, once for all who take the same.",
            buckets=_ENCODER_BUCKETS_S,
            registry=self._registry,
        )
        self.socket_encoder_s = Histogram(
            "vexpress_socket_encoder_seconds_per_frame",
            "Time of coding a picture for a websocket.",
            buckets=_ENCODER_BUCKETS_S,
            registry=self._registry,
        )
        self.socket_bytes = Counter(
            "vexpress_socket_bytes",
            "Coded for websockets: sound, picture.",
            ["kind"],
            registry=self._registry,
        )
        self.slow_readers = Counter(
            "vexpress_slow_readers",
            "Websockets that were closed because nobody read.",
            registry=self._registry,
        )
        self.errors = Counter(
            "vexpress_errors", "Errors by code.", ["code"], registry=self._registry
        )

    def watch(self, numbers: Collector) -> None:
        """Show what is read only when it is asked for, too."""
        self._registry.register(numbers)

    def text(self) -> bytes:
        """The Prometheus exposition."""
        return generate_latest(self._registry)
