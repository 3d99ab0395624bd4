"""What is rendered is measured again by the landmark tool, not by the engine's own numbers."""

from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np
import pytest

from engine.portrait.bending import Bending
from engine.portrait.channels import CHANNELS, Channel, lip_gap
from engine.portrait.geometry import PoseSolver
from engine.portrait.landmarks import Face, FaceLandmarker, Floats
from engine.portrait.renderer import Renderer, Scene, rigid_motion
from tests.engine.portrait import plain_renderer

Look: TypeAlias = Callable[..., Face]
TEN_DEGREES = float(np.radians(10))


def motion(**channels: float) -> Floats:
    vector = np.zeros(CHANNELS, np.float32)
    for name, value in channels.items():
        vector[Channel[name]] = value
    return vector


@pytest.fixture
def look(renderer: Renderer, landmarker: FaceLandmarker) -> Look:
    def measure(**channels: float) -> Face:
        face = landmarker.find(renderer.render(motion(**channels)))
        assert face is not None
        assert face.presence > 0.9
        return face

    return measure


def gap_of(face: Face, solver: PoseSolver) -> float:
    return float(lip_gap(solver.solve(face.points, 512, 512).mesh))


def eye_opening(face: Face) -> float:
    lids = np.linalg.norm(face.points[[159, 386], :2] - face.points[[145, 374], :2], axis=1)
    widths = np.linalg.norm(face.points[[33, 362], :2] - face.points[[133, 263], :2], axis=1)
    return float((lids / widths).mean())


def test_at_rest_the_mouth_is_closed_and_the_rest_is_the_still(
    scene: Scene, renderer: Renderer
) -> None:
    frame = renderer.render(motion())
    apart = np.abs(frame.astype(int) - scene.still).mean(-1)
    mouth = scene.rig.mouth.box
    outside = np.ones(apart.shape, bool)
    outside[mouth.top - 20 :, mouth.left - 40 : mouth.left + mouth.width + 40] = False
    assert np.quantile(apart[outside], 0.97) < 3


def test_the_mouth_opens_as_far_as_asked(look: Look, solver: PoseSolver) -> None:
    asked = [0.0, 0.5, 1.0]
    found = [
        gap_of(look(JAW_OPEN=0.5 * gap, LOWER_LIP_DOWN=0.8 * gap, UPPER_LIP_UP=0.2 * gap), solver)
        for gap in asked
    ]
    assert found[0] < 0.12
    assert found[0] + 0.15 < found[1] < found[2] - 0.15
    assert found[2] == pytest.approx(1.0, abs=0.4)


def test_the_mouth_widens_and_rounds(look: Look) -> None:
    widths = []
    for wide in (-0.6, 0.0, 0.5):
        points = look(MOUTH_WIDE=wide, LOWER_LIP_DOWN=0.3).points
        widths.append(float(np.linalg.norm(points[61] - points[291])))
    assert widths[0] < widths[1] - 2
    assert widths[1] < widths[2] - 2


def test_lids_close(look: Look) -> None:
    opened, closed = eye_opening(look()), eye_opening(look(BLINK_LEFT=1, BLINK_RIGHT=1))
    assert closed < 0.85 * opened  # glasses make the tool see less of it


def test_the_head_turns_as_asked(look: Look, solver: PoseSolver) -> None:
    rest = solver.solve(look().points, 512, 512).angles
    for axis, name in enumerate(("YAW", "PITCH", "ROLL")):
        turned = solver.solve(look(**{name: TEN_DEGREES}).points, 512, 512).angles
        assert turned[axis] - rest[axis] == pytest.approx(TEN_DEGREES, abs=0.07)


@pytest.mark.parametrize("name", ["YAW", "PITCH", "ROLL"])
@pytest.mark.parametrize("sign", [-1, 1])
def test_turning_opens_no_crack_and_drags_no_background(
    scene: Scene, renderer: Renderer, name: str, sign: int
) -> None:
    frame = renderer.render(motion(**{name: sign * TEN_DEGREES}))
    still = scene.still
    assert frame.min(-1).mean() == pytest.approx(still.min(-1).mean(), abs=6)
    assert (frame.max(-1) == 0).mean() <= (still.max(-1) == 0).mean() + 0.002
    corner = still.shape[0] // 8
    for rows in (slice(0, corner), slice(-corner, None)):
        for columns in (slice(0, corner), slice(-corner, None)):
            apart = np.abs(frame[rows, columns].astype(int) - still[rows, columns])
            assert apart.mean() < 1


def test_the_face_stays_the_same_person(look: Look) -> None:
    upper = [33, 133, 362, 263, 168, 6, 1, 234, 454, 10, 105, 334]
    talking = look(JAW_OPEN=0.4, LOWER_LIP_DOWN=0.5).points[upper, :2]
    silent = look().points[upper, :2]
    eyes = np.linalg.norm(silent[0] - silent[3])
    assert np.linalg.norm(talking - silent, axis=1).mean() < 0.025 * eyes


def test_the_same_motion_gives_the_same_pixels(renderer: Renderer) -> None:
    first = renderer.render(motion(JAW_OPEN=0.3, YAW=0.1))
    renderer.render(motion(BLINK_LEFT=1, ROLL=-0.2))
    assert np.array_equal(first, renderer.render(motion(JAW_OPEN=0.3, YAW=0.1)))


def test_wild_motion_is_bounded(renderer: Renderer) -> None:
    wild = np.full(CHANNELS, 3.0, np.float32)
    assert renderer.render(wild).shape == (512, 512, 3)
    assert renderer.render(-wild).shape == (512, 512, 3)


def test_a_wrong_vector_is_named(renderer: Renderer) -> None:
    with pytest.raises(ValueError, match="20 channels"):
        renderer.render(np.zeros(7, np.float32))


def test_lids_that_close_come_from_one_place_each(scene: Scene) -> None:
    rig = scene.rig
    lids = np.append(rig.rest, 1).astype(np.float32)
    still = rigid_motion(motion(), rig)
    for aperture in rig.eyes:
        patch = aperture.upper
        forward = plain_renderer.forward(patch, lids, still)
        bending = Bending([patch], [range(len(lids))])
        back = bending.back(lids, still, np.zeros((1, 2), np.float32))[0]
        rows, columns = np.mgrid[: patch.grid[0], : patch.grid[1]].astype(np.float32)
        places = columns + back[..., 0] / patch.step, rows + back[..., 1] / patch.step
        found = cv2.remap(
            forward, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )  # how those that landed here moved
        assert np.abs(back + found).max() < 1


@pytest.mark.parametrize("way", [-1.0, 1.0])
def test_eyes_and_mouth_go_along_with_a_head_that_moves_far(
    look: Look, way: float, solver: PoseSolver
) -> None:
    still = look()
    far = look(SHIFT_LEFT=2.2 * way, YAW=0.27 * way, SHIFT_NEAR=2.2)
    assert eye_opening(far) == pytest.approx(eye_opening(still), rel=0.25)
    meshes = [solver.solve(face.points, 512, 512).mesh for face in (still, far)]
    assert np.abs(meshes[0] - meshes[1])[[33, 133, 159, 145, 362, 263, 386, 374]].max() < 0.8
