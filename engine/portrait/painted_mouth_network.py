"""The mouth network: paints what lies between lips, from their shape and one look at the person.

A network with few people to learn from blurs what it cannot foresee: where teeth end. So it paints
only what is soft (light, cavity, tongue, rims) and says where drawn teeth stand (`teeth.py`).
"""

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.portrait.mouth_crop import CROP_PIXELS, LIP_LINE_ROW, SEEN_COLUMNS, SEEN_ROWS
from engine.portrait.teeth import lower_row, upper_row

HALF, QUARTER = 48, 96  # channels at a quarter and an eighth of the crop's side
FOLD = 4  # crop pixels along a block's side, which the sketch sees as one
PLACE = 9  # numbers of a person's teeth: shift and growth of the upper row, of the lower, light
_SHAPE_CHANNELS = 4  # colour and opening
SEAM_PIXELS = 5  # what is hidden reaches two pixels over the lips
COARSE_PIXELS = 8
LIP_PIXELS = 8  # to either side of the middle, where the lower lip's edge is looked for
LITTLE = 1e-3
_FIRST_PAINT = 0.1  # of their size, that the last weights have before training
_FIELD = 9  # places along a side where the shape of a row is learned
_SHIFT_PIXELS = 8.0  # that one unit of a place means
_GROWTH = 0.2
_BEND_PIXELS = 1.5
_JAW_PIXELS = 3.0  # that the lower row may stand higher or lower than the lip says
_IVORY = (1.0, 0.96, 0.88)
_LEAST_LIGHT, _LIGHT, _TINTED = 0.33, 0.85, 0.25  # ivory under the light that shows skin so bright
_FACE_SPREAD = 0.35  # of a face's colours over their mean
# What is not known is not painted half: teeth stay light, and a cavity or tongue stays dark.
DIM, BRIGHT = 0.6, 1.4  # teeth, over ivory in that light
LOWER_DIM = 0.5  # of the upper row's light
MOST_CAVITY = (0.55, 0.26, 0.26)
_MOST_TINT = 0.4  # of a row's own shade, as a logarithm
# Channels of a sketch and what stands there before training: rim, cavity, light, and how much of
# the light the lower row gets.
_SKETCH = (3, 3, 3, 1)
_FIRST = (0.0,) * 3 + (-1.0,) * 3 + (0.0,) * 3 + (1.0,)


class Seen(NamedTuple):
    """What the network keeps of one portrait."""

    half: Tensor  # [batch, 48, ..] a quarter of the size
    quarter: Tensor  # [batch, 96, ..] an eighth
    light: Tensor  # [batch, 3, 1, 1] what falls on the face, as ivory would show it, 0..1
    colourful: Tensor  # [batch, 1, 1, 1] none in statues and drawings, one in faces


class Sketch(NamedTuple):
    """What the network says of one frame."""

    soft: Tensor  # [batch, 10, ..] half the size: channels as in `_SKETCH`; or blocks of it
    jaw: Tensor  # [batch, 2] how far the lower row stands from where the lower lip puts it, pixels


class Rows(NamedTuple):
    """Both rows of teeth in place: premultiplied colour and cover [batch, 4, ..]."""

    upper: Tensor
    lower: Tensor


def _light(still: Tensor) -> tuple[Tensor, Tensor]:
    """Light and colourfulness of a still [batch, 4, ..], by its skin and lips."""
    shown = 1 - functional.max_pool2d(still[:, 3:], SEAM_PIXELS, 1, SEAM_PIXELS // 2)
    colour = ((still[:, :3] + 0.5) * shown).sum((2, 3)) / (shown.sum((2, 3)) + LITTLE)
    brightness = colour.mean(1, keepdim=True) + LITTLE
    tint = (1 - _TINTED) + _TINTED * colour / brightness
    spread = (colour.amax(1, keepdim=True) - colour.amin(1, keepdim=True)) / brightness
    light = (_LEAST_LIGHT + _LIGHT * brightness) * tint
    return light[..., None, None], (spread / _FACE_SPREAD).clamp(max=1)[..., None, None]


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, 1)


class ReferenceEncoder(nn.Module):
    """One look at a person's mouth; its features are kept per portrait."""

    def __init__(self) -> None:
        super().__init__()
        self.first = _convolution(4 * _SHAPE_CHANNELS, 32)
        self.to_32 = _convolution(32, 64, 2)
        self.to_16 = _convolution(64, QUARTER, 2)
        self.wide = nn.Linear(QUARTER, QUARTER)  # colour and light, wherever they were seen
        self.give_32 = nn.Conv2d(64, HALF, 1)
        self.give_16 = nn.Conv2d(QUARTER, QUARTER, 1)

    def forward(self, still: Tensor) -> Seen:
        """Features of a still [batch, 4, height, width]: colour -0.5..0.5 and opening 0..1."""
        x = functional.pixel_unshuffle(still, 2)
        half = functional.relu(self.to_32(functional.relu(self.first(x))))
        quarter = functional.relu(self.to_16(half))
        wide = self.wide(quarter.mean((2, 3)))[..., None, None]
        light, colourful = _light(still)
        return Seen(self.give_32(half), self.give_16(quarter) + wide, light, colourful)


