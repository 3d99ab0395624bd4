"""The quick renderer paints what the plain definition paints, and no more pixels than it must."""

import tracemalloc
from typing import Any

import cv2
import numpy as np
import pytest

from engine.portrait.channels import CHANNELS, Channel
from engine.portrait.landmarks import Floats
from engine.portrait.life import life
from engine.portrait.renderer import Renderer, Scene
from tests.engine.portrait import plain_renderer

SPOKEN_FRAMES = 25
WARPED_SHARE = 1.25  # pixels that are looked for, of those in a frame: grids and sheets count
WARPS = 2 * 7 + 4 + 2 * 3 + 2 + 4  # seven patches twice, bands of the head, sheets, eyes; spare
SPARE_BYTES = 400_000  # that a frame may take besides its pixels


def spoken_motion() -> list[Floats]:
    """A second of a living face whose mouth moves, [20] each."""
    vectors = []
    for number in range(SPOKEN_FRAMES):
        vector = np.asarray(life(3, number + 40), np.float32).copy()
        opening = np.sin(number / 3) ** 2
        vector[[Channel.JAW_OPEN, Channel.LOWER_LIP_DOWN]] += np.float32(0.3 * opening)
        vector[Channel.MOUTH_WIDE] += np.float32(0.2 * np.sin(number / 2))
        vectors.append(vector)
    return vectors


def wild_motion(number: int) -> Floats:
    """All channels at once, lids that close and a head that turns far."""
    rng = np.random.default_rng(number)
    return rng.uniform(-0.3, 0.3, CHANNELS).astype(np.float32)


def test_a_spoken_second_looks_as_defined(scene: Scene, renderer: Renderer) -> None:
    for number, motion in enumerate(spoken_motion()):
        if number % 5 == 0:
            expected = plain_renderer.render(scene, motion)
            apart = np.abs(renderer.render(motion).astype(int) - expected)
            assert apart.mean() < 0.02
            assert np.quantile(apart, 0.999) <= 1


@pytest.mark.parametrize("number", range(4))
def test_wild_motion_looks_as_defined(scene: Scene, renderer: Renderer, number: int) -> None:
    motion = wild_motion(number)
    motion[[Channel.BLINK_LEFT, Channel.BLINK_RIGHT]] = number / 3
    apart = np.abs(renderer.render(motion).astype(int) - plain_renderer.render(scene, motion))
    assert apart.mean() < 0.02
    assert np.quantile(apart, 0.999) <= 1


def test_a_frame_is_warped_in_few_steps_and_only_where_a_person_is(
    scene: Scene, renderer: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    warped: list[int] = []
    remap = cv2.remap

    def counted(*arguments: Any, **options: Any) -> Any:
        found = remap(*arguments, **options)
        warped.append(found.shape[0] * found.shape[1])
        return found

    monkeypatch.setattr(cv2, "remap", counted)
    for motion in spoken_motion():
        motion[[Channel.BLINK_LEFT, Channel.BLINK_RIGHT]] = 0  # lids that close take more rounds
        warped.clear()
        renderer.render(motion)
        assert len(warped) <= WARPS
        assert sum(warped) < WARPED_SHARE * scene.still.shape[0] * scene.still.shape[1]


def test_a_frame_takes_little_memory_besides_its_pixels(renderer: Renderer) -> None:
    motion = spoken_motion()
    renderer.render(motion[0])
    tracemalloc.start()
    for vector in motion[:3]:
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        frame = renderer.render(vector)
        _, most = tracemalloc.get_traced_memory()
        assert most - before < frame.nbytes + SPARE_BYTES
    tracemalloc.stop()
