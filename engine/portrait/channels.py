"""The motion channels: named, identity-free numbers that say what a face does.

Mouth and brow channels are centimetres on the canonical face, as differences from the person's own
rest; each is a linear measure of the pose-free mesh. All are zero for a face at rest.
"""

from enum import IntEnum

import numpy as np

from engine.portrait.geometry import Doubles


class Channel(IntEnum):
    """Index of each channel in a motion vector."""

    JAW_OPEN = 0  # chin lowered
    UPPER_LIP_UP = 1  # inner edge of the upper lip raised
    LOWER_LIP_DOWN = 2  # inner edge of the lower lip lowered, jaw included
    MOUTH_WIDE = 3  # distance between the corners
    PUCKER = 4  # lips pushed forward
    CORNERS_UP = 5
    MOUTH_LEFT = 6  # whole mouth towards the person's left
    UPPER_LIP_THICK = 7  # visible red of the upper lip
    LOWER_LIP_THICK = 8
    BROWS_UP = 9
    BLINK_RIGHT = 10  # 0 as open as at rest, 1 closed; the person's right eye
    BLINK_LEFT = 11
    GAZE_LEFT = 12  # radians, towards the person's left
    GAZE_UP = 13
    YAW = 14  # radians, head turned to the person's left
    PITCH = 15  # radians, head up
    ROLL = 16  # radians, head tilted to the person's right shoulder
    SHIFT_LEFT = 17  # centimetres
    SHIFT_UP = 18
    SHIFT_NEAR = 19


CHANNELS = len(Channel)
MOUTH = slice(Channel.JAW_OPEN, Channel.LOWER_LIP_THICK + 1)
SHAPE = slice(Channel.JAW_OPEN, Channel.BROWS_UP + 1)  # channels that bend the mesh by a basis
MOUTH_CHANNELS = MOUTH.stop - MOUTH.start
SHAPE_CHANNELS = SHAPE.stop - SHAPE.start
# To index with: arrays are faster than lists.
LIDS = np.array([Channel.BLINK_RIGHT, Channel.BLINK_LEFT])
GAZE = np.array([Channel.GAZE_LEFT, Channel.GAZE_UP])
HEAD = np.array([Channel.YAW, Channel.PITCH, Channel.ROLL])

_UPPER_INNER, _LOWER_INNER = (82, 13, 312), (87, 14, 317)
_UPPER_OUTER, _LOWER_OUTER = (37, 0, 267), (84, 17, 314)
_RIGHT_CORNER, _LEFT_CORNER = 61, 291
_CHIN = (148, 152, 377)
_BROWS = (105, 66, 107, 336, 296, 334)
_FORWARD = (0, 11, 16, 17)  # mid-line points of the lips


def measure_shape(meshes: Doubles) -> Doubles:
    """Absolute measures [..., 10] of pose-free meshes [..., 468, 3], in the order of `Channel`.

    Subtract the measure of the person's rest to get channels.
    """
    x, y, z = meshes[..., 0], meshes[..., 1], meshes[..., 2]
    upper, lower = y[..., _UPPER_INNER].mean(-1), y[..., _LOWER_INNER].mean(-1)
    right, left = _RIGHT_CORNER, _LEFT_CORNER
    return np.stack(
        [
            -y[..., _CHIN].mean(-1),
            upper,
            -lower,
            x[..., left] - x[..., right],
            z[..., _FORWARD].mean(-1),
            (y[..., left] + y[..., right]) / 2,
            (x[..., left] + x[..., right]) / 2,
            y[..., _UPPER_OUTER].mean(-1) - upper,
            lower - y[..., _LOWER_OUTER].mean(-1),
            y[..., _BROWS].mean(-1),
        ],
        axis=-1,
    )


def lip_gap(meshes: Doubles) -> Doubles:
    """Inner lip opening [...] in centimetres of meshes [..., 468, 3]; 0 is closed."""
    y = meshes[..., 1]
    return np.asarray(y[..., _UPPER_INNER].mean(-1) - y[..., _LOWER_INNER].mean(-1))


def rest_mesh(meshes: Doubles) -> Doubles:
    """The person's rest [468, 3] from many frames [frames, 468, 3]: the median closed mouth."""
    gaps = lip_gap(meshes)
    closed = gaps <= np.quantile(gaps, 0.15)
    return np.asarray(np.median(meshes[closed], axis=0))