class Sketcher(nn.Module):
    """A small UNet from lips without a mouth to a sketch of it."""

    def __init__(self) -> None:
        super().__init__()
        self.first = _convolution(FOLD**2 * _SHAPE_CHANNELS, HALF)
        self.to_16 = _convolution(HALF, QUARTER, 2)
        self.deep = nn.ModuleList(_convolution(QUARTER, QUARTER) for _ in range(3))
        self.up_half = nn.Conv2d(QUARTER, HALF, 1)
        self.mix_half = _convolution(HALF, HALF)
        self.last = _convolution(HALF, 4 * sum(_SKETCH))
        self.jaw = nn.Linear(QUARTER, 2)

    def forward(self, lips: Tensor, half_seen: Tensor, quarter_seen: Tensor) -> Sketch:
        """The sketch of lips [batch, 4, ..] that are hidden where open."""
        blocks = functional.pixel_unshuffle(lips, FOLD)
        soft, jaw = self.folded(blocks, half_seen, quarter_seen)
        return Sketch(functional.pixel_shuffle(soft, 2), jaw)

    def folded(self, blocks: Tensor, half_seen: Tensor, quarter_seen: Tensor) -> Sketch:
        """The same from blocks [batch, 64, ..] of 4 x 4 pixels to some [batch, 40, ..] of 2 x 2."""
        relu = partial(functional.relu, inplace=True)  # of what nobody else sees
        half = relu(self.first(blocks))
        deep = relu(self.to_16(half)) + quarter_seen
        for layer in self.deep:
            deep = deep + relu(layer(deep))
        x = half + half_seen + functional.interpolate(self.up_half(deep), scale_factor=2.0)
        x = half + relu(self.mix_half(relu(x)))
        return Sketch(self.last(x), self.jaw(deep.mean((2, 3))).tanh() * _JAW_PIXELS)


class Teeth(nn.Module):
    """Both rows: drawn ones, bent and tinted smoothly as training found it."""

    upper: Tensor
    lower: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("upper", upper_row()[None], persistent=False)
        self.register_buffer("lower", lower_row()[None], persistent=False)
        self.bend = nn.Parameter(torch.zeros(2, 2, _FIELD, _FIELD))
        self.tint = nn.Parameter(torch.zeros(2, 3, _FIELD, _FIELD))

    def forward(self, coordinates: Tensor, place: Tensor, drop: Tensor) -> Rows:
        """The rows at crop `coordinates` [batch, .., .., 2], the lower one moved by `drop`.

        `place` [batch, 9] is the person's, `drop` [batch, 2] of this frame in pixels.
        """
        return Rows(
            self.row(0, coordinates, place[:, :4]), self.row(1, coordinates, place[:, 4:8], drop)
        )

    def row(
        self, number: int, coordinates: Tensor, place: Tensor, drop: Tensor | None = None
    ) -> Tensor:
        """One row [batch, 4, ..] at crop coordinates [batch, .., .., 2]."""
        batch = len(place)
        middle = coordinates.new_tensor([(CROP_PIXELS - 1) / 2, LIP_LINE_ROW])
        away = place[:, :2] * _SHIFT_PIXELS + (0 if drop is None else drop)
        found = (coordinates - middle - away[:, None, None]) * (
            1 + _GROWTH * place[:, None, None, 2:]
        )
        at = (found + middle + 0.5) * (2 / CROP_PIXELS) - 1
        smooth = torch.cat([self.bend[number], self.tint[number]])[None].expand(batch, -1, -1, -1)
        smooth = functional.grid_sample(smooth, at, padding_mode="border", align_corners=False)
        bend = smooth[:, :2].tanh().permute(0, 2, 3, 1) * (_BEND_PIXELS * 2 / CROP_PIXELS)
        drawn = (self.upper, self.lower)[number].expand(batch, -1, -1, -1)
        drawn = functional.grid_sample(drawn, at + bend, padding_mode="border", align_corners=False)
        ivory = smooth.new_tensor(_IVORY)[:, None, None]
        colour = drawn[:, :1] * ivory * (_MOST_TINT * smooth[:, 2:].tanh()).exp()
        return torch.cat([colour * drawn[:, 1:], drawn[:, 1:]], 1)


