"""The program as a user starts it. What needs a loaded engine is tested elsewhere."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


def start(*flags: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "run_server.py", *flags],
        cwd=ROOT,
        env={**os.environ, **environment},
        check=False,
        capture_output=True,
        text=True,
        timeout=50,
    )


def test_help_names_every_flag_and_its_variable() -> None:
    ran = start("--help", COLUMNS="200", TERM="dumb")
    assert ran.returncode == 0
    for flag in (
        "host",
        "port",
        "avatar",
        "engine",
        "device",
        "size",
        "framing",
        "max-sessions",
        "badge",
        "seed",
        "expression-strength",
        "stun",
        "data-dir",
        "ssl-self-signed",
        "log-level",
    ):
        assert f"--{flag}" in ran.stdout
        assert f"VEXPRESS_{flag.upper().replace('-', '_')}" in ran.stdout


@pytest.mark.parametrize(
    "flags",
    [
        ("--port", "99999"),
        ("--port", "x"),
        ("--size", "64"),
        ("--size", "511"),
        ("--engine", "nothing"),
        ("--device", "toaster"),
        ("--framing", "round"),
        ("--expression-strength", "9"),
        ("--max-sessions", "0"),
        ("--stun", "stunning"),
        ("--no-such-flag",),
    ],
)
def test_bad_flags_are_usage_errors(flags: tuple[str, ...]) -> None:
    ran = start(*flags)
    assert ran.returncode == 2
    assert "Traceback" not in ran.stderr
    assert flags[0].strip("-") in ran.stderr.lower()


def test_a_bad_environment_variable_is_a_usage_error_too() -> None:
    assert start(VEXPRESS_PORT="x").returncode == 2


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ran = start("--port", str(port), "--data-dir", str(tmp_path))
    assert ran.returncode == 2
    assert ran.stderr.count("\n") == 1
    assert str(port) in ran.stderr


@pytest.mark.parametrize("name", ["missing.png", "text.png"])
def test_a_bad_avatar_is_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.png").write_text("hello")
    ran = start("--port", "0", "--avatar", str(tmp_path / name), "--data-dir", str(tmp_path))
    assert ran.returncode == 2, ran.stderr
    assert ran.stderr.count("\n") == 1
    assert name in ran.stderr
