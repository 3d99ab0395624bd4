"""The strip shows both sides and how far they are apart."""

from pathlib import Path

import numpy as np
import pytest
import torch
import typer

from benchmarks.vexpress_strip import LABEL_PIXELS, TALL_PIXELS, Strip, main


def test_what_differs_can_be_seen() -> None:
    published = torch.full((3, 2, 32, 48), 0.5)
    ours = published.clone()
    ours[0, 1, 5, 7] += 2.2 / 255  # one red value of the second frame
    strip = Strip("clip", published, ours)
    assert strip.largest_difference == pytest.approx(2.2, rel=1e-3)
    rows = strip.rows()
    wide = 2 * 48 * TALL_PIXELS // 32
    assert rows.shape == (3 * TALL_PIXELS, LABEL_PIXELS + wide, 3)
    top, middle, apart = np.split(rows[:, LABEL_PIXELS:], 3)
    assert (top != middle).any()
    assert not apart[:, : wide // 2].any()
    assert apart[..., 0].max() == 128
    assert not apart[..., 1:].any()


def test_a_folder_without_clips_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        main(tmp_path, tmp_path / "strip.png")
    assert "holds no clip" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