class PaintedMouthNetwork(nn.Module):
    """All parts."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = ReferenceEncoder()
        self.sketcher = Sketcher()
        self.teeth = Teeth()
        for part in self.modules():
            if isinstance(part, nn.Conv2d):  # keeps the size of what passes (He et al. 2015)
                nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
                nn.init.zeros_(part.bias)  # type: ignore[arg-type]  # all have one
        with torch.no_grad():
            first = torch.tensor(_FIRST).repeat_interleave(4)
            for layer in (self.sketcher.last, self.sketcher.jaw):
                layer.weight.mul_(_FIRST_PAINT)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # these layers have one
            self.sketcher.last.bias.copy_(first)  # type: ignore[union-attr]

    def forward(
        self, lips: Tensor, still: Tensor, coordinates: Tensor, drop: Tensor, person: Tensor
    ) -> Tensor:
        """The mouth [batch, 3, height, width] between lips, of the person in `still`.

        `lips` are hidden where open; `coordinates` [batch, height, width, 2] are where each pixel
        lies in the crop, `drop` [batch] how far the lower lip went down, `person` [batch, 9] what
        is known about the teeth's place beside the look.
        """
        seen = self.encoder(still)
        sketch = self.sketcher(lips, seen.half, seen.quarter)
        fall = torch.stack([torch.zeros_like(drop), drop], 1) + sketch.jaw
        gain = person[:, 8, None, None, None].exp()
        seen = seen._replace(light=seen.light * gain)
        return finished(lips, sketch.soft, self.teeth(coordinates, person, fall), seen)


def finished(lips: Tensor, soft: Tensor, rows: Rows, seen: Seen) -> Tensor:
    """The mouth [batch, 3, ..] of hidden lips [batch, 4, ..], a sketch and the teeth in place."""
    soft = functional.interpolate(soft, scale_factor=2.0, mode="bilinear", align_corners=False)
    rim, rest = lips[:, :3] + soft[:, :3], soft[:, 3:].sigmoid()
    cavity, light, lower_light = torch.split(rest, list(_SKETCH[1:]), 1)
    light = DIM + (BRIGHT - DIM) * light
    inside = cavity * cavity.new_tensor(MOST_CAVITY)[:, None, None] * (1 - rows.lower[:, 3:])
    inside = inside + rows.lower[:, :3] * light * (LOWER_DIM + (1 - LOWER_DIM) * lower_light)
    inside = (inside * (1 - rows.upper[:, 3:]) + rows.upper[:, :3] * light) * seen.light
    inside = torch.lerp(inside.mean(1, keepdim=True), inside, seen.colourful)
    edge = functional.avg_pool2d(lips[:, 3:], 3, 1, 1, count_include_pad=False)
    return torch.lerp(rim, inside - 0.5, edge)


def lower_lip_drop(opening: Tensor, first_row: int = 0) -> Tensor:
    """How far the lower lip's edge went down [batch], pixels, of openings [batch, 1, .., ..].

    Their first row is the crop's `first_row`. A closed mouth's is zero; it changes smoothly.
    """
    centre = opening.shape[-1] // 2
    middle = opening[:, 0, :, centre - LIP_PIXELS : centre + LIP_PIXELS].mean(-1)
    rows = torch.arange(opening.shape[-2], dtype=opening.dtype) + (first_row - LIP_LINE_ROW)
    height = middle.sum(1)
    return (middle * rows).sum(1) / (height + 0.5) + height / 2


def crop_coordinates() -> Tensor:
    """Where each seen pixel lies in the crop [1, 88, 112, 2]: x, then y."""
    ys, xs = torch.meshgrid(
        torch.arange(SEEN_ROWS.start, SEEN_ROWS.stop, dtype=torch.float32),
        torch.arange(SEEN_COLUMNS.start, SEEN_COLUMNS.stop, dtype=torch.float32),
        indexing="ij",
    )
    return torch.stack([xs, ys], -1)[None]


def hide_opening(colour: Tensor, opening: Tensor) -> Tensor:
    """Input [batch, 4, ...]: colour [batch, 3, ...] without its opening [batch, 1, ...], and it.

    Where closed lips met they leave a dark seam along the opening: it is hidden, too. In their
    place stands the colour of what lies around.
    """
    hidden = functional.max_pool2d(opening, SEAM_PIXELS, 1, SEAM_PIXELS // 2)
    shown = colour * (1 - hidden)
    sums = functional.avg_pool2d(torch.cat([shown, 1 - hidden], 1), COARSE_PIXELS)
    sums = functional.avg_pool2d(sums, 5, 1, 2, count_include_pad=False)
    around = sums[:, :3] / (sums[:, 3:] + LITTLE)
    around = functional.interpolate(around, scale_factor=float(COARSE_PIXELS), mode="bilinear")
    return torch.cat([shown + around * hidden, opening], 1)
