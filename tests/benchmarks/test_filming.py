"""Takes come back as frames, whatever engine films them."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.filming import EngineProcess, FilmingError, Take, older_checkout
from benchmarks.harness import ROOT
from tests.speech import syllables


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_process_films_take_after_take(tmp_path: Path) -> None:
    sound = np.concatenate([syllables(2, 3)[0], np.zeros(100, np.float32)])
    with EngineProcess(ROOT, tmp_path, 128) as engine:
        frames = list(engine.film(Take("one", "astronaut", sound)))
        assert {frame.shape for frame in frames} == {(128, 128, 3)}
        assert len(frames) == 51  # what is over is padded
        assert engine.ms_per_frame is not None
        assert engine.ms_per_frame > 0
        with pytest.raises(FilmingError, match=r"two on .*nobody"):
            list(engine.film(Take("two", str(tmp_path / "nobody.png"), sound)))
        still = list(engine.film(Take("three", "astronaut", sound, strength=0.0)))
    assert len(still) == 51
    assert any(not np.array_equal(a, b) for a, b in zip(frames, still, strict=True))


def test_an_engine_that_does_not_start_is_told(tmp_path: Path) -> None:
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "__init__.py").write_text("raise SystemExit(3)")
    take = Take("one", "astronaut", np.zeros(640, np.float32))
    with (
        EngineProcess(tmp_path, tmp_path, 128) as engine,
        pytest.raises(FilmingError, match="exit status 3"),
    ):
        list(engine.film(take))


def test_an_older_engine_is_a_folder_or_a_revision(tmp_path: Path) -> None:
    (tmp_path / "old" / "engine").mkdir(parents=True)
    assert older_checkout(str(tmp_path / "old"), tmp_path) == tmp_path / "old"
    with pytest.raises(FilmingError, match="name a revision"):
        older_checkout("no-such-revision", tmp_path)


def test_a_revision_is_unpacked_once(tmp_path: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    folder = older_checkout("HEAD", tmp_path)
    assert (folder / "engine" / "api.py").is_file()
    (folder / "mark").touch()
    assert (older_checkout("HEAD", tmp_path) / "mark").is_file()
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]
