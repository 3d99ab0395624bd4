"""Where the cache lies."""

from pathlib import Path

import pytest

from engine.cache import cache_folder


def test_the_cache_is_the_users_unless_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VEXPRESS_CACHE_DIR", "/var/cache/avatars")
    assert cache_folder("scenes") == Path("/var/cache/avatars/scenes")
    monkeypatch.delenv("VEXPRESS_CACHE_DIR")
    assert cache_folder("scenes") == Path.home() / ".cache" / "vexpress-live" / "scenes"
