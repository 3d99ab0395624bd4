"""What the audit of dependencies says and how it ends, with auditors that only pretend."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
REACHABLE = (ROOT / "constraints.txt").as_uri()
FINDS = 'while [ "$1" != --output ]; do shift; done; echo "| jinja2 | CVE-1 |" > "$2"; exit 1'
LOSES = 'echo "ERROR: Tip: your network may be blocking this service." >&2; exit 1'
CRASHES = 'echo "  File \\"urllib3/connectionpool.py\\", line 1\nKeyError: 0" >&2; exit 1'
BREAKS = 'echo "ERROR: invalid requirements input: constraints.txt" >&2; exit 1'

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@pytest.mark.parametrize(
    ("service", "auditor", "status", "words"),
    [
        ("file:///nowhere", FINDS, 0, "SKIP the audit of dependencies: service unreachable (file"),
        (REACHABLE, LOSES, 0, "SKIP the audit of dependencies: service unreachable halfway"),
        (REACHABLE, "exit 0", 0, "No known vulnerability"),
        (REACHABLE, FINDS, 1, "| jinja2 | CVE-1 |"),
        (REACHABLE, BREAKS, 2, "broke down"),
        (REACHABLE, CRASHES, 2, "broke down"),
    ],
)
def test_only_a_finding_or_a_broken_auditor_fails(
    tmp_path: Path, service: str, auditor: str, status: int, words: str
) -> None:
    program = tmp_path / "auditor"
    program.write_text(f"#!/bin/sh\n{auditor}\n")
    program.chmod(0o755)
    ran = subprocess.run(
        [ROOT / "scripts" / "audit.sh", tmp_path / "folder"],
        env={**os.environ, "SERVICE": service, "AUDITOR": str(program)},
        check=False,
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert (ran.returncode, words in ran.stdout + ran.stderr) == (status, True), ran.stdout
