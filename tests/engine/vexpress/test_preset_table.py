"""The table of presets in the documents against the presets themselves."""

from pathlib import Path

import pytest

from engine.stream.schedule import evaluations_per_frame
from engine.vexpress.live.hearing import LOOK_AHEAD_FRAMES
from engine.vexpress.presets import PRESETS, Preset

DOCUMENT = Path(__file__).parents[3] / "docs" / "vexpress.md"


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_each_preset_is_described_as_it_is(preset: Preset) -> None:
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    (row,) = (line for line in lines if line.startswith(f"| `{preset.name}` |"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1] == preset.meant_for
    assert cells[2] == str(preset.size)
    latency_frames = preset.schedule.delay_frames + LOOK_AHEAD_FRAMES
    assert cells[5] == f"{latency_frames} frames"
    assert float(cells[6]) == pytest.approx(evaluations_per_frame(preset.schedule))
