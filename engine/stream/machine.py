"""A look at this machine."""

import os
import shutil
from importlib import metadata

import torch

from engine.stream.backends import Gpu, Machine


def this_machine() -> Machine:
    """What is installed and plugged in. Imports none of the optional packages."""
    return Machine(
        torch_version=torch.__version__,
        cuda_version=torch.version.cuda,
        gpu=_gpu(),
        compiler=shutil.which(os.environ.get("CXX", "g++")),
        triton_version=_version("triton"),
        torch_tensorrt_version=_version("torch-tensorrt"),
        xformers_version=_version("xformers"),
    )


def _gpu() -> Gpu | None:
    if not torch.cuda.is_available():
        return None
    properties = torch.cuda.get_device_properties(torch.cuda.current_device())
    return Gpu(
        name=properties.name,
        capability=(properties.major, properties.minor),
        memory_bytes=properties.total_memory,
    )


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
