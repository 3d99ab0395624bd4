from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.portrait.acting import PITCH_SHOWN, YAW_SHOWN
from engine.portrait.channels import CHANNELS, MOUTH, Channel
from engine.portrait.landmarks import Floats
from engine.portrait.life import SpeechLife, life
from engine.portrait.life_measures import LifeMeasures
from tests.engine.portrait.line_counter import LineCounter

HEAD = slice(Channel.YAW, Channel.ROLL + 1)
SHOWN = np.array([YAW_SHOWN, PITCH_SHOWN, 1.0])
MINUTES = 4
FRAMES = MINUTES * 60 * 25


@pytest.fixture(scope="module")
def minutes() -> Floats:
    return np.stack([life(7, frame) for frame in range(FRAMES)])


def test_leaves_the_mouth_alone(minutes: Floats) -> None:
    assert minutes.shape == (FRAMES, CHANNELS)
    assert not minutes[:, MOUTH].any()


@settings(deadline=None)
@given(seed=st.integers(0, 2**64), frame=st.integers(0, 10**9))
def test_is_a_function_of_seed_and_frame(seed: int, frame: int) -> None:
    np.testing.assert_array_equal(life(seed, frame), life(seed, frame))
    assert np.isfinite(life(seed, frame)).all()


def test_seeds_differ_and_nothing_loops(minutes: Floats) -> None:
    other = np.stack([life(8, frame) for frame in range(1000)])
    assert abs(np.corrcoef(other[:, Channel.YAW], minutes[:1000, Channel.YAW])[0, 1]) < 0.7
    late = np.stack([life(7, 10**8 + frame) for frame in range(1000)])
    for start in range(0, FRAMES - 1000, 100):
        assert np.abs(minutes[start : start + 1000, HEAD] - late[:, HEAD]).max() > 0.005


def test_nothing_jumps(minutes: Floats) -> None:
    steps = np.abs(np.diff(minutes, axis=0)).max(0)
    assert steps[HEAD].max() < 0.01  # a quarter of what people do who speak
    assert steps[Channel.SHIFT_LEFT :].max() < 0.02
    assert steps[Channel.BROWS_UP] < 0.02
    assert steps[Channel.BLINK_RIGHT] <= 0.56
    assert steps[Channel.GAZE_LEFT : Channel.GAZE_UP + 1].max() < 0.1  # half a saccade


def test_the_head_is_never_still_and_never_far(minutes: Floats) -> None:
    window = 50
    for start in range(0, FRAMES - window, 10):
        moved = np.ptp(minutes[start : start + window, HEAD], axis=0).max()
        assert moved > np.radians(0.1)
    assert np.degrees(np.abs(minutes[:, HEAD] * SHOWN).max()) < 6
    assert np.degrees(minutes[:, Channel.YAW].std()) > 0.8


def test_blinks_come_as_often_and_last_as_long_as_in_people(minutes: Floats) -> None:
    lids = minutes[:, Channel.BLINK_LEFT]
    np.testing.assert_array_equal(lids, minutes[:, Channel.BLINK_RIGHT])
    edges = np.diff((lids > 0.35).astype(int), prepend=0)  # no slow lid comes so far
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    count = min(len(starts), len(ends))
    assert 12 <= count / MINUTES <= 25
    assert set((ends[:count] - starts[:count]).tolist()) <= {4, 5, 6}
    gaps_s = np.diff(starts) / 25
    assert 2.5 < gaps_s.mean() < 4.5
    assert gaps_s.std() > 0.5
    for start in starts[:5]:
        peak = start + lids[start : start + 5].argmax()
        assert lids[peak] == 1
        assert lids[peak - 2] < lids[peak + 2]  # closes faster than it opens


def test_lids_stray_slowly_between_blinks_and_never_widen(minutes: Floats) -> None:
    lids = minutes[:, Channel.BLINK_LEFT]
    assert lids.min() >= 0
    between = lids[lids < 0.35]
    assert 0.02 < between.std() < 0.15
    assert np.median(np.abs(np.diff(lids))) < 0.02


