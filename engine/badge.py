"""The visible "AI avatar" badge: drawn once, then blended into the corner of every frame."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from engine.api import Picture

TEXT = "AI avatar"
OPACITY = 0.62  # of the label behind the text
LABEL_COLOUR, TEXT_COLOUR = (16, 18, 24), (255, 255, 255)
TEXT_SHARE = 1 / 26  # text height over the frame's shorter side
MIN_TEXT_PIXELS = 9  # below that nobody can read it
OVERSAMPLING = 4  # the label is drawn larger and scaled down, for smooth corners


class BadgePainter:
    """Paints the badge at the bottom right of frames of one size."""

    def __init__(self, width: int, height: int) -> None:
        label = _draw_label(max(MIN_TEXT_PIXELS, round(min(width, height) * TEXT_SHARE)))
        label.thumbnail((width, height))  # frames smaller than the label get a smaller label
        margin = min(label.height // 2, width - label.width, height - label.height)
        right, bottom = width - margin, height - margin
        self._rows = slice(bottom - label.height, bottom)
        self._columns = slice(right - label.width, right)
        self._shape = (height, width, 3)
        drawn = np.asarray(label, np.uint16)
        # Blending in whole numbers: frame * (256 - alpha) + colour * alpha, over 256.
        alpha = (drawn[..., 3:] * 256 + 127) // 255
        self._keep: NDArray[np.uint16] = np.repeat(256 - alpha, 3, axis=2)
        self._add: NDArray[np.uint16] = drawn[..., :3] * alpha + 127
        self._work = np.empty_like(self._add)

    def paint(self, picture: Picture) -> None:
        """Blend the badge into `picture` [height, width, 3], in place."""
        if picture.shape != self._shape:
            raise ValueError(f"picture of shape {picture.shape}: expected {self._shape}")
        region = picture[self._rows, self._columns]
        np.multiply(region, self._keep, out=self._work)
        np.add(self._work, self._add, out=self._work)
        np.right_shift(self._work, 8, out=self._work)
        region[...] = self._work


def _draw_label(text_pixels: int) -> Image.Image:
    """Draw the label as RGBA, `text_pixels` being the size of its text."""
    size = text_pixels * OVERSAMPLING
    font = ImageFont.load_default(size)
    left, top, right, bottom = (round(edge) for edge in font.getbbox(TEXT))
    pad_x, pad_y = size * 2 // 3, size // 2
    width, height = right - left + 2 * pad_x, bottom - top + 2 * pad_y
    label = Image.new("RGBA", (width, height), (*LABEL_COLOUR, 0))
    draw = ImageDraw.Draw(label)
    fill = (*LABEL_COLOUR, round(255 * OPACITY))
    draw.rounded_rectangle((0, 0, width - 1, height - 1), radius=height // 2, fill=fill)
    text = Image.new("L", label.size, 0)
    ImageDraw.Draw(text).text((pad_x - left, pad_y - top), TEXT, fill=255, font=font)
    label.paste(Image.new("RGBA", label.size, (*TEXT_COLOUR, 255)), mask=text)
    return label.resize((width // OVERSAMPLING, height // OVERSAMPLING), Image.Resampling.LANCZOS)
