"""The shipped models and two prepared scenes, once for all tests of this folder."""

import cv2
import numpy as np
import pytest

from engine.api import Picture, PortraitOptions
from engine.portrait.geometry import Canonical, PoseSolver
from engine.portrait.landmarks import FaceLandmarker
from engine.portrait.prepare import Preparer
from engine.portrait.renderer import Renderer, Scene
from engine.portraits import bundled_portraits


@pytest.fixture(scope="session")
def astronaut() -> Picture:
    """A smiling woman whose teeth show, [512, 512, 3]."""
    return bundled_portraits()["astronaut"]


@pytest.fixture(scope="session")
def hopper() -> Picture:
    """A serious woman with glasses, mouth closed, [600, 512, 3]."""
    return bundled_portraits()["hopper"]


@pytest.fixture(scope="session")
def landmarker() -> FaceLandmarker:
    return FaceLandmarker()


@pytest.fixture(scope="session")
def canonical() -> Canonical:
    return Canonical.load()


@pytest.fixture(scope="session")
def solver(canonical: Canonical) -> PoseSolver:
    return PoseSolver(canonical)


@pytest.fixture(scope="session")
def preparer() -> Preparer:
    return Preparer.load()


@pytest.fixture(scope="session", params=["astronaut", "hopper"])
def scene(request: pytest.FixtureRequest, preparer: Preparer) -> Scene:
    """Both portraits at 512 pixels."""
    return preparer.scene(request.getfixturevalue(request.param), PortraitOptions())


@pytest.fixture(scope="session")
def renderer(scene: Scene) -> Renderer:
    return Renderer(scene)


@pytest.fixture(scope="session")
def two_people(astronaut: Picture) -> Picture:
    return np.concatenate([astronaut, astronaut[:, ::-1]], axis=1)


@pytest.fixture(scope="session")
def tiny_face(astronaut: Picture) -> Picture:
    return np.asarray(cv2.resize(astronaut, (96, 96), interpolation=cv2.INTER_AREA), np.uint8)
