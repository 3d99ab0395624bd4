"""The arrays that paint one mouth say what the network says for batches."""

import numpy as np
import pytest
import torch

from engine.portrait.landmarks import Floats
from engine.portrait.mouth_finish import (
    HEIGHT,
    WIDTH,
    Crop,
    Finish,
    Part,
    block_order,
    folded,
    hidden_lips,
    lower_lip_drop,
)
from engine.portrait.mouth_painter import MouthLook, MouthModel
from engine.portrait.painted_mouth_network import (
    PaintedMouthNetwork,
    crop_coordinates,
    finished,
    hide_opening,
)
from engine.portrait.painted_mouth_network import lower_lip_drop as lower_lip_drops

WHOLE = Part(slice(0, HEIGHT), slice(0, WIDTH))


@pytest.fixture(scope="module")
def colour() -> np.ndarray:
    coarse = np.random.default_rng(0).integers(0, 255, (11, 14, 3), np.uint8)
    return np.asarray(coarse.repeat(8, 0).repeat(8, 1))


@pytest.fixture(scope="module", params=[0, 4, 30])
def opening(request: pytest.FixtureRequest) -> Floats:
    """Slits of different heights with a soft edge."""
    made = np.zeros((HEIGHT, WIDTH), np.float32)
    made[28 : 28 + request.param, 15:97] = 1
    made[27, 15:97] = 0.4
    return made


def tensor(planes: np.ndarray) -> torch.Tensor:
    """An image [height, width, channels] as [1, channels, height, width]."""
    return torch.from_numpy(np.ascontiguousarray(planes.transpose(2, 0, 1)))[None]


def test_the_opening_is_hidden_alike(colour: np.ndarray, opening: Floats) -> None:
    expected = hide_opening(
        tensor(colour).float().div(255).sub(0.5), torch.from_numpy(opening)[None, None]
    )
    torch.testing.assert_close(tensor(hidden_lips(colour, opening)), expected)


def test_the_lower_lip_drops_alike(opening: Floats) -> None:
    expected = lower_lip_drops(torch.from_numpy(opening)[None, None], 24)
    assert lower_lip_drop(opening) == pytest.approx(expected.item(), abs=1e-3)


def test_blocks_hold_the_pixels_that_the_network_expects(
    colour: np.ndarray, opening: Floats
) -> None:
    lips = hidden_lips(colour, opening)
    expected = torch.nn.functional.pixel_unshuffle(tensor(lips), 4)
    assert torch.equal(folded(lips), expected[:, block_order()])


@pytest.mark.parametrize("part", [WHOLE, Part(slice(20, 61), slice(7, 98))])
def test_a_sketch_is_finished_alike(colour: np.ndarray, opening: Floats, part: Part) -> None:
    torch.manual_seed(0)
    network = PaintedMouthNetwork().requires_grad_(requires_grad=False)
    lips = hidden_lips(colour, opening)
    seen = network.encoder(tensor(lips))
    blocks = torch.randn(40, 22, 28)
    rows = network.teeth(crop_coordinates(), torch.zeros(1, 9), torch.zeros(1, 2))
    moved = network.teeth(crop_coordinates(), torch.zeros(1, 9), torch.tensor([[0.0, 6.0]]))
    soft = torch.nn.functional.pixel_shuffle(blocks[None], 2)
    padded = torch.nn.functional.pad(soft, (1, 1, 1, 1), mode="replicate")
    smooth = torch.nn.functional.avg_pool2d(padded, 2, 1)
    smooth = torch.nn.functional.avg_pool2d(smooth, 2, 1)
    painted = finished(tensor(lips), smooth, moved, seen)[0, :, *part].permute(1, 2, 0)
    expected = painted.add(0.5).clamp(0, 1).mul(255).numpy()
    found = Finish.of(seen, rows).paint(lips, blocks, (0.0, 6.0), part)
    assert np.abs(found - expected).max() < 1


@pytest.mark.parametrize("last", [36, 44, 52])
def test_what_lies_further_below_changes_no_pixel(colour: np.ndarray, last: int) -> None:
    model = MouthModel.load()
    look = MouthLook(
        np.eye(2, 3, dtype=np.float32),
        np.zeros((128, 128, 3), np.uint8),
        np.zeros((128, 128), np.uint8),
    )
    painter = model.painter(look)
    opening = np.zeros((HEIGHT, WIDTH), np.float32)
    opening[28 : last - 8, 15:97] = 1
    part = Part(slice(20, last), slice(7, 105))
    rows = part.cut_rows
    whole = Part(slice(20, HEIGHT), slice(7, 105))
    few = painter.paint(Crop(colour[:rows], opening[:rows]), part)
    many = painter.paint(Crop(colour, opening), whole)
    assert rows < HEIGHT
    assert np.abs(few.astype(int) - many[: last - 20]).max() <= 1