def test_a_talking_head_is_livelier_and_stays_within_limits(minutes: Floats) -> None:
    speaking = SpeechLife(seed=7)
    added = np.stack([speaking.push(1.0, frame) for frame in range(FRAMES // 2)])
    talking = minutes[: FRAMES // 2] + added
    assert np.degrees(np.abs(talking[:, HEAD] * SHOWN).max()) < 9
    assert (talking[100:, HEAD].std(0) > 1.3 * minutes[100:, HEAD].std(0)).all()
    assert talking[:, Channel.BROWS_UP].std() > 1.3 * minutes[:, Channel.BROWS_UP].std()
    assert np.abs(np.diff(talking[:, HEAD] * SHOWN, axis=0)).max() < np.radians(3)
    assert not added[:, [Channel.BLINK_LEFT, Channel.BLINK_RIGHT]].any()


def test_measures_are_kept_in_a_file_and_damage_is_named(tmp_path: Path) -> None:
    shipped = LifeMeasures.load()
    shipped.save(tmp_path / "life.json")
    again = LifeMeasures.load(tmp_path / "life.json")
    np.testing.assert_array_equal(again.spreads, shipped.spreads)
    assert again.blinks_per_minute == shipped.blinks_per_minute
    assert [file.name for file in tmp_path.iterdir()] == ["life.json"]
    for words in ("", "[]", '{"spreads": {}}'):
        (tmp_path / "life.json").write_text(words)
        with pytest.raises(ValueError, match="not measures of life"):
            LifeMeasures.load(tmp_path / "life.json")


def test_the_eyes_rest_and_jump(minutes: Floats) -> None:
    straight = minutes[:, Channel.GAZE_LEFT] + 0.26 * minutes[:, Channel.YAW]
    still = np.abs(np.diff(straight)) < 1e-6
    assert 0.85 < still.mean() < 0.99


def test_breath_is_slow_and_small(minutes: Floats) -> None:
    breath = minutes[:, Channel.SHIFT_UP]
    assert np.abs(breath).max() < 0.1
    spectrum = np.abs(np.fft.rfft(breath - breath.mean()))
    assert 0.15 < np.fft.rfftfreq(FRAMES, 0.04)[spectrum.argmax()] < 0.35


def test_speech_nods_and_raises_brows_without_jolts() -> None:
    random, speaking = np.random.default_rng(0), SpeechLife(seed=3)
    loudness = np.repeat(random.uniform(0, 1.3, 300), 5)
    moves = np.stack([speaking.push(level, frame) for frame, level in enumerate(loudness)])
    assert 0.002 < moves[:, Channel.PITCH].std() < 0.08
    assert moves[:, Channel.BROWS_UP].max() > 0.03
    assert np.abs(np.diff(moves[:, HEAD], axis=0)).max() < 0.06
    assert np.abs(np.diff(moves[:, Channel.BROWS_UP])).max() < 0.1
    assert not moves[:, MOUTH].any()


def test_without_speech_the_face_comes_back_to_rest() -> None:
    speaking = SpeechLife()
    for frame in range(50):
        speaking.push(1.0, frame)
    settled = [speaking.push(0.0, frame) for frame in range(50, 450)][-1]
    assert np.abs(settled).max() < 1e-3
    speaking.push(1.0, 450)
    speaking.reset()
    assert np.abs(speaking.push(0.0, 451)).max() < 1e-6


def test_a_frame_costs_few_calls() -> None:
    speaking, lines = SpeechLife(seed=11), []
    for frame in range(100):
        with LineCounter() as counter:
            life(11, frame)
            speaking.push(1.0, frame)
        lines.append(counter.lines)
    assert np.median(lines) < 250  # chance is drawn anew only where a knot, blink or glance begins
