"""The program as a user starts it, and what it refuses."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import run_server

ROOT = Path(__file__).parents[2]


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


def refusal(capsys: pytest.CaptureFixture[str], *flags: str) -> str:
    """The answer to `flags` that cannot be, without another process."""
    with pytest.raises(SystemExit) as ended:
        run_server.main(list(flags))
    out, error = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    return error


@pytest.mark.slow
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
def test_bad_flags_are_usage_errors(
    flags: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert flags[0].strip("-") in refusal(capsys, *flags).lower()


@pytest.mark.slow
def test_a_bad_environment_variable_is_a_usage_error_too() -> None:
    ran = start(VEXPRESS_PORT="x")
    assert ran.returncode == 2
    assert "Traceback" not in ran.stderr
    assert "port" in ran.stderr.lower()


def test_a_port_in_use_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        told = refusal(capsys, "--port", str(port), "--data-dir", str(tmp_path))
    assert told.count("\n") == 1
    assert str(port) in told


@pytest.mark.parametrize("name", ["missing.png", "text.png"])
def test_a_bad_avatar_is_one_line(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.png").write_text("hello")
    flags = ("--avatar", str(tmp_path / name), "--data-dir", str(tmp_path))
    told = refusal(capsys, "--port", "0", *flags)
    assert told.count("\n") == 1
    assert name in told


@pytest.mark.slow
def test_an_avatar_without_a_face_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "wall.png"
    Image.new("RGB", (300, 300), (90, 90, 90)).save(path)
    ran = start("--port", "0", "--avatar", str(path), "--data-dir", str(tmp_path))
    assert ran.returncode == 2, ran.stderr
    assert ran.stderr.count("\n") == 1
    assert "face" in ran.stderr


@pytest.mark.slow
def test_ctrl_c_ends_it_in_peace(tmp_path: Path) -> None:
    # A machine that is busy otherwise may be warned of: only errors count here.
    flags = ["--port", "0", "--data-dir", str(tmp_path), "--log-level", "error"]
    command = [sys.executable, "run_server.py", *flags]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True) as program:
        assert program.stdout is not None
        line = program.stdout.readline()
        assert re.fullmatch(r"vexpress-live ready at http://127\.0\.0\.1:\d+\n", line)
        program.send_signal(signal.SIGINT)
        _, errors = program.communicate(timeout=30)
    assert (program.returncode, errors) == (0, "")
