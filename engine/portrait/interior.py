"""What shows through the apertures: teeth, tongue and cavity; the eyeball behind the lids.

Everything is painted once per portrait in the still's own pixels; a frame only shifts the layers.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from engine.api import Picture
from engine.portrait.fields import Box, shifted
from engine.portrait.geometry import Doubles
from engine.portrait.landmarks import Floats
from engine.portrait.rig import Anatomy, Aperture
from engine.portrait.topology import (
    LOWER_LIP_INNER,
    MOUTH_CORNERS,
    UPPER_LIP_INNER,
    EyeTopology,
)

_SHOWS_TEETH_CM = 0.25  # a still whose lips part further may give its own teeth
_TEETH_SHARE = 0.35  # of the opening that must look like teeth
_TONGUE_SHARE = 0.55  # of the jaw's way that the tongue takes
_SHADOW_TINT = np.array([0.85, 1.06, 1.12], np.float32)  # shadows in a mouth are red
_CHEEKS = (50, 280, 101, 330)


@dataclass(frozen=True, slots=True)
class MouthInterior:
    """Layers of the mouth over its aperture's box: premultiplied colour and cover."""

    cavity: Picture  # [height, width, 3]
    upper_teeth: Picture  # [height, width, 4], fixed to the skull
    lower_teeth: Picture  # [height, width, 4], fixed to the jaw
    tongue: Picture  # [height, width, 4], half-way with the jaw
    down: Floats  # [2] the jaw's way in the still, a unit vector
    shadow_pixels: float  # how far the upper lip's shadow reaches

    def paint(
        self, part: Box, motion: tuple[Floats, Floats], edges: tuple[Floats, Floats]
    ) -> Picture:
        """A part [height, width, 3] of the open mouth.

        `motion` is the skull's [2, 3] and the jaw's way [2] in pixels; `edges` are how far the
        upper and the lower lip's edges lie away from each pixel of the part.
        """
        skull, jaw = motion
        painted = _place(self.cavity, shifted(skull, 0.5 * jaw), part, cv2.BORDER_REPLICATE)
        for layer, share in ((self.tongue, _TONGUE_SHARE), (self.lower_teeth, 1.0)):
            painted = _over(_place(layer, shifted(skull, share * jaw), part), painted)
        painted = _over(_place(self.upper_teeth, skull, part), painted)
        upper, lower = edges
        shade = np.clip(-upper / self.shadow_pixels, 0, 1) * 0.45 + 0.55
        shade *= np.clip(-lower / (0.5 * self.shadow_pixels), 0, 1) * 0.25 + 0.75
        light = 1 - (1 - shade)[..., None] * _SHADOW_TINT
        return np.asarray(painted * light, np.uint8)


@dataclass(frozen=True, slots=True)
class EyeInterior:
    """The eyeball over its aperture's box."""

    ball: Picture  # [height, width, 3], painted on under the lids
    slide: Floats  # [height, width], how much of a gaze shift each place follows
    pixels_per_radian: float
    reach_pixels: float  # no gaze shift goes further


def paint_eye(
    still: Picture, aperture: Aperture, eye: EyeTopology, anatomy: Anatomy
) -> EyeInterior:
    """The eyeball of the still, continued under the lids."""
    box = aperture.box
    hidden = (aperture.upper_edge > -1.0) | (aperture.lower_edge > -1.0)
    part = np.ascontiguousarray(still[box.rows, box.columns])
    points = anatomy.points
    centre = points[eye.iris[0], :2] - box.corner
    rim = points[list(eye.iris[1:]), :2] - box.corner
    radius = float(np.linalg.norm(rim - centre, axis=1).mean())
    ball = cv2.inpaint(part, hidden.astype(np.uint8), 3, cv2.INPAINT_TELEA)
    ys, xs = np.mgrid[: box.height, : box.width]
    away = np.hypot(xs - centre[0], ys - centre[1]) / max(radius, 1.0)
    slide = np.clip((2.1 - away) / 0.9, 0, 1)
    reach = 0.4 * radius
    scale = 1.2 * anatomy.pixels_per_cm
    return EyeInterior(np.asarray(ball, np.uint8), slide.astype(np.float32), scale, reach)


