"""The order of visits, told without any denoiser."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.api import AvatarError
from engine.stream.wavefront import Tiling, Visit, Wavefront


@st.composite
def tilings(draw: st.DrawFn) -> Tiling:
    frames = draw(st.integers(1, 8))
    return Tiling(frames, draw(st.integers(0, frames - 1)))


steps_of = st.integers(1, 5)


@given(tilings(), st.integers(1, 60))
def test_windows_cover_a_clip_and_lie_in_it(tiling: Tiling, frames: int) -> None:
    windows = [tiling.window(number, frames) for number in range(tiling.count(frames))]
    assert {frame for window in windows for frame in window} == set(range(frames))
    assert len(set(windows)) == len(windows)
    assert all(len(window) == min(tiling.frames, frames) for window in windows)
    if frames > tiling.frames:  # no window fewer would do
        assert tiling.window(tiling.count(frames) - 2, None).stop < frames


@given(tilings(), steps_of, st.lists(st.integers(1, 9), max_size=12))
def test_no_window_is_asked_before_its_frames_are_ready(
    tiling: Tiling, steps: int, arrivals: list[int]
) -> None:
    """Ready: conditions are known, and all that reads a frame a level up has been asked."""
    front, known = Wavefront(tiling, steps), 0
    total = sum(arrivals)
    asked = [set[range]() for _ in range(steps)]
    settled = [0] * steps

    def check(visit: Visit, clip_frames: int | None) -> None:
        assert visit.window not in asked[visit.level]
        assert visit.window.stop <= known
        assert visit.settled.start == settled[visit.level]
        if visit.level:
            assert visit.window.stop <= settled[visit.level - 1]
        assert visit.window.start >= (settled[visit.level]) or clip_frames is not None
        assert set(visit.settled) <= set(visit.window)
        asked[visit.level].add(visit.window)
        settled[visit.level] = visit.settled.stop

    for count in arrivals:
        known += count
        for visit in front.due(known, None):
            check(visit, None)
    if total:
        for visit in front.due(known, total):
            check(visit, total)
        windows = {tiling.window(number, total) for number in range(tiling.count(total))}
        assert all(level == windows for level in asked)
        assert front.finished_frames == total


@given(tilings(), steps_of)
def test_what_is_in_flight_is_bounded_as_stated(tiling: Tiling, steps: int) -> None:
    front, most, known = Wavefront(tiling, steps), 0, 0
    for _ in range(40):
        known += tiling.stride
        oldest = front.finished_frames  # read once more by the window that settles it
        for visit in front.due(known, None):
            oldest = min(oldest, visit.window.start)
        most = max(most, known - oldest)
    assert most <= front.needed_frames


@given(tilings(), steps_of)
def test_in_the_long_run_every_stride_asks_one_window_a_level(tiling: Tiling, steps: int) -> None:
    front, known = Wavefront(tiling, steps), 0
    levels: list[int] = []
    for _ in range(60):
        known += tiling.stride
        levels = sorted(visit.level for visit in front.due(known, None))
    assert levels == list(range(steps))


@pytest.mark.parametrize(("frames", "overlap"), [(4, 4), (4, -1), (0, 0)])
def test_windows_that_never_move_on_are_named(frames: int, overlap: int) -> None:
    with pytest.raises(AvatarError, match=f"windows of {frames} frames that share {overlap}"):
        Tiling(frames, overlap)
