"""What the comparison of mouths measures, on made-up mouths."""

import numpy as np
import pytest

from benchmarks.painted_mouth import Frame, Person, errors, flicker, sheet
from benchmarks.picture_features import FeatureDistance
from engine.api import Picture

SIDE = 128


@pytest.fixture(scope="module")
def distance() -> FeatureDistance:
    return FeatureDistance()


def mouth(*, seed: int = 0) -> Picture:
    colours = np.random.default_rng(seed).integers(0, 200, (16, 16, 3)).astype(np.uint8)
    return np.kron(colours, np.ones((8, 8, 1), np.uint8))


def frame(made: Picture) -> Frame:
    opening = np.zeros((SIDE, SIDE), np.uint8)
    opening[50:80, 30:100] = 255
    return Frame(mouth(), {"layers": made, "painted": made}, opening, np.zeros((478, 2)))


def test_the_film_itself_has_no_error(distance: FeatureDistance) -> None:
    scores = errors(frame(mouth()), "painted", distance)
    assert scores["l1"] == scores["gradient"] == 0
    assert scores["features"] == pytest.approx(0, abs=1e-9)
    assert scores["sharpness"] == pytest.approx(1)


def test_a_lighter_mouth_is_off_in_colour_only(distance: FeatureDistance) -> None:
    scores = errors(frame(mouth() + np.uint8(10)), "painted", distance)
    assert scores["l1"] == pytest.approx(10)
    assert scores["gradient"] < 2  # at the border of the region alone


def test_what_lies_outside_the_mouth_does_not_count(distance: FeatureDistance) -> None:
    changed = mouth()
    changed[:30] = 0
    assert errors(frame(changed), "painted", distance)["l1"] == 0


def test_features_tell_another_mouth_from_a_noisy_one(distance: FeatureDistance) -> None:
    region = np.ones((SIDE, SIDE), np.float32)
    noise = np.random.default_rng(1).normal(0, 3, (SIDE, SIDE, 3))
    noisy = np.clip(mouth() + noise, 0, 255).astype(np.uint8)
    near = distance.between(mouth(), noisy, region)
    assert near < distance.between(mouth(), mouth(seed=5), region)


def test_flicker_is_change_in_a_still_mouth() -> None:
    frames = [frame(mouth())] * 6
    assert flicker(frames, [mouth()] * 6) == [0.0] * 3
    blinking = [mouth() + np.uint8(10 * (number % 2)) for number in range(6)]
    assert min(flicker(frames, blinking)) == pytest.approx(5)


def test_the_sheet_has_a_row_for_every_person() -> None:
    person = Person("someone", mouth(), [frame(mouth())])
    assert sheet([person, person]).shape == (2 * SIDE, 13 * SIDE, 3)
