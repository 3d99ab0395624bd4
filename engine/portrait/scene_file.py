"""Prepared scenes on disk: by content and version, so that a portrait is prepared once."""

import hashlib
import os
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np

from engine.api import Picture, PortraitOptions
from engine.portrait.renderer import Scene

VERSION = 4  # raise it when preparation changes: older files are then never read again
MAX_FILES = 64  # the least recently used go first


def scene_id(picture: Picture, options: PortraitOptions) -> str:
    """A stable name for what `picture` and `options` give under this version, 16 hex digits."""
    shown = f"{options.size} {options.height} {options.framing.value} {options.background.name}"
    head = f"{VERSION} {picture.shape} {shown}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(picture).tobytes()).hexdigest()[:16]


class SceneCache:
    """A folder of scenes, at most `MAX_FILES` of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, name: str) -> Scene | None:
        """The scene of that name; None when there is none, or when its file is damaged."""
        path = self._path(name)
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                scene = _build(Scene, dict(arrays), "")
            path.touch()
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        assert isinstance(scene, Scene)
        return scene

    def save(self, name: str, scene: Scene) -> None:
        """Keep a scene; a reader never sees half a file."""
        self._folder.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(dir=self._folder, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, allow_pickle=False, **dict(_flatten(scene, "")))
            Path(partial).replace(self._path(name))
        finally:
            Path(partial).unlink(missing_ok=True)
        self._forget_oldest()

    def _forget_oldest(self) -> None:
        known = sorted(self._folder.glob("*.npz"), key=lambda path: path.stat().st_mtime)
        for path in known[:-MAX_FILES]:
            path.unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.npz"


def _flatten(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Arrays and numbers of nested dataclasses and tuples under dotted names."""
    if is_dataclass(value):
        for field in fields(value):
            yield from _flatten(getattr(value, field.name), f"{name}.{field.name}")
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _flatten(item, f"{name}.{index}")
    else:
        yield name, value


def _build(kind: Any, arrays: dict[str, Any], name: str) -> Any:
    """The inverse of `_flatten` for a value of type `kind`."""
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        parts = {
            field.name: _build(hints[field.name], arrays, f"{name}.{field.name}")
            for field in fields(kind)
        }
        return kind(**parts)  # type: ignore[operator]  # a dataclass type, not an instance
    if getattr(kind, "__origin__", None) is tuple:
        kinds = enumerate(get_args(kind))
        return tuple(_build(item, arrays, f"{name}.{index}") for index, item in kinds)
    array = arrays[name]
    if kind in (int, float):
        return kind(array)
    array.flags.writeable = False
    return array
