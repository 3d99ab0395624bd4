"""The painted mouth: where it is painted, that it grows with the opening, and on what it rests."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.api import Picture, PortraitOptions
from engine.portrait.channels import CHANNELS, Channel
from engine.portrait.fields import Box
from engine.portrait.mouth_crop import (
    CROP_PIXELS,
    SEEN_COLUMNS,
    SEEN_ROWS,
    crop_affine,
    cut_crop,
    opening_mask,
    paste_cover,
)
from engine.portrait.mouth_finish import Crop, Part
from engine.portrait.mouth_painter import WAYS, MouthModel, MouthPainter, fastest_way
from engine.portrait.painted_mouth_network import (
    PaintedMouthNetwork,
    crop_coordinates,
    hide_opening,
    lower_lip_drop,
)
from engine.portrait.prepare import Preparer
from engine.portrait.renderer import Renderer, Scene

SKULL_AT_REST = np.eye(2, 3, dtype=np.float32)


@pytest.fixture(scope="module")
def network() -> PaintedMouthNetwork:
    torch.manual_seed(0)
    return PaintedMouthNetwork()


def red(crop: Crop, part: Part) -> Picture:
    """Paints everything red."""
    painted = np.zeros_like(crop.colour[*part])
    painted[..., 0] = 255
    return painted


def slit(height: int) -> np.ndarray:
    opening = np.zeros((CROP_PIXELS, CROP_PIXELS), np.float32)
    opening[64 : 64 + height, 34:94] = 1
    return opening


def test_a_crop_is_centred_below_the_lips_and_eight_centimetres_wide() -> None:
    points = np.zeros((478, 3))
    points[[61, 291, 13, 14], :2] = [(80, 100), (120, 100), (100, 98), (100, 102)]
    affine = crop_affine(points, 10.0, np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    corners = np.array([[-0.5, -0.5], [127.5, 127.5]]) @ affine[:, :2].T + affine[:, 2]
    np.testing.assert_allclose(corners, [(60, 68), (140, 148)])


def test_a_crop_shows_what_its_map_says() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
    shift = np.array([[1.0, 0, 30], [0, 1, 40]])
    np.testing.assert_array_equal(cut_crop(picture, shift), picture[40:168, 30:158])


def test_the_opening_is_the_area_between_the_inner_lips() -> None:
    points = np.full((478, 2), 64.0)
    upper = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
    lower = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
    points[list(upper)] = [(x, 60) for x in np.linspace(40, 88, 11)]
    points[list(lower[1:-1])] = [(x, 70) for x in np.linspace(44.8, 83.2, 9)]
    mask = opening_mask(points)
    assert mask[65, 64] == 255
    assert mask[58, 64] == mask[72, 64] == 0


@given(st.integers(0, 20))
def test_a_wider_opening_never_shows_less_of_the_painting(height: int) -> None:
    narrow, wide = paste_cover(slit(height)), paste_cover(slit(height + 1))
    assert (wide >= narrow - 1e-6).all()
    assert (wide - narrow).max() < 0.5  # one crop pixel of opening: nothing pops
    assert wide.max() <= 1
    assert not paste_cover(slit(0)).any()


def test_closed_lips_are_left_alone() -> None:
    lips = np.full((60, 90, 3), 100, np.uint8)
    painter = MouthPainter(np.eye(2, 3, dtype=np.float32), red)
    closed = np.zeros((60, 90), np.uint8)
    assert painter.over(lips, closed, Box(0, 0, 90, 60), SKULL_AT_REST) is lips


def test_the_mouth_is_painted_where_it_is_open() -> None:
    lips = np.full((60, 90, 3), 100, np.uint8)
    opening = np.zeros((60, 90), np.uint8)
    opening[30:45, 20:70] = 255
    crop = np.array([[1, 0, 100], [0, 1, 200]], np.float32)  # the crop starts with the box
    painted = MouthPainter(crop, red).over(lips, opening, Box(100, 200, 90, 60), SKULL_AT_REST)
    assert painted[38, 45].tolist() == [255, 0, 0]
    assert painted[10, 10].tolist() == [100, 100, 100]


@pytest.mark.parametrize("scale", [0.4, 0.9, 2.0])
def test_lips_that_rest_on_each_other_are_not_painted(scale: float) -> None:
    def never(crop: Crop, part: Part) -> Picture:
        raise AssertionError("painted")

    lips = np.full((90, 120, 3), 100, np.uint8)
    resting = np.zeros((90, 120), np.uint8)
    resting[45, 30:90] = 128  # half a pixel
    crop = np.array([[scale, 0, 60 - 64 * scale], [0, scale, 45 - 64 * scale]], np.float32)
    painted = MouthPainter(crop, never).over(lips, resting, Box(0, 0, 120, 90), SKULL_AT_REST)
    assert (painted == 100).all()


@pytest.mark.parametrize("scale", [0.4, 0.9, 2.0])
def test_the_painting_comes_as_lips_part(scale: float) -> None:
    crop = np.array([[scale, 0, 60 - 64 * scale], [0, scale, 45 - 64 * scale]], np.float32)
    reds = []
    for tenths in range(5, 60):
        opening = np.zeros((90, 120), np.uint8)
        opening[45 : 45 + tenths // 10, 30:90] = 255
        opening[45 + tenths // 10, 30:90] = 255 * (tenths % 10) // 10
        lips = np.full((90, 120, 3), 100, np.uint8)
        painted = MouthPainter(crop, red).over(lips, opening, Box(0, 0, 120, 90), SKULL_AT_REST)
        reds.append(int(painted[..., 0].max()) - 100)
    steps = np.diff(reds)
    assert reds[-1] > 140
    assert steps.min() >= -2
    assert steps.max() < 50  # a tenth of a pixel of opening, pure red


@pytest.mark.parametrize("way", WAYS[:2])
def test_layouts_paint_alike(network: PaintedMouthNetwork, scene: Scene, way: object) -> None:
    motion = np.zeros(CHANNELS, np.float32)
    motion[[Channel.JAW_OPEN, Channel.LOWER_LIP_DOWN]] = 0.8
    plain = MouthModel(network, WAYS[0]).painter(scene.look)
    other = MouthModel(network, way).painter(scene.look)  # type: ignore[arg-type]  # one of WAYS
    first, second = (Renderer(scene, painter).render(motion) for painter in (plain, other))
    assert np.abs(first.astype(int) - second).max() <= 2


def test_the_way_chosen_is_one_of_those_offered(network: PaintedMouthNetwork) -> None:
    assert fastest_way(network) in WAYS


def test_painting_changes_nothing_but_the_open_mouth(
    network: PaintedMouthNetwork, scene: Scene
) -> None:
    painted = Renderer(scene, MouthModel(network, WAYS[0]).painter(scene.look))
    plain = Renderer(scene)
    motion = np.zeros(CHANNELS, np.float32)
    motion[[Channel.JAW_OPEN, Channel.LOWER_LIP_DOWN]] = 0.8
    first, second = painted.render(motion), plain.render(motion)
    box = scene.rig.mouth.box
    differs = (first != second).any(-1)
    assert differs[box.rows, box.columns].any()
    differs[box.rows, box.columns] = False
    assert not differs.any()
    np.testing.assert_array_equal(painted.render(motion), first)


def test_what_is_hidden_cannot_be_seen_and_takes_the_colour_around_it() -> None:
    opening = torch.zeros(1, 1, 88, 112)
    opening[..., 40:50, 40:70] = 1
    seam = torch.zeros(1, 1, 88, 112)
    seam[..., 38:52, 38:72] = 1
    skin = torch.full((1, 3, 88, 112), 0.3)
    first = hide_opening(skin, opening)
    second = hide_opening(skin - 0.5 * seam, opening)
    torch.testing.assert_close(first, second)
    torch.testing.assert_close(first[:, :3], skin, atol=0.01, rtol=0)
    assert torch.equal(first[:, 3:], opening)


def test_the_lower_lip_drops_as_far_as_the_mouth_opens() -> None:
    openings = torch.zeros(3, 1, CROP_PIXELS, CROP_PIXELS)
    for number, height in enumerate((0, 10, 20)):
        openings[number, :, 50 : 50 + height, 20:100] = 1
    drops = lower_lip_drop(openings)
    assert drops[0] == 0
    assert (drops[2] - drops[1]).item() == pytest.approx(10, abs=0.5)
    part = openings[:, :, SEEN_ROWS, SEEN_COLUMNS]
    torch.testing.assert_close(lower_lip_drop(part, SEEN_ROWS.start), drops)


def test_lower_teeth_go_down_with_the_jaw_and_upper_ones_stay(
    network: PaintedMouthNetwork,
) -> None:
    places = torch.zeros(1, 9)
    still, moved = (
        network.teeth(crop_coordinates(), places, torch.tensor([[0.0, drop]])) for drop in (0, 10)
    )
    assert torch.equal(still.upper, moved.upper)
    torch.testing.assert_close(moved.lower[..., 30:, :], still.lower[..., 20:-10, :])
    assert still.lower[:, 3].any()


def test_grey_stills_get_grey_mouths(network: PaintedMouthNetwork) -> None:
    grey = torch.linspace(-0.4, 0.4, 112).expand(1, 3, 88, 112)
    opening = torch.zeros(1, 1, 88, 112)
    opening[..., 20:50, 20:90] = 1
    lips, still = hide_opening(grey, opening), torch.cat([grey, 0 * opening], 1)
    with torch.no_grad():
        made = network(lips, still, crop_coordinates(), torch.zeros(1), torch.zeros(1, 9))
    inside = made[..., 25:45, 25:85]
    assert (inside.amax(1) - inside.amin(1)).max() < 0.01
    assert inside.std() > 0.05  # teeth and cavity


def test_shipped_weights_paint_teeth_the_same_every_time(scene: Scene) -> None:
    motion = np.zeros(CHANNELS, np.float32)
    motion[[Channel.JAW_OPEN, Channel.LOWER_LIP_DOWN]] = 0.9
    model = MouthModel.load()
    first, again = (Renderer(scene, model.painter(scene.look)).render(motion) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    box = scene.rig.mouth.box
    changed = np.abs(first.astype(int) - Renderer(scene).render(motion))[box.rows, box.columns]
    assert changed.max() > 40


def test_only_portraits_with_closed_lips_are_painted(
    preparer: Preparer, astronaut: Picture, hopper: Picture
) -> None:
    smiling, closed = (
        preparer.scene(picture, PortraitOptions()).look for picture in (astronaut, hopper)
    )
    assert smiling.is_open
    assert not closed.is_open
