"""The whole picture around the square that is generated: what moves, what stays, and the seam."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.api import FaceTooSmallError, Framing, Picture, PortraitOptions, StreamOptions
from engine.badge import BadgePainter
from engine.portrait.geometry import Canonical, PoseSolver
from engine.portrait.landmarks import FaceLandmarker
from engine.portraits import bundled_portraits
from engine.vexpress.keypoints import points_from_landmarks
from engine.vexpress.live.avatar import VExpressAvatar
from engine.vexpress.live.backdrop import Backdrop
from engine.vexpress.live.decoding import Badge
from engine.vexpress.live.engine import VExpressEngine
from engine.vexpress.live.finishing import Stamp, WholeFinish
from engine.vexpress.live.whole import FULL_SIDE, Square, Whole, frame_whole, shown_size
from tests.engine.vexpress.live.conftest import SIZE

CPU = torch.device("cpu")
sides = st.integers(64, 9000)


@given(width=sides, height=sides, data=st.data(), size=st.sampled_from([128, 384, 512]))
def test_a_picture_is_never_enlarged_nor_its_head(
    width: int, height: int, data: st.DataObject, size: int
) -> None:
    head = data.draw(st.integers(64, min(width, height)))
    shown = shown_size(width, height, head, size)
    assert all(side % 2 == 0 for side in shown)
    assert max(shown) <= FULL_SIDE
    scales = np.array(shown) / (width, height)
    halves = 1.0 / np.array([width, height])  # what rounding to even sides may add
    assert (scales <= 1 + halves).all()
    assert (scales * head <= size + head * halves).all()
    tight = [max(shown) >= FULL_SIDE - 1, (scales >= 1 - halves).any()]
    assert any(tight) or (scales * head >= size - head * halves).any()


def test_sizes_by_hand() -> None:
    assert shown_size(1920, 1080, 400, 512) == (1080, 608)
    assert shown_size(801, 603, 400, 512) == (800, 604)
    assert shown_size(1000, 800, 800, 512) == (640, 512)


@given(st.integers(0, 500), st.integers(0, 500), st.integers(40, 512), st.floats(-50, 600))
def test_places_come_back(left: int, top: int, side: int, x: float) -> None:
    square = Square(left, top, side, 512)
    points = np.array([[x, 7.0], [3.0, x], [0.0, 0.0]], np.float32)
    assert np.allclose(square.inward(square.outward(points)), points, atol=1e-2)


def test_places_by_hand() -> None:
    square = Square(left=10, top=20, side=64, size=128)
    corner = np.array([[10, 20]], np.float32)  # a pixel of the picture is two by two inside
    assert square.inward(corner).tolist() == [[0.5, 0.5]]


@pytest.fixture(scope="module")
def landmarker() -> FaceLandmarker:
    return FaceLandmarker()


@pytest.fixture(scope="module")
def solver() -> PoseSolver:
    return PoseSolver(Canonical.load())


@pytest.fixture(scope="module", params=[128, 512], ids=["as shown", "shrunk"])
def whole(request: pytest.FixtureRequest, landmarker: FaceLandmarker, solver: PoseSolver) -> Whole:
    return frame_whole(bundled_portraits()["hopper"], request.param, landmarker, solver)


def place(whole: Whole) -> tuple[slice, slice]:
    square = whole.square
    return slice(square.top, square.top + square.side), slice(
        square.left, square.left + square.side
    )


def test_the_face_is_found_where_the_square_is(whole: Whole, landmarker: FaceLandmarker) -> None:
    face = landmarker.find(whole.picture)
    assert face is not None
    wanted = points_from_landmarks(face.points)
    ours = whole.square.outward(points_from_landmarks(whole.framed.face.points))
    assert np.abs(ours - wanted).max() < 0.03 * whole.square.side


def test_outside_of_the_square_no_pixel_changes(whole: Whole) -> None:
    source = np.random.default_rng(0)
    size = whole.square.size
    noise = torch.from_numpy(source.integers(0, 256, (3, size, size, 3), np.uint8))
    pictures = Backdrop.of(whole, CPU).around(noise).numpy()
    changed = (pictures != whole.picture).any(axis=-1)
    inside = np.zeros(changed.shape[1:], bool)
    inside[place(whole)] = True
    assert not changed[:, ~inside].any()
    assert changed[:, inside].mean() > 0.9
    assert not np.array_equal(pictures[0], pictures[1])


def test_a_still_face_pasted_back_gives_the_still(whole: Whole) -> None:
    backdrop = Backdrop.of(whole, CPU)
    apart = np.abs(backdrop.at_rest(whole).astype(int) - whole.picture)
    if whole.square.side == whole.square.size:
        assert apart.max() <= 1
    else:  # twice resized: fine texture loses a little
        assert apart[place(whole)].mean() < 1.0


def border_jump(picture: Picture, whole: Whole) -> float:
    """Mean change across the left border of the square."""
    rows, columns = place(whole)
    pair = picture[rows, columns.start - 1 : columns.start + 1].astype(float)
    return float(np.abs(np.diff(pair, axis=1)).mean())


def mean_change(picture: Picture, whole: Whole) -> float:
    """Mean change between neighbours inside the square."""
    inside: NDArray[np.float64] = picture[place(whole)].astype(float)
    return float(np.abs(np.diff(inside, axis=1)).mean())


def test_another_brightness_leaves_no_seam(whole: Whole) -> None:
    bright = torch.from_numpy(whole.framed.still // 2 + 110)[None]
    soft = Backdrop.of(whole, CPU)
    hard = replace(soft, mask=torch.ones_like(soft.mask))
    with_feather, without = (each.around(bright)[0].numpy() for each in (soft, hard))
    for picture, is_seamless in ((with_feather, True), (without, False)):
        change = border_jump(picture, whole) / mean_change(whole.picture, whole)
        assert (change < 1.3) == is_seamless


def test_the_end_of_the_picture_needs_no_feather(whole: Whole) -> None:
    height, width = whole.picture.shape[:2]
    side = whole.square.side
    for corner in ((0, 0), (width - side, height - side)):
        moved = replace(whole, square=replace(whole.square, left=corner[0], top=corner[1]))
        mask = Backdrop.of(moved, CPU).mask
        ends = {0: (mask[0], mask[:, 0]), 1: (mask[-1], mask[:, -1])}
        open_end, closed_end = (1, 0) if corner == (0, 0) else (0, 1)
        assert all(edge.max() == 1 for edge in ends[closed_end])
        assert all(edge.max() < 0.1 for edge in ends[open_end])


def test_the_badge_lies_over_what_is_generated(whole: Whole) -> None:
    height, width = whole.picture.shape[:2]
    side, size = whole.square.side, whole.square.size
    corner = replace(whole.square, left=width - side, top=height - side)
    backdrop = Backdrop.of(replace(whole, square=corner), CPU)
    badge = Badge.of(size, torch.zeros(1), painted=False)
    finish = WholeFinish(badge, planes=False, backdrop=backdrop, stamp=Stamp(height, width, CPU))
    white = torch.full((1, size, size, 3), 255, dtype=torch.uint8)
    wanted = backdrop.around(white)[0].numpy()
    BadgePainter(width, height).paint(wanted)
    finished = finish(white, torch.empty(0))[0].numpy()
    assert np.abs(finished.astype(int) - wanted).max() <= 1
    assert wanted[-side:, -side:].min() < 100


def test_a_face_that_nobody_would_see_is_refused(
    landmarker: FaceLandmarker, solver: PoseSolver
) -> None:
    large = np.full((1700, 3400, 3), 80, np.uint8)
    large[500:1012, 1500:2012] = bundled_portraits()["astronaut"]
    with pytest.raises(FaceTooSmallError, match=r"whole picture, shown at 1080x540; expected at"):
        frame_whole(large, 512, landmarker, solver)


@pytest.fixture(scope="module")
def whole_avatar(engine: VExpressEngine, portrait: Picture) -> VExpressAvatar:
    return engine.prepare(portrait, PortraitOptions(size=SIZE, framing=Framing.FULL))


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("painted", [True, False], ids=["badge", "plain"])
def test_only_the_square_and_the_badge_move(
    engine: VExpressEngine, whole_avatar: VExpressAvatar, painted: bool
) -> None:
    backdrop = whole_avatar.backdrop
    assert backdrop is not None
    sound = np.full(640 * 9, 0.1, np.float32)
    rgb, planes = (
        engine.open(whole_avatar, StreamOptions(badge=painted, planes=choice))
        for choice in (False, True)
    )
    units = rgb.push(sound) + rgb.flush()
    calm = backdrop.picture.numpy().copy()
    height, width, _ = calm.shape
    left, top = (-backdrop.matrix[:, 2]).int().tolist()
    outside = np.ones((height, width), bool)
    outside[top : top + SIZE, left : left + SIZE] = False
    if painted:
        BadgePainter(width, height).paint(calm)
        assert (calm != backdrop.picture.numpy()).any()
    for unit in units:
        assert unit.picture.shape == whole_avatar.still.shape == calm.shape
        apart = np.abs(unit.picture.astype(int) - calm)
        assert apart[outside].max() <= (1 if painted else 0)
    flat = (planes.push(sound) + planes.flush())[0].picture
    assert flat.shape == (height * 3 // 2, width)
    luma = 16 + (units[0].picture @ np.array([65.481, 128.553, 24.966])) / 255
    assert np.abs(luma - flat[:height]).max() < 1.5


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_square_is_what_a_crop_shows(
    engine: VExpressEngine, whole_avatar: VExpressAvatar, avatar: VExpressAvatar
) -> None:
    assert whole_avatar.avatar_id != avatar.avatar_id
    assert whole_avatar.anchor.shape == avatar.anchor.shape
    backdrop = whole_avatar.backdrop
    assert backdrop is not None
    sound = np.full(640 * 9, 0.1, np.float32)
    stream = engine.open(whole_avatar, StreamOptions(badge=False))
    first = (stream.push(sound) + stream.flush())[0].picture
    alone = engine.open(replace(whole_avatar, backdrop=None), StreamOptions(badge=False))
    square = torch.from_numpy((alone.push(sound) + alone.flush())[0].picture.copy())
    assert np.array_equal(first, backdrop.around(square[None])[0].numpy())
