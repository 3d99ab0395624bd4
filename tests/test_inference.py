"""The command line: every mistake costs one line and exit code 2, and no file is left."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from engine.offline import Progress
from inference import BAD_INPUT, STOPPED, main, progress_bar, shown_on
from tests.fakes import FakeEngine
from tests.sounds import chirps, write_sound

ROOT = Path(__file__).parents[1]


def load_fake(name: str, device: str) -> FakeEngine:
    assert (name, device) == ("portrait", "auto")
    return FakeEngine()


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The three flags that everyone needs, with files that are fine."""
    monkeypatch.setenv("VEXPRESS_SIZE", "128")
    Image.fromarray(np.full((40, 30, 3), 99, np.uint8)).save(tmp_path / "face.png")
    write_sound(tmp_path / "speech.wav", chirps(16_000, 2.0), 16_000)
    return {
        "--reference_image": str(tmp_path / "face.png"),
        "--audio": str(tmp_path / "speech.wav"),
        "--output": str(tmp_path / "film.mp4"),
    }


def arguments(flags: dict[str, str], *more: str) -> list[str]:
    return [part for pair in flags.items() for part in pair] + list(more)


def test_a_film(given: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    flags = arguments(
        given, "--expression_strength", "0.7", "--seed", "3", "--fps", "25", "--no-badge"
    )
    assert main(flags, load_fake) == 0
    with av.open(given["--output"]) as container:
        assert container.streams.video[0].frames == 50
    out, error = capsys.readouterr()
    assert out.startswith(f"{given['--output']}: 2.00 s of film in ")
    assert error == ""


def test_json_ends_the_output(given: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments(given, "--json"), load_fake) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["output"] == given["--output"]
    assert (told["frames"], told["seconds"], told["width"]) == (50, 2.0, 128)
    wanted = {"engine_ms_per_frame", "realtime_factor", "peak_rss_mb", "prepare_s", "silent"}
    assert wanted <= told.keys()


def test_every_flag_is_an_environment_variable(
    given: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for flag, value in given.items():
        monkeypatch.setenv(f"VEXPRESS_{flag[2:].upper()}", value)
    monkeypatch.setenv("VEXPRESS_JSON", "1")
    monkeypatch.setenv("VEXPRESS_BADGE", "0")
    assert main([], load_fake) == 0
    assert json.loads(capsys.readouterr().out)["frames"] == 50


def test_silence_is_warned_of(given: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    write_sound(Path(given["--audio"]), np.zeros((1, 16_000), np.float32), 16_000)
    assert main(arguments(given), load_fake) == 0
    error = capsys.readouterr().err
    assert error.startswith("warning: ")
    assert "silent" in error
    assert error.count("\n") == 1


def write_bad_files(folder: Path) -> None:
    Image.fromarray(np.zeros((40, 30, 3), np.uint8)).save(folder / "black.png")
    (folder / "text.txt").write_text("hello")
    (folder / "empty.wav").touch()


@pytest.mark.parametrize(
    ("flag", "value", "reason"),
    [
        ("--reference_image", "none.png", "no such file"),
        ("--reference_image", "text.txt", "not a picture"),
        ("--reference_image", "black.png", "no face"),
        ("--audio", "none.wav", "no such file"),
        ("--audio", "text.txt", "not a sound file"),
        ("--audio", "empty.wav", "empty file"),
        ("--output", "none/film.mp4", "does not exist"),
        ("--output", "film.gif", "ending in .mp4"),
        ("--reference_video", "none.mp4", "no such file"),
        ("--pose", "1,2", "expected yaw,pitch,roll"),
        ("--pose_file", "none.json", "cannot be read"),
        ("--gesture", "waltz@1", "nod, shake"),
        ("--gesture", "nod", "nod@1.5"),
        ("--emotion", "envy", "neutral, smile"),
        ("--mouth_from", "video", "together with --reference_video"),
        ("--fps", "30", "expected 25"),
        ("--fps", "many", "--fps"),
        ("--size", "511", "expected an even number"),
        ("--size", "1", "expected an even number"),
        ("--framing", "round", "--framing"),
        ("--expression_strength", "-1", "expected 0.0 to 2.0"),
        ("--expression_strength", "nan", "expected 0.0 to 2.0"),
        ("--engine", "none", "expected one of: portrait"),
        ("--seed", "-1", "expected 0 or more"),
        ("--nonsense", "1", "--nonsense"),
    ],
)
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
    assert main(arguments(given | {flag: value}), load_fake) == BAD_INPUT
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert reason in error
    assert sorted(tmp_path.iterdir()) == before


def test_missing_flags_cost_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], load_fake) == BAD_INPUT
    error = capsys.readouterr().err
    assert "--audio" in error
    assert error.count("\n") == 1


def test_the_bar_follows_the_film() -> None:
    with progress_bar() as bar:
        show = shown_on(bar)
        assert not bar.tasks  # nothing to look at before the first frames
        show(Progress(10, None))
        show(Progress(25, 100))
    task = bar.tasks[0]
    assert (task.completed, task.total, task.fields["film_s"]) == (25, 100, 1.0)
    assert task.fields["speed"] > 0


def test_help_names_every_flag(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"], load_fake) == 0
    told = capsys.readouterr().out
    for flag in ("--reference_image", "--audio", "--output", "--no-badge", "--size", "--json"):
        assert flag in told


def test_ctrl_c_leaves_nothing(given: dict[str, str], tmp_path: Path) -> None:
    write_sound(Path(given["--audio"]), np.tile(chirps(16_000, 10.0), 60), 16_000)
    before = sorted(tmp_path.iterdir())
    program = (
        # Who runs tests in the background may have told all their processes to ignore it.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "import sys; from inference import main; from tests.fakes import FakeEngine;"
        "sys.exit(main(sys.argv[1:], lambda name, device: FakeEngine()))"
    )
    command = [sys.executable, "-c", program, *arguments(given | {"--size": "512"})]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as running:
        deadline_s = time.monotonic() + 30
        while sorted(tmp_path.iterdir()) == before and time.monotonic() < deadline_s:
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        _, error = running.communicate(timeout=30)
    assert running.returncode == STOPPED
    assert error.strip() == "stopped"
    assert sorted(tmp_path.iterdir()) == before
