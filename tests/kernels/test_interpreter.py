"""The Triton twins without a GPU. Triton decides at import whether it interprets or compiles."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TWINS = Path(__file__).parent / "twins"


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_twins_agree_with_the_reference_when_interpreted() -> None:
    pytest.importorskip("triton", reason="Triton is not installed")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(TWINS)]
    environment = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(
        command, cwd=TWINS.parents[2], env=environment, check=False, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(r"\d+ passed in", ran.stdout), ran.stdout  # and none was skipped