def paint_mouth(still: Picture, aperture: Aperture, anatomy: Anatomy) -> MouthInterior:
    """Cavity, teeth and tongue in the light of the still."""
    box, points = aperture.box, anatomy.points
    part = still[box.rows, box.columns].astype(np.float32)
    frame = _MouthFrame.measure(box, anatomy)
    skin = np.concatenate([_disc(still, points[index, :2], 5) for index in _CHEEKS])
    light = float(np.clip(np.quantile(skin.mean(1), 0.8), 70, 235))
    tint = skin.mean(0) / max(float(skin.mean()), 1.0)
    teeth = _teeth_colour(light, tint)
    upper = _teeth(frame, teeth, top=-0.75, edge=0.12, count=8)
    lower = _teeth(frame, teeth * 0.8, top=0.32, edge=1.1, count=8)
    own = _own_teeth(part, aperture, anatomy, light)
    if own is not None:
        upper = own + upper * (1 - own[..., 3:])
    return MouthInterior(
        _cavity(frame, light).astype(np.uint8),
        _layer(upper),
        _layer(lower),
        _layer(_tongue(frame, light)),
        anatomy.down.astype(np.float32),
        0.45 * anatomy.pixels_per_cm,
    )


@dataclass(frozen=True, slots=True)
class _MouthFrame:
    """Mouth coordinates over the box: u across (-1..1 at the corners), v down in centimetres."""

    u: Doubles  # [height, width]
    v: Doubles
    width_cm: float
    pixels_per_cm: float

    @classmethod
    def measure(cls, box: Box, anatomy: Anatomy) -> "_MouthFrame":
        points, scale = anatomy.points, anatomy.pixels_per_cm
        corners = points[list(MOUTH_CORNERS), :2]
        lips = points[[UPPER_LIP_INNER[5], LOWER_LIP_INNER[5]], :2].mean(0)
        half = float(np.linalg.norm(corners[1] - corners[0])) / 2
        centre = corners.mean(0)
        centre = centre + ((lips - centre) @ anatomy.down) * anatomy.down
        ys, xs = np.mgrid[: box.height, : box.width].astype(np.float64)
        offset = np.stack([xs + box.left - centre[0], ys + box.top - centre[1]], -1)
        return cls(
            offset @ anatomy.across / half,
            offset @ anatomy.down / scale,
            2 * half / scale,
            scale,
        )


def _soft(values: Doubles, softness: float) -> Doubles:
    """A step at zero, `softness` wide."""
    return np.clip(values / softness + 0.5, 0, 1)


def _teeth_colour(light: float, tint: Doubles) -> Doubles:
    """Ivory under the light that falls on the face."""
    ivory = np.array([1.0, 0.96, 0.88]) * (0.75 + 0.25 * tint)
    return np.asarray(np.minimum(ivory * (0.62 * light + 75), 235))


def _teeth(frame: _MouthFrame, colour: Doubles, *, top: float, edge: float, count: int) -> Floats:
    """A row of teeth from `top` to `edge` (centimetres down from the lip line), [h, w, 4]."""
    half = 0.62  # of the half mouth width that teeth span
    across = frame.u / half
    bend = 0.28 * across**2  # the arch recedes towards the corners
    upper_row = top < 0
    low, high = (top, edge - bend) if upper_row else (top + bend, edge)
    soft = 1.6 / frame.pixels_per_cm
    position = np.arcsin(np.clip(across, -1, 1)) / (np.pi / 2) * count / 2
    gap = np.abs(position - np.round(position))
    scallop = 0.05 * np.clip(1 - gap / 0.18, 0, 1) ** 2
    if upper_row:
        high = high - scallop
    else:
        low = low + scallop
    cover = _soft(frame.v - low, soft) * _soft(high - frame.v, soft)
    cover *= _soft(1.0 - np.abs(across), 0.12)
    shade = (1 - 0.55 * across**2) * (1 - 0.22 * np.clip(1 - gap / 0.07, 0, 1))
    root = (frame.v - low) / np.maximum(high - low, 1e-3)
    shade = shade * (0.86 + 0.14 * np.clip(root if upper_row else 1 - root, 0, 1))
    layer = np.concatenate([shade[..., None] * colour, np.ones_like(cover)[..., None]], -1)
    return np.asarray(layer * cover[..., None], np.float32)


