"""The program as a user starts it."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

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
        "background",
        "max-sessions",
        "admit-by-cost",
        "session-limit",
        "away-limit",
        "drain",
        "badge",
        "seed",
        "expression-strength",
        "stun",
        "turn",
        "turn-secret-file",
        "udp-ports",
        "relay-only",
        "tokens-file",
        "cors-origin",
        "allowed-host",
        "trust-proxy",
        "data-dir",
        "ssl-self-signed",
        "workers",
        "barge-in",
        "log-level",
        "log-format",
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
        ("--relay-only",),
        ("--udp-ports", "9-5"),
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


def test_an_avatar_without_a_face_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "wall.png"
    Image.new("RGB", (300, 300), (90, 90, 90)).save(path)
    ran = start("--port", "0", "--avatar", str(path), "--data-dir", str(tmp_path))
    assert ran.returncode == 2, ran.stderr
    assert ran.stderr.count("\n") == 1
    assert "face" in ran.stderr


def test_ctrl_c_ends_it_in_peace(tmp_path: Path) -> None:
    command = [sys.executable, "run_server.py", "--port", "0", "--data-dir", str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True) as program:
        assert program.stdout is not None
        line = program.stdout.readline()
        assert re.fullmatch(r"vexpress-live ready at http://127\.0\.0\.1:\d+\n", line)
        program.send_signal(signal.SIGINT)
        _, errors = program.communicate(timeout=30)
    assert (program.returncode, errors) == (0, "")
