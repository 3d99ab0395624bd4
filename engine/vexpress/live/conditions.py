"""What a stream's frames are told, a chunk at a time: the voice, and where the face is."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from engine.api import Samples
from engine.vexpress.kps import Points, as_track
from engine.vexpress.live.avatar import VExpressAvatar
from engine.vexpress.live.hearing import LOOK_AHEAD_FRAMES, Hearing
from engine.vexpress.live.network import AUDIO, KPS

Guide = Callable[[Points], Tensor]  # points [frames, 3, 2] -> features [1, channels, frames, h, w]


class Conditions(Protocol):
    """What one visitor's frames are told."""

    def push(self, frame: Samples) -> Mapping[str, Tensor] | None:
        """Take one frame of samples; return the conditions of the chunk that is complete now."""
        ...

    def reset(self) -> None:
        """Forget everything; the next frame is number 0."""
        ...


class Voice:
    """The voice alone: the face stays where it is."""

    def __init__(self, hearing: Hearing) -> None:
        self._hearing = hearing

    def push(self, frame: Samples) -> Mapping[str, Tensor] | None:
        """See `Conditions.push`."""
        tokens = self._hearing.push(frame)
        return None if tokens is None else {AUDIO: tokens}

    def reset(self) -> None:
        """See `Conditions.reset`."""
        self._hearing.reset()


@dataclass(slots=True)
class _Place:
    """One place of a face, whose features are made once a frame needs them."""

    points: Points  # [3, 2] in the square that is generated
    features: Tensor | None = None  # [1, channels, 1, h, w]


class Places:
    """Where the face of one visitor's portrait is, frame by frame.

    A frame has the place that held when its samples came, however long it waits for its chunk.
    """

    def __init__(self, guide: Guide, avatar: VExpressAvatar, chunk_frames: int) -> None:
        self._guide, self._avatar, self._chunk_frames = guide, avatar, chunk_frames
        self._own = _Place(avatar.inward(avatar.points), avatar.kps)
        self._waiting: deque[_Place] = deque(maxlen=LOOK_AHEAD_FRAMES + chunk_frames)
        self.reset()

    def reset(self) -> None:
        """Forget all frames; the face is where the portrait has it."""
        self._now = self._own
        self._waiting.clear()

    def place(self, points: Points | None) -> None:
        """Let the face be at `points` [3, 2] in pixels of the still, or where the portrait has it.

        Raises `TrackError`.
        """
        if points is None:
            self._now = self._own
        else:
            self._now = _Place(self._avatar.inward(as_track([points])[0]))

    def place_inside(self, points: Points | None) -> None:
        """The same in pixels of the square that is generated; the same array costs nothing."""
        if points is None:
            self._now = self._own
        elif points is not self._now.points:
            self._now = _Place(points)

    def push(self) -> None:
        """One more frame has come."""
        self._waiting.append(self._now)

    def take(self) -> Tensor:
        """Features of the oldest chunk [1, channels, frames, h, w], which waits no longer."""
        oldest = [self._waiting.popleft() for _ in range(self._chunk_frames)]
        return torch.cat([self._features(place) for place in oldest], dim=2)

    def _features(self, place: _Place) -> Tensor:
        """One place at a time: libraries round otherwise where they see several together."""
        if place.features is None:
            place.features = self._guide(place.points[None])
        return place.features


class VoiceAndPlaces:
    """The voice, and a face that may be moved while it speaks."""

    def __init__(self, voice: Voice, places: Places) -> None:
        self._voice, self.places = voice, places

    def push(self, frame: Samples) -> Mapping[str, Tensor] | None:
        """See `Conditions.push`."""
        self.places.push()
        said = self._voice.push(frame)
        return None if said is None else {**said, KPS: self.places.take()}

    def reset(self) -> None:
        """See `Conditions.reset`."""
        self._voice.reset()
        self.places.reset()
