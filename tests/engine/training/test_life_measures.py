"""Measures of life: what was put into made-up people is found again."""

from pathlib import Path

import numpy as np
import pytest
import typer
from scipy.interpolate import make_interp_spline

from engine.portrait.channels import CHANNELS, Channel
from engine.portrait.geometry import Doubles
from engine.portrait.life import Accents
from engine.portrait.life_measures import KNOTS_S, WAVING
from engine.training.corpus import CorpusError
from engine.training.life import Scene, _main, measure_person, read_scenes, typical

FRAMES = 4000
YAW, LIDS = WAVING.index(Channel.YAW), WAVING.index(Channel.BLINK_LEFT)


def smooth_noise(random: np.random.Generator, knot_s: float) -> Doubles:
    """Of spread about 1, with knots that far apart."""
    knots = np.arange(-4.0, FRAMES * 0.04 / knot_s + 5)
    curve = make_interp_spline(knots, random.normal(0, 1, len(knots)))
    curve.c = random.normal(0, 1 / 0.69, len(curve.c))
    return np.asarray(curve(np.arange(FRAMES) * 0.04 / knot_s))


def made_up(seed: int, lift: float = 0.0) -> Scene:
    """Turns by 0.05 in second-long waves, lifts with stresses, blinks every 4 s, trembles."""
    random = np.random.default_rng(seed)
    readings = random.normal(0, 0.002, (FRAMES, CHANNELS))
    readings[:, Channel.SHIFT_NEAR] += 40
    readings[:, Channel.YAW] += 0.05 * smooth_noise(random, KNOTS_S[2])
    eyes = 0.3 * (1 + 0.06 * smooth_noise(random, KNOTS_S[2]))
    eyes[np.arange(FRAMES) % 100 < 5] = 0.05
    readings[:, [Channel.BLINK_RIGHT, Channel.BLINK_LEFT]] = eyes[:, None]
    loudness = np.repeat(random.uniform(0, 1.3, FRAMES // 5), 5)
    accents = Accents()
    for frame, level in enumerate(loudness.tolist()):
        accents.push(level)
        readings[frame, Channel.PITCH] += lift * accents.nod
    return Scene(readings, loudness)


@pytest.mark.slow
def test_what_a_person_does_is_found_again() -> None:
    median = typical([measure_person([made_up(seed, lift=0.06)]) for seed in range(3)])
    whole = np.hypot.reduce(median.spreads, axis=1)
    assert whole[YAW] == pytest.approx(0.05, rel=0.2)
    assert median.spreads[YAW].argmax() == 2
    assert whole[LIDS] == pytest.approx(0.06, rel=0.3)
    assert whole[WAVING.index(Channel.ROLL)] < 0.001  # it only trembles
    assert median.lift == pytest.approx(0.06, rel=0.1)
    assert abs(median.brow_raise) < 0.005
    assert median.blinks_per_minute == pytest.approx(15, abs=1)


@pytest.mark.slow
def test_one_lively_speaker_does_not_rule() -> None:
    calm = [measure_person([made_up(seed)]) for seed in range(2)]
    wild = made_up(7)
    wild.readings[:, Channel.YAW] *= 8
    wild_too = typical([*calm, measure_person([wild])])
    whole = np.hypot.reduce(wild_too.spreads, axis=1)
    assert whole[YAW] == pytest.approx(0.05, rel=0.3)


def test_clips_that_are_too_short_measure_nobody(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CorpusError, match="no ship clip is 5 s long"):
        read_scenes(corpus)
    with pytest.raises(typer.Exit):
        _main(corpus, tmp_path / "life.json")
    assert "nothing to measure" in capsys.readouterr().err
    assert not (tmp_path / "life.json").exists()