def _cavity(frame: _MouthFrame, light: float) -> Floats:
    """Dark red, darker towards the throat, [h, w, 3]."""
    deep = np.exp(-((frame.u / 0.7) ** 2) - ((frame.v - 0.5) / 0.9) ** 2)
    glow = light / 200
    base = np.array([78.0, 30.0, 28.0]) * glow
    return np.asarray(base * (1 - 0.6 * deep)[..., None], np.float32)


def _tongue(frame: _MouthFrame, light: float) -> Floats:
    """A soft mound behind the lower teeth, [h, w, 4]."""
    mound = 1 - (frame.u / 0.62) ** 2 - ((frame.v - 0.85) / 0.62) ** 2
    cover = np.clip(mound * 2.2, 0, 1)
    furrow = 1 - 0.18 * np.exp(-((frame.u / 0.06) ** 2))
    shade = (0.62 + 0.38 * np.clip(mound, 0, 1)) * furrow
    colour = np.array([168.0, 84.0, 82.0]) * np.clip(light / 190, 0.4, 1.0)
    layer = np.concatenate([shade[..., None] * colour, np.ones_like(cover)[..., None]], -1)
    return np.asarray(layer * cover[..., None], np.float32)


def _own_teeth(part: Floats, aperture: Aperture, anatomy: Anatomy, light: float) -> Floats | None:
    """The still's own teeth [h, w, 4], when its lips part far enough to show them."""
    points = anatomy.points
    gap = float(np.linalg.norm(points[UPPER_LIP_INNER[5]] - points[LOWER_LIP_INNER[5]]))
    if gap < _SHOWS_TEETH_CM * anatomy.pixels_per_cm:
        return None
    inside = np.minimum(-aperture.upper_edge, -aperture.lower_edge)
    cover = np.clip((inside - 0.5) / 1.5, 0, 1)[..., None]
    hidden = (cover[..., 0] < 1).astype(np.uint8)
    grown = cv2.inpaint(part.astype(np.uint8), hidden, 2, cv2.INPAINT_TELEA).astype(np.float32)
    bright, pale = grown.mean(-1, keepdims=True), grown.min(-1) / np.maximum(grown.max(-1), 1)
    teeth = np.clip((bright / light - 0.4) / 0.2, 0, 1) * _soft(pale - 0.6, 0.15)[..., None]
    if (teeth * cover).sum() < _TEETH_SHARE * cover.sum():
        return None
    behind = np.clip((-aperture.lower_edge + 2.5) / 3.0, 0, 1)[..., None]
    reach = np.clip((inside + 0.35 * anatomy.pixels_per_cm) / 2.0, 0, 1)[..., None]
    cover = teeth * behind * reach
    return np.asarray(np.concatenate([grown, np.ones_like(bright)], -1) * cover, np.float32)


def _disc(still: Picture, centre: Doubles, radius: int) -> Floats:
    """Pixels around a point, [count, 3]."""
    height, width = still.shape[:2]
    x = int(np.clip(round(float(centre[0])), radius, width - 1 - radius))
    y = int(np.clip(round(float(centre[1])), radius, height - 1 - radius))
    block = still[y - radius : y + radius + 1, x - radius : x + radius + 1]
    return block.reshape(-1, 3).astype(np.float32)


def _layer(painted: Floats) -> Picture:
    """Premultiplied colour 0..255 and cover 0..1 to bytes, [height, width, 4]."""
    return np.asarray(np.clip(painted * (1, 1, 1, 255) + 0.5, 0, 255), np.uint8)


def _place(layer: Picture, affine: Floats, part: Box, border: int = cv2.BORDER_CONSTANT) -> Picture:
    """A part of a layer that `affine` [2, 3] moves."""
    way, size = shifted(affine, -part.corner), (part.width, part.height)
    placed = cv2.warpAffine(layer, way, size, flags=cv2.INTER_LINEAR, borderMode=border)
    return np.asarray(placed, np.uint8)


def _over(layer: Picture, behind: Picture) -> Picture:
    """A premultiplied layer [height, width, 4] over an opaque one [height, width, 3]."""
    clear = cv2.cvtColor(255 - layer[..., 3], cv2.COLOR_GRAY2RGB)
    under = cv2.multiply(behind, clear, scale=1 / 255)
    return np.asarray(cv2.add(under, cv2.cvtColor(layer, cv2.COLOR_RGBA2RGB)), np.uint8)
