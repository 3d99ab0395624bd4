"""The person apart from the background, and what is laid behind them."""

import numpy as np
import pytest

from engine.api import CHROMA, Background, Picture, PortraitOptions
from engine.portrait.backdrop import lay
from engine.portrait.channels import CHANNELS, Channel
from engine.portrait.framing import Framed, frame_portrait
from engine.portrait.geometry import PoseSolver
from engine.portrait.inpaint import fill_hole
from engine.portrait.landmarks import FaceLandmarker, Floats
from engine.portrait.matte import person_colours, person_matte, without_holes
from engine.portrait.prepare import Preparer
from engine.portrait.renderer import Renderer

GREEN = (0, 255, 0)


@pytest.fixture(scope="module")
def framed(astronaut: Picture, landmarker: FaceLandmarker, solver: PoseSolver) -> Framed:
    return frame_portrait(astronaut, PortraitOptions(size=320), landmarker, solver)


@pytest.fixture(scope="module")
def matte(framed: Framed, preparer: Preparer) -> Floats:
    return person_matte(framed.still, framed.face, preparer.finder)


def test_the_matte_knows_head_and_wall(framed: Framed, matte: Floats) -> None:
    assert matte.shape == framed.still.shape[:2]
    assert (matte.min(), matte.max()) == (0, 1)
    x, y = framed.face.points[:, :2].mean(0).round().astype(int)
    assert matte[y - 20 : y + 20, x - 20 : x + 20].min() == 1
    assert matte[:60, :40].max() == 0
    assert matte[:60, -40:].max() == 0
    mixed = (matte > 0.02) & (matte < 0.98)
    assert 0.002 < mixed.mean() < 0.05  # an edge, neither cut with scissors nor a fog


def test_a_wall_around_a_known_person_is_found(framed: Framed, preparer: Preparer) -> None:
    """The matte's edge is where the picture's is: another wall gives the same person."""
    first = person_matte(framed.still, framed.face, preparer.finder)
    blue = lay(framed.still, first, Background("#2040c0")).still
    second = person_matte(blue, framed.face, preparer.finder)
    assert np.abs(first - second).mean() < 0.01


def test_colours_of_mixed_pixels_are_the_persons() -> None:
    """Worked by hand: red hair before a blue wall, half and half, is red hair."""
    matte = np.zeros((60, 60), np.float32)
    matte[:, 30:] = 1
    matte[:, 28:32] = 0.5
    red, blue = np.array([200, 20, 20]), np.array([20, 20, 200])
    still = (matte[..., None] * red + (1 - matte[..., None]) * blue).astype(np.uint8)
    found = person_colours(still, matte)
    assert np.abs(found[:, 28:].astype(int) - red).max() < 12


def test_a_hole_that_the_network_doubts_is_filled() -> None:
    """An earring is; what shows between arm and body, and what reaches the edge, is not."""
    likely, guess = np.ones((40, 40), np.float32), np.ones((40, 40), np.float32)
    for rows, seen in ((slice(5, 9), 0.5), (slice(15, 19), 0.02)):
        likely[rows, 10:14], guess[rows, 10:14] = 0.2, seen
    likely[30:, 20:24], guess[30:, 20:24] = 0.2, 0.5
    filled = without_holes(likely, guess)
    assert filled[5:9, 10:14].min() == 1
    assert filled[15:19, 10:14].max() < 0.5
    assert filled[30:, 20:24].max() < 0.5


def test_the_own_background_stays(framed: Framed, matte: Floats) -> None:
    layers = lay(framed.still, matte, Background())
    assert layers.still is framed.still
    cover = layers.cutout[..., 3:] / 255
    together = layers.cutout[..., :3] + layers.plate * (1 - cover)
    assert np.abs(together - framed.still).mean() < 0.5


@pytest.mark.parametrize("motion", [{}, {"ROLL": 0.17, "JAW_OPEN": 0.8}, {"YAW": -0.2}])
def test_the_key_colour_is_flat_outside_the_moving_head(
    astronaut: Picture, preparer: Preparer, motion: dict[str, float]
) -> None:
    """The matte moves with the head, and leaves the exact key colour around it."""
    options = PortraitOptions(size=320, background=Background(CHROMA))
    vector = np.zeros(CHANNELS, np.float32)
    for name, value in motion.items():
        vector[Channel[name]] = value
    frame = Renderer(preparer.scene(astronaut, options)).render(vector)
    is_key = (frame == GREEN).all(-1)
    assert 0.3 < is_key.mean() < 0.6
    assert is_key[:40, :40].all()
    red, green, blue = frame[~is_key].astype(int).T
    assert (green > np.maximum(red, blue) + 60).mean() < 0.06  # the edge, and no spill beyond it


def test_a_picture_fills_the_frame(framed: Framed, matte: Floats) -> None:
    halves = np.zeros((50, 400, 3), np.uint8)
    halves[:, 200:] = 255
    layers = lay(framed.still, matte, Background.showing(halves))
    assert (layers.plate[:, 5] == 0).all()
    assert (layers.plate[:, -5] == 255).all()
    assert (layers.still[:40, 5] == 0).all()


def test_blur_spreads_no_person(framed: Framed, matte: Floats) -> None:
    layers = lay(framed.still, matte, Background("blur"))
    wall = framed.still[:50, :40].reshape(-1, 3).mean(0)
    beside_the_hair = layers.plate[60:120, 40:60].reshape(-1, 3).mean(0)
    assert np.abs(wall - beside_the_hair).max() < 25


def test_a_hole_takes_the_colours_around_it() -> None:
    picture = np.full((40, 40, 3), 90, np.uint8)
    hole = np.zeros((40, 40), bool)
    hole[10:30, 10:30] = True
    picture[hole] = 255
    assert (fill_hole(picture, hole) == 90).all()
