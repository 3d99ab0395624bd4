"""What can go wrong with a runner."""

from engine.api import AvatarError


class RunnerError(AvatarError):
    """A runner was not used as agreed."""


class ShapeNotCapturedError(RunnerError):
    """A tensor came in a shape or type, or on a device, that was not captured."""


class CaptureError(RunnerError):
    """A function could not be compiled or captured."""
