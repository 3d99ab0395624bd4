"""Tells visitor and operator what a camera does."""

import logging
from collections.abc import Callable

from engine.api import AvatarError
from streamer.director import refusal
from streamer.metrics import Metrics
from streamer.protocol import Camera, Message, Refused
from streamer.puppetry import CameraState

log = logging.getLogger(__name__)


class CameraNews:
    """A `CameraListener`."""

    def __init__(self, say: Callable[[Message], None], metrics: Metrics) -> None:
        self._say = say
        self._metrics = metrics

    def camera_is(self, state: CameraState, faces: int) -> None:
        """Tell the visitor."""
        self._say(Camera(state, faces))

    def camera_took(self, seconds: float) -> None:
        """Note it."""
        self._metrics.camera_s.observe(seconds)

    def camera_failed(self, error: Exception) -> None:
        """Tell the visitor; the session goes on."""
        if isinstance(error, AvatarError):
            self._say(refusal(error))
        else:
            log.error("the camera failed", exc_info=error)
            self._say(Refused("camera_failed", "the camera cannot be followed any more"))
        self._metrics.errors.labels("camera_failed").inc()
