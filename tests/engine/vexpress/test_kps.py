"""Tracks from files, their fitting to a clip, and the drawings."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.vexpress.kps import (
    Points,
    TrackError,
    as_track,
    draw_face,
    draw_track,
    fit_track,
    read_track,
    write_track,
)

FACE = np.array([[40, 40], [80, 42], [60, 70]], np.float32)


def moving(frames: int) -> Points:
    """A face that moves one pixel to the right a frame."""
    steps = np.arange(frames, dtype=np.float32)[:, None, None] * np.array([1, 0], np.float32)
    return FACE + steps


def test_a_track_is_read_as_it_was_written(tmp_path: Path) -> None:
    track = moving(5)
    write_track(tmp_path / "kps.pth", track)
    np.testing.assert_array_equal(read_track(tmp_path / "kps.pth"), track)
    assert [path.name for path in tmp_path.iterdir()] == ["kps.pth"]


@pytest.mark.parametrize("as_stored", [list, np.asarray, lambda t: [torch.tensor(f) for f in t]])
def test_arrays_lists_and_tensors_are_tracks(as_stored: Any, tmp_path: Path) -> None:
    torch.save(as_stored(moving(3)), tmp_path / "kps.pth")
    np.testing.assert_array_equal(read_track(tmp_path / "kps.pth"), moving(3))


def test_a_file_written_with_numpy_1_is_read(tmp_path: Path) -> None:
    """Its pickles name another module, which only exists as an alias today."""
    path = tmp_path / "kps.pth"
    torch.save(list(moving(2)), path)
    content = path.read_bytes()
    assert b"numpy._core" in content
    older = tmp_path / "older.pth"
    with older.open("wb") as file:
        torch.save(list(moving(2)), file, pickle_module=_OlderPickle)
    assert b"numpy._core" not in older.read_bytes()
    np.testing.assert_array_equal(read_track(older), moving(2))


class _OlderPickle:
    """Pickles as under NumPy 1, for what differs in the name of one module."""

    class Pickler(pickle._Pickler):  # the one in Python can be told what to write
        def save_global(self, obj: Any, name: Any = None) -> None:
            if getattr(obj, "__module__", "") == "numpy._core.multiarray":
                self.write(b"cnumpy.core.multiarray\n" + obj.__name__.encode() + b"\n")  # type: ignore[attr-defined]  # not in the stubs
                self.memoize(obj)  # type: ignore[attr-defined]  # not in the stubs
            else:
                super().save_global(obj, name)  # type: ignore[misc]  # not in the stubs


class _Harm:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("harm"),))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([], "without any"),
        ({}, "got dict"),
        ([np.zeros((5, 2), np.float32)], r"frame 0 has the shape \(5, 2\)"),
        ([FACE, FACE[:2]], r"frame 1 has the shape \(2, 2\)"),
        ([FACE, FACE * np.nan], "frame 1 holds NaN"),
        ([FACE, FACE * 1e6], "frame 1 holds a point that is not within 100000 pixels"),
        ([FACE, "face"], "frame 1 is no array"),
    ],
)
def test_what_is_no_track_is_refused(content: Any, reason: str) -> None:
    with pytest.raises(TrackError, match=reason):
        as_track(content)


def test_files_that_are_no_tracks_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "kps.pth"
    with pytest.raises(TrackError, match="no such file"):
        read_track(path)
    path.write_text("hello")
    with pytest.raises(TrackError, match=r"kps\.pth"):
        read_track(path)
    torch.save([FACE], path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(TrackError, match="cut short or damaged"):
        read_track(path)
    torch.save(_Harm(), path)
    with pytest.raises(TrackError, match="more in it"):
        read_track(path)
    assert not (tmp_path / "harm").exists()


def test_files_damaged_anywhere_are_refused_or_read(tmp_path: Path) -> None:
    path, random = tmp_path / "kps.pth", np.random.default_rng(0)
    contents = []
    for is_zip in (True, False):
        torch.save(list(moving(3)), path, _use_new_zipfile_serialization=is_zip)
        contents.append(path.read_bytes())
    for index in range(300):
        damaged = bytearray(contents[index % 2])
        for place in random.integers(0, len(damaged), 3):
            damaged[place] = random.integers(256)
        path.write_bytes(damaged)
        try:
            assert read_track(path).shape[1:] == (3, 2)
        except TrackError as error:
            assert "kps.pth" in str(error)  # noqa: PT017  either is right
    assert (np.zeros(3, np.float32) + 1).sum() == 3  # what all arrays share is whole


@given(st.integers(1, 60), st.integers(1, 60))
def test_a_fitted_track_has_the_wanted_length_and_stays_between_its_ends(
    frames: int, wanted: int
) -> None:
    fitted = fit_track(moving(frames), wanted)
    assert fitted.shape == (wanted, 3, 2)
    assert fitted.dtype == np.float32
    assert FACE[0, 0] <= fitted[:, 0, 0].min()
    assert fitted[:, 0, 0].max() <= FACE[0, 0] + frames - 1


def test_a_longer_track_is_cut_as_published() -> None:
    np.testing.assert_array_equal(fit_track(moving(300), 284), moving(284))


def test_a_longer_track_keeps_its_own_time_when_that_is_known() -> None:
    # 300 frames at 30 a second, shown as 284 that last just as long.
    fitted = fit_track(moving(300), 284, frames_in_time=300.0)
    expected = FACE[0, 0] + (np.arange(284) + 0.5) * 300 / 284 - 0.5
    np.testing.assert_allclose(fitted[:, 0, 0], expected, atol=1e-3)
    # What plays after the clip's end is left out, not squeezed in.
    assert fit_track(moving(600), 300, 300.0)[-1, 0, 0] == FACE[0, 0] + 299


def test_the_drawing_is_a_v_in_three_colours() -> None:
    drawn = draw_face(FACE, 96, 128)
    assert drawn.shape == (96, 128, 3)
    for point, colour in zip(FACE, [(255, 0, 0), (0, 255, 0), (0, 0, 255)], strict=True):
        assert tuple(drawn[int(point[1]), int(point[0])]) == colour
    assert tuple(drawn[55, 50]) == (153, 0, 0)
    assert tuple(drawn[56, 70]) == (0, 153, 0)
    assert not drawn[80:].any()


def test_points_outside_the_picture_are_no_trouble() -> None:
    drawn = draw_track(np.stack([FACE - 500, FACE]), 96, 128)
    assert not drawn[0].any()
    assert drawn[1].any()
