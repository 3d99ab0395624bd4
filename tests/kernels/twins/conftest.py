"""Where the Triton twins run: compiled on a GPU, or interpreted on the CPU."""

import os

import pytest
import torch

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = "cpu" if INTERPRETED else "cuda"


@pytest.fixture(params=[pytest.param(DEVICE, marks=() if INTERPRETED else pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> str:
    """The device of the tensors; tests/kernels/test_interpreter.py has them on the CPU."""
    pytest.importorskip("triton", reason="Triton is not installed")
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    return str(request.param)
