"""Windows cover a clip; clip lengths as published and as they should be."""

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.vexpress.windows import (
    Clip,
    ClipError,
    ClipRules,
    WindowSize,
    count_windows,
    cover,
    cover_folded,
    plan_clip,
)

SIZE = WindowSize(24, 4)
WHOLE, PUBLISHED = ClipRules(), ClipRules(cut=True, refuse_short=True)
sizes = st.builds(
    lambda frames, part: WindowSize(frames, part % frames), st.integers(1, 32), st.integers(0, 31)
)


@given(st.integers(1, 400), sizes)
def test_windows_hold_every_frame_and_stay_inside(frames: int, size: WindowSize) -> None:
    windows = cover(frames, size)
    assert {frame for window in windows for frame in window} == set(range(frames))
    for window in windows:
        assert len(window) == min(frames, size.frames)
        assert list(window) == list(range(window[0], window[-1] + 1))
    assert len(set(windows)) == len(windows)
    assert min(count_windows(frames, windows)) >= 1


@given(st.integers(1, 12), sizes)
def test_clips_of_whole_windows_get_the_published_windows(count: int, size: WindowSize) -> None:
    frames = (count - 1) * size.step + size.frames
    assert cover(frames, size) == cover_folded(frames, size)


def test_a_clip_of_another_length_is_folded_as_published() -> None:
    windows = cover_folded(17, WindowSize(8, 2))
    assert windows[-1] == (12, 13, 14, 15, 16, 15, 14, 13)
    assert count_windows(17, windows)[13] == 2  # in two windows, thrice in all


def test_the_published_clip_is_cut_and_slowed_down() -> None:
    clip = plan_clip(160_000, 16_000, 30.0, SIZE, PUBLISHED)
    assert clip == Clip(284, Fraction(284, 10))


def test_the_whole_clip_is_kept_at_its_rate() -> None:
    assert plan_clip(160_000, 16_000, 30.0, SIZE, WHOLE) == Clip(300, Fraction(30))
    assert plan_clip(160_000, 16_000, 29.97, SIZE, WHOLE).frames == 300


def test_short_sound_is_refused_as_published_and_taken_otherwise() -> None:
    samples = 16_000 // 2
    with pytest.raises(ClipError, match="15 frames: shorter than one window of 24 frames"):
        plan_clip(samples, 16_000, 30.0, SIZE, PUBLISHED)
    assert plan_clip(samples, 16_000, 30.0, SIZE, WHOLE).frames == 15
    assert plan_clip(samples, 16_000, 30.0, SIZE, ClipRules(cut=True)).frames == 15
    with pytest.raises(ClipError, match="shorter than one window"):
        plan_clip(samples, 16_000, 30.0, SIZE, ClipRules(refuse_short=True))
    assert plan_clip(500, 16_000, 30.0, SIZE, WHOLE).frames == 2


@given(st.integers(1000, 10**7), st.floats(1, 60), sizes)
def test_a_film_lasts_as_long_as_its_sound(samples: int, rate: float, size: WindowSize) -> None:
    duration_s = samples / 16_000
    whole = plan_clip(samples, 16_000, rate, size, WHOLE)
    assume(whole.frames > 2)
    assert whole.frames / whole.frame_rate_hz == pytest.approx(duration_s, abs=0.51 / rate)
    assume(int(duration_s * rate) >= size.frames)
    cut = plan_clip(samples, 16_000, rate, size, PUBLISHED)
    assert cut.frames / cut.frame_rate_hz == pytest.approx(duration_s, rel=1e-3)
    assert whole.frames - cut.frames <= size.step


@pytest.mark.parametrize(("frames", "overlap"), [(0, 0), (4, 4), (4, -1), (-3, 0)])
def test_windows_that_cannot_be_are_refused(frames: int, overlap: int) -> None:
    with pytest.raises(ClipError, match="expected at least one frame"):
        WindowSize(frames, overlap)


@pytest.mark.parametrize("rate", [0.0, -25.0, 1000.0, float("nan")])
def test_frame_rates_that_no_film_has_are_refused(rate: float) -> None:
    with pytest.raises(ClipError, match="expected 1 to 120"):
        plan_clip(16_000, 16_000, rate, SIZE, WHOLE)
