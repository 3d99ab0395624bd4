"""Bring the motion of a track to the face of a portrait.

A face is [3, 2]: the eye on the picture's left, the eye on its right, the nose; see `kps`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from engine.vexpress.kps import NOSE, Points, TrackError

TINY = 1e-6  # keeps a ratio finite
NO_LIMIT = 10_000.0


class Strategy(StrEnum):
    """How the portrait's face is moved; the published names, and one of our own."""

    FIX_FACE = "fix_face"
    NO_RETARGET = "no_retarget"
    OFFSET_RETARGET = "offset_retarget"
    NAIVE_RETARGET = "naive_retarget"
    POSE_RETARGET = "pose_retarget"  # by a film's head in space, see `head_film`

    @property
    def needs_track(self) -> bool:
        """Whether anything but the portrait's own face is looked at."""
        return self is not Strategy.FIX_FACE


class FaceSize(NamedTuple):
    """Extent of a face across and along."""

    across: float  # eye to eye
    along: float  # nose to the line between the eyes


@dataclass(frozen=True, slots=True)
class Fit:
    """How a track is scaled to the portrait, and what that was decided from."""

    frame: int  # of the track, the one that is compared with the portrait
    scale_across: float
    scale_along: float
    portrait_ratio: float
    track_ratios: tuple[float, ...]


def retarget(
    strategy: Strategy, portrait: Points, track: Points, *, published_frame: bool
) -> Points:
    """`portrait` [3, 2] and a fitted `track` [frames, 3, 2] -> the points to draw.

    Raises `TrackError`, for `POSE_RETARGET` too: three points do not tell how a head is turned.
    """
    if strategy is Strategy.POSE_RETARGET:
        raise TrackError(f"{strategy}: needs a film, of a track it is not known how heads turn")
    if strategy is Strategy.FIX_FACE:
        return np.repeat(portrait[None], len(track), axis=0)
    if strategy is Strategy.NO_RETARGET:
        return track
    fit = fit_to_portrait(portrait, track, published_frame=published_frame)
    scaled = track * np.array([fit.scale_across, fit.scale_along], np.float32)
    moved = scaled[:, NOSE] - scaled[0, NOSE]
    if strategy is Strategy.OFFSET_RETARGET:
        # Against the driver's motion and by half of it: so it was published, and so it is named.
        return np.asarray(portrait - moved[:, None] / np.float32(2), np.float32)
    return np.asarray(scaled - (scaled[0, NOSE] - portrait[NOSE]), np.float32)


def fit_to_portrait(portrait: Points, track: Points, *, published_frame: bool) -> Fit:
    """Choose the frame that looks most alike and scale by its size."""
    ratios = tuple(turn_ratio(face) for face in track)
    wanted = turn_ratio(portrait)
    frame = (_published_choice if published_frame else _nearest)(ratios, wanted)
    own, other = face_size(portrait), face_size(track[frame])
    if min(*own, *other) <= 0:
        raise TrackError(
            f"frame {frame}: two of the three face points fall together, no size to compare"
        )
    return Fit(frame, own.across / other.across, own.along / other.along, wanted, ratios)


def turn_ratio(face: Points) -> float:
    """How far the head is turned: left eye to nose over right eye to nose."""
    left, right = (_distance(face[eye], face[NOSE]) for eye in (0, 1))
    return left / (right + TINY)


def face_size(face: Points) -> FaceSize:
    """Distances that do not change when the face moves or rolls."""
    left, right, nose = face
    across = _distance(left, right)
    if across == 0:
        return FaceSize(0.0, 0.0)
    line = right - left
    share = float(np.dot(line / across, (nose - left) / across))
    foot = left + np.float32(min(max(share, 0.0), 1.0)) * line
    return FaceSize(across, _distance(nose, foot))


def _nearest(ratios: tuple[float, ...], wanted: float) -> int:
    return int(np.argmin(np.abs(np.array(ratios) - wanted)))


def _published_choice(ratios: tuple[float, ...], wanted: float) -> int:
    """A running minimum that remembers the ratio itself where it should remember its distance."""
    limit, chosen = NO_LIMIT, 0
    for frame, ratio in enumerate(ratios):
        if abs(ratio - wanted) < limit:
            limit, chosen = ratio, frame
    return chosen


def _distance(first: Points, second: Points) -> float:
    return float(np.linalg.norm(first - second))
