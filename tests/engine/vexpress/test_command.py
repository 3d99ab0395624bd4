"""The command line of the V-Express engine, on networks of a few thousand numbers."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save_file

from engine.vexpress import command
from engine.vexpress.kps import write_track
from engine.vexpress.weights import LICENCE_NOTICE
from inference import BAD_INPUT, main
from tests.engine.vexpress.films import write_driver
from tests.engine.vexpress.tiny_models import SIZES, write_model_folder
from tests.sounds import chirps, write_sound

Call = Callable[..., int]
SECONDS = 0.6


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, committed: Path) -> Path:
    folder = tmp_path_factory.mktemp("models") / "model_ckpts"
    write_model_folder(folder, committed / "weights" / "tiny_vae_A")
    return folder


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small only lose by sharing their work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def given(models: Path, tmp_path: Path) -> dict[str, str]:
    """Flags that make a small film."""
    sound = chirps(16_000, 1.0)[:, : int(16_000 * SECONDS)]
    write_sound(tmp_path / "speech.wav", sound, 16_000)
    return {
        "--engine": "vexpress",
        "--reference_image": "astronaut",
        "--audio": str(tmp_path / "speech.wav"),
        "--output": str(tmp_path / "film.mp4"),
        "--model_dir": str(models),
        "--model_config": str(models / SIZES),
        "--size": "64",
        "--steps": "1",
        "--context_frames": "8",
        "--context_overlap": "2",
        "--device": "cpu",
    }


def run(flags: dict[str, str], *more: str) -> int:
    return main([part for pair in flags.items() for part in pair] + list(more))


def frames_of(path: str | Path) -> list[NDArray[np.uint8]]:
    with av.open(str(path)) as film:
        return [np.asarray(frame.to_ndarray(format="rgb24")) for frame in film.decode(video=0)]


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
def test_memory_options_change_no_pixel(given: dict[str, str], tmp_path: Path) -> None:
    made = []
    for index, options in enumerate(
        ([], ["--save_memory"], ["--cpu_offload", "--vae_frames_per_call", "5"])
    ):
        path = tmp_path / f"film{index}.mp4"
        assert run(given | {"--output": str(path)}, *options) == 0
        made.append(np.stack(frames_of(path)))
    assert np.abs(made[0].astype(int) - made[1]).max() == 0
    assert np.abs(made[0].astype(int) - made[2]).max() <= 2  # other sums in other batches


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
    ("--image_height", "-8", "multiples of 8"),
    ("--fps", "0", "expected 1 to 120"),
    ("--steps", "0", "expected 1 to 1000"),
    ("--context_frames", "33", "expected at most 32"),
    ("--context_overlap", "8", "fewer shared"),
    ("--num_pad_audio_frames", "3", "expected 0 to 2"),
    ("--guidance_scale", "-1", "expected 0 or more"),
    ("--expression_strength", "3", "expected 0.0 to 2.0"),
    ("--seed", "-1", "expected 0 or more"),
    ("--vae_frames_per_call", "0", "expected 1 or more"),
    ("--kps_fps", "0", "expected more than 0"),
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


@pytest.mark.slow
def test_a_full_device_says_what_to_do(
    given: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(command, "make_clip", full)
    assert run(given) == BAD_INPUT
    assert "cpu: out of memory; expected less to do, by --save_memory" in capsys.readouterr().err


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
