"""Which landmark is what: index lists of the face mesh. Right and left are the person's own."""

from dataclasses import dataclass

FOREHEAD, CHIN, NOSE_TIP, NOSE_BASE = 10, 152, 1, 2
RIGHT_CHEEK, LEFT_CHEEK = 234, 454  # beside the ears
RIGHT_EYE_OUTER, LEFT_EYE_OUTER = 33, 263

FACE_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip

# Lip contours, from the right corner to the left one.
UPPER_LIP_INNER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LOWER_LIP_INNER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
UPPER_LIP_OUTER = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
LOWER_LIP_OUTER = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
_UPPER_LIP_BETWEEN = (
    183,
    42,
    41,
    38,
    12,
    268,
    271,
    272,
    407,
    184,
    74,
    73,
    72,
    11,
    302,
    303,
    304,
    408,
)
_LOWER_LIP_BETWEEN = (
    96,
    89,
    179,
    86,
    15,
    316,
    403,
    319,
    325,
    77,
    90,
    180,
    85,
    16,
    315,
    404,
    320,
    307,
)
UPPER_LIP = (*UPPER_LIP_INNER[1:-1], *_UPPER_LIP_BETWEEN, *UPPER_LIP_OUTER[1:-1])
LOWER_LIP = (*LOWER_LIP_INNER[1:-1], *_LOWER_LIP_BETWEEN, *LOWER_LIP_OUTER[1:-1])
MOUTH_CORNERS = (61, 291)


@dataclass(frozen=True, slots=True)
class EyeTopology:
    """One eye: lid edges from the image-left corner to the image-right one, and the iris."""

    upper_lid: tuple[int, ...]
    lower_lid: tuple[int, ...]
    crease: tuple[int, ...]  # the ring above the upper lid
    iris: tuple[int, ...]  # centre first
    brow: tuple[int, ...]


RIGHT_EYE = EyeTopology(
    (33, 246, 161, 160, 159, 158, 157, 173, 133),
    (33, 7, 163, 144, 145, 153, 154, 155, 133),
    (247, 30, 29, 27, 28, 56, 190),
    (468, 469, 470, 471, 472),
    (70, 63, 105, 66, 107),
)
LEFT_EYE = EyeTopology(
    (362, 398, 384, 385, 386, 387, 388, 466, 263),
    (362, 382, 381, 380, 374, 373, 390, 249, 263),
    (414, 286, 258, 257, 259, 260, 467),
    (473, 474, 475, 476, 477),
    (336, 296, 334, 293, 300),
)
EYES = (RIGHT_EYE, LEFT_EYE)
