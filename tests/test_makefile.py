"""`make run`, as far as it can be followed without doing it."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--dry-run", *arguments], cwd=ROOT, check=False, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    ("engine", "extras"), [("portrait", "'.[demo]'"), ("vexpress", "'.[demo,vexpress]'")]
)
def test_an_engine_is_installed_and_served(engine: str, extras: str, tmp_path: Path) -> None:
    made = make("run", f"ENGINE={engine}", f"VENV={tmp_path}/venv", "ARGS=--port 9000")
    assert made.returncode == 0, made.stderr
    assert extras in made.stdout
    last = made.stdout.splitlines()[-1]
    assert last.endswith(f"/venv/bin/python run_server.py --engine {engine} --port 9000")


@pytest.mark.parametrize("engine", ["magic", "", "vexpres"])
def test_an_unknown_engine_lists_the_known(engine: str) -> None:
    made = make("run", f"ENGINE={engine}")
    assert made.returncode == 2
    assert made.stdout == ""
    assert f"ENGINE={engine}: expected one of: portrait vexpress" in made.stderr
    assert made.stderr.count("\n") == 1


def test_other_targets_need_no_engine() -> None:
    assert make("help", "ENGINE=magic").returncode == 0
