"""Where the program keeps what it can make again."""

import os
from pathlib import Path


def cache_folder(name: str) -> Path:
    """The folder `name` below $VEXPRESS_CACHE_DIR, else below the user's cache."""
    named = os.environ.get("VEXPRESS_CACHE_DIR")
    base = Path(named) if named else Path.home() / ".cache" / "vexpress-live"
    return base / name
