"""The command line of the V-Express engine, on networks of a few thousand numbers."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.api import Picture
from engine.badge import BadgePainter
from engine.vexpress import command
from engine.vexpress.pipeline import Show
from engine.vexpress.weights import LICENCE_NOTICE
from inference import BAD_INPUT, STOPPED, main
from tests.engine.vexpress.command_line import SECONDS, frames_of, run
from tests.engine.vexpress.films import write_driver


@pytest.mark.slow
def test_a_film_lasts_as_long_as_its_sound(
    given: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(given, "--json") == 0
    out, error = capsys.readouterr()
    told = json.loads(out.splitlines()[-1])
    assert (told["frames"], told["frame_rate"], told["width"]) == (18, 30.0, 64)
    assert told["output"] == given["--output"]
    assert told["peak_rss_mb"] > 0
    assert error.strip() == LICENCE_NOTICE
    with av.open(given["--output"]) as film:
        assert [stream.type for stream in film.streams] == ["video", "audio"]
        assert film.streams.video[0].frames == 18
        assert float(film.duration or 0) / av.time_base == pytest.approx(SECONDS, abs=0.05)


@pytest.mark.slow
def test_as_published_the_clip_is_cut_to_whole_windows(
    given: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(given, "--compat", "published", "--json", "--image_width", "96") == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["frames"] == 14
    assert told["frame_rate"] == pytest.approx(14 / SECONDS, rel=1e-4)
    assert told["seconds"] == pytest.approx(SECONDS, rel=1e-3)
    assert run(given, "--quirk", "Q3", "--json") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["frames"] == 14


@pytest.mark.slow
def test_memory_options_change_no_picture(given: dict[str, str], tmp_path: Path) -> None:
    made = []
    for index, options in enumerate(
        ([], ["--save_memory"], ["--cpu_offload"], ["--vae_frames_per_call", "5"])
    ):
        path = tmp_path / f"film{index}.mp4"
        assert run(given | {"--output": str(path)}, *options) == 0
        made.append(np.stack(frames_of(path)))
    assert np.abs(made[0].astype(int) - made[1]).max() == 0
    assert np.abs(made[0].astype(int) - made[2]).max() == 0
    # Sums come out otherwise in other batches; the encoder makes much of a last bit.
    assert np.abs(made[0].astype(int) - made[3]).mean() < 2


@pytest.mark.slow
@pytest.mark.parametrize("steps", ["1", "3"])
def test_a_streamed_film_has_the_same_pictures(
    steps: str, given: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[list[Picture]] = []

    def keep(painter: BadgePainter, picture: Picture) -> None:
        made[-1].append(picture.copy())

    monkeypatch.setattr(BadgePainter, "paint", keep)
    for options in ([], ["--streamed"], ["--streamed", "--cpu_offload"]):
        made.append([])
        assert run(given | {"--steps": steps, "--vae_frames_per_call": "3"}, *options) == 0
    whole, streamed, offloaded = (np.stack(pictures).astype(int) for pictures in made)
    assert whole.shape == (18, 64, 64, 3)
    # Sums of the same numbers in another order; a last bit may cross a whole number.
    assert np.abs(whole - streamed).max() <= 1
    assert (whole != streamed).mean() < 1e-3
    assert (streamed == offloaded).all()


def test_what_cannot_be_streamed_is_refused(
    given: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(given, "--streamed", "--save_memory") == BAD_INPUT
    assert "both must be held" in capsys.readouterr().err
    assert run(given, "--streamed", "--quirk", "Q6") == BAD_INPUT
    assert "18 frames is not one of whole windows of 8 that share 2" in capsys.readouterr().err
    assert not Path(given["--output"]).exists()


@pytest.mark.slow
def test_as_published_a_streamed_clip_is_one_of_whole_windows(given: dict[str, str]) -> None:
    assert run(given, "--streamed", "--compat", "published") == 0
    assert len(frames_of(given["--output"])) == 14


@pytest.mark.slow
def test_numbers_out_of_range_end_a_streamed_film(
    given: dict[str, str], models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tensors = load_file(models / "v-express" / "v_kps_guider.safetensors")
    broken = {key: tensor * 1e30 for key, tensor in tensors.items()}
    save_file(broken, tmp_path / "guider.safetensors")
    before = sorted(tmp_path.iterdir())
    path = str(tmp_path / "guider.safetensors")
    assert run(given | {"--v_kps_guider_path": path}, "--streamed") == BAD_INPUT
    assert "not finite" in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.slow
def test_the_seed_and_the_weights_of_attention_matter(
    given: dict[str, str], tmp_path: Path
) -> None:
    made = []
    for index, options in enumerate(
        ([], ["--seed", "7"], ["--expression_strength", "0.5"], ["--guidance_scale", "1"])
    ):
        path = tmp_path / f"film{index}.mp4"
        assert run(given | {"--output": str(path)}, *options) == 0
        made.append(np.stack(frames_of(path)))
    for other in made[1:]:
        assert (made[0] != other).any()


@pytest.mark.slow
def test_a_film_is_followed(given: dict[str, str], tmp_path: Path) -> None:
    write_driver(tmp_path / "driver.mp4", 8, step_pixels=4)
    still = run(given | {"--size": "128"}, "--no-badge")
    before = np.stack(frames_of(given["--output"]))
    moving = run(
        given | {"--size": "128", "--reference_video": str(tmp_path / "driver.mp4")}, "--no-badge"
    )
    after = np.stack(frames_of(given["--output"]))
    assert (still, moving) == (0, 0)
    assert (before != after).any()


@pytest.mark.slow
def test_the_badge_is_there_unless_it_is_left_out(given: dict[str, str]) -> None:
    assert run(given) == 0
    with_badge = frames_of(given["--output"])[3]
    assert run(given, "--no-badge") == 0
    without = frames_of(given["--output"])[3]
    difference = np.abs(with_badge.astype(int) - without)
    assert difference[-16:, -40:].mean() > 5 * difference[:40].mean()


@pytest.mark.slow
def test_a_plan_needs_no_weights(
    given: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = given | {"--model_dir": str(tmp_path / "nowhere")}
    assert run(wanted, "--plan") == 0
    out = capsys.readouterr().out
    assert "unet: with conditions" in out
    assert "[1,4,8,8,8]" in out
    assert "expected memory" in out
    assert not Path(given["--output"]).exists()


def test_a_track_that_fix_face_does_not_need_is_opened_only_as_published(
    given: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "kps.pth").write_text("no track")
    wanted = given | {"--kps_path": str(tmp_path / "kps.pth"), "--retarget_strategy": "fix_face"}
    assert run(wanted, "--quirk", "Q15") == BAD_INPUT
    assert "kps.pth" in capsys.readouterr().err
    assert run(wanted) == 0


@pytest.mark.slow
def test_numbers_out_of_range_make_no_film(
    given: dict[str, str], models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tensors = load_file(models / "v-express" / "v_kps_guider.safetensors")
    broken = {key: tensor * 1e30 for key, tensor in tensors.items()}
    save_file(broken, tmp_path / "guider.safetensors")
    before = sorted(tmp_path.iterdir())
    path = str(tmp_path / "guider.safetensors")
    assert run(given | {"--v_kps_guider_path": path}) == BAD_INPUT
    assert "not finite" in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
    ],
)
def test_a_full_device_says_what_to_do(
    error: RuntimeError,
    given: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def full(*_: object) -> None:
        raise error

    monkeypatch.setattr(command, "make_clip", full)
    assert run(given) == BAD_INPUT
    assert "cpu: out of memory; expected less to do, by --save_memory" in capsys.readouterr().err


@pytest.mark.slow
def test_a_plan_refuses_what_the_film_would_refuse(
    given: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    for flag, value, reason in (
        ("--size", "65", "multiples of 8"),
        ("--steps", "1001", "expected 1 to 1000"),
    ):
        assert run(given | {flag: value}, "--plan") == BAD_INPUT
        assert reason in capsys.readouterr().err


@pytest.mark.slow
def test_a_film_never_takes_the_place_of_what_it_is_made_from(
    given: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    driver = tmp_path / "driver.mp4"
    write_driver(driver, 3, step_pixels=4)
    before = driver.read_bytes()
    assert run(given | {"--reference_video": str(driver), "--output": str(driver)}) == BAD_INPUT
    assert "is read to make the film" in capsys.readouterr().err
    assert driver.read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["face points", "frames", "pictures"])
def test_ctrl_c_leaves_nothing_at_any_stage(
    stage: str,
    given: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    @contextmanager
    def pressing() -> Iterator[Show]:
        def show(at: str, _done: int, _total: int) -> None:
            if at == stage:
                raise KeyboardInterrupt

        yield show

    monkeypatch.setattr(command, "progress", pressing)
    before = sorted(tmp_path.iterdir())
    assert run(given) == STOPPED
    assert "stopped" in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


def test_the_engine_may_be_named_in_the_environment(
    given: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VEXPRESS_ENGINE", given.pop("--engine"))
    assert run(given | {"--num_pad_audio_frames": "9"}) == BAD_INPUT
    assert "expected 0 to 2" in capsys.readouterr().err
    assert main(["--engine=portrait", "--num_pad_audio_frames", "9"]) == BAD_INPUT
    assert "--num_pad_audio_frames" in capsys.readouterr().err


def test_help_names_the_published_flags(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--engine", "vexpress", "--help"]) == 0
    told = capsys.readouterr().out
    for name in ("--retarget_strat", "--guidance_scale", "--context_frames", "--plan"):
        assert name in told
