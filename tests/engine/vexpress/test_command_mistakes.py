"""What cannot be is answered in one line, and nothing is left behind."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from engine.vexpress.kps import write_track
from engine.vexpress.weights import LICENCE_NOTICE
from inference import BAD_INPUT
from tests.engine.vexpress.command_line import run


def write_bad_files(folder: Path) -> None:
    track = np.array([[[1, 1], [3, 1], [2, 2]]] * 3, np.float32)
    write_track(folder / "three.pth", track)
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(folder / "black.png")
    (folder / "text.txt").write_text("hello")
    (folder / "sizes.json").write_text('{"unet": {}}')
    torch.save({"x": torch.zeros(2)}, folder / "other.bin")


MISTAKES = [
    ("--reference_image", "none.png", "no such file"),
    ("--reference_image", "black.png", "no face"),
    ("--audio", "none.wav", "no such file"),
    ("--output", "none/film.mp4", "does not exist"),
    ("--kps_path", "none.pth", "no such file"),
    ("--kps_path", "text.txt", "text.txt"),
    ("--reference_kps", "three.pth", "expected the one of the portrait"),
    ("--reference_video", "none.mp4", "no such file"),
    ("--reference_video", "text.txt", "text.txt"),
    ("--retarget_strategy", "naive_retarget", "needs --kps_path"),
    ("--retarget_strategy", "twist", "--retarget_strategy"),
    ("--size", "65", "multiples of 8"),
    ("--size", "100000", "at most 4096"),
    ("--image_height", "-8", "multiples of 8"),
    ("--fps", "0", "expected 1 to 120"),
    ("--fps", "nan", "expected 1 to 120"),
    ("--steps", "0", "expected 1 to 1000"),
    ("--context_frames", "33", "expected at most 32"),
    ("--context_overlap", "8", "fewer shared"),
    ("--num_pad_audio_frames", "3", "expected 0 to 2"),
    ("--guidance_scale", "-1", "expected 0.0 to 100.0"),
    ("--guidance_scale", "nan", "expected 0.0 to 100.0"),
    ("--audio_attention_weight", "-1", "expected 0.0 to 100.0"),
    ("--reference_attention_weight", "nan", "expected 0.0 to 100.0"),
    ("--expression_strength", "3", "expected 0.0 to 2.0"),
    ("--seed", "-1", "expected 0 to 18446744073709551615"),
    ("--seed", "18446744073709551616", "expected 0 to 18446744073709551615"),
    ("--vae_frames_per_call", "0", "expected 1 or more"),
    ("--kps_fps", "inf", "expected 1 to 1000"),
    ("--device", "tpu", "expected auto, cpu or cuda"),
    ("--dtype", "fp8", "--dtype"),
    ("--quirk", "Q99", "expected one of: Q1"),
    ("--model_dir", "none", "weights fetch"),
    ("--model_config", "text.txt", "not readable"),
    ("--model_config", "sizes.json", "lacks"),
    ("--reference_net_path", "other.bin", "no reference_net of this configuration"),
    ("--vae_path", "text.txt", "no VAE there"),
    ("--framing", "full", "--framing"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("flag", "value", "reason"), MISTAKES)
def test_mistakes_cost_one_line_and_leave_nothing(  # noqa: PLR0913, PLR0917  a table
    flag: str,
    value: str,
    reason: str,
    given: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_bad_files(tmp_path)
    before = sorted(tmp_path.iterdir())
    monkeypatch.chdir(tmp_path)
    assert run(given | {flag: value}) == BAD_INPUT
    out, error = capsys.readouterr()
    assert out == ""
    last = error.removeprefix(f"{LICENCE_NOTICE}\n")
    assert last.startswith("error: ")
    assert last.count("\n") == 1
    assert reason in last
    assert sorted(tmp_path.iterdir()) == before
