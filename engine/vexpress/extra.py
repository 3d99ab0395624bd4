"""Packages that only this engine needs, imported when first used: they take seconds to load."""

import importlib
from typing import Any

from engine.api import AvatarError

EXTRA = "vexpress"


class MissingPackageError(AvatarError, ImportError):
    """A package of the optional extra is not installed."""


def require(package: str) -> Any:
    """Import `package`. Raises `MissingPackageError`, which says how to install it."""
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:  # it is there, but one of its own dependencies is not
            raise
        raise MissingPackageError(
            f"the V-Express engine needs the package {package}: pip install '.[{EXTRA}]'"
        ) from error
