"""The pictures behind avatars, kept on disk so that a new process can prepare them again."""

import itertools
import tempfile
import weakref
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np

from engine.api import AvatarError, Picture, PortraitOptions
from streamer.remote.messages import Prepared


class NoRoomError(AvatarError):
    """The disk takes nothing more."""


@dataclass(frozen=True, eq=False)  # no slots: it must be possible to see when it goes
class RemoteAvatar:
    """A prepared portrait; whichever process opens it first prepares it there."""

    avatar_id: str
    still: Picture = field(repr=False)
    number: int
    options: PortraitOptions


class Pictures:
    """A folder of pictures that lives as long as the server; use it in a `with`."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="vexpress-live-")
        self._held: weakref.WeakValueDictionary[int, RemoteAvatar] = weakref.WeakValueDictionary()
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def next_number(self) -> int:
        """A number that no avatar had before."""
        return next(self._numbers)

    def keep(
        self, number: int, prepared: Prepared, picture: Picture, options: PortraitOptions
    ) -> RemoteAvatar:
        """Make the avatar of a number; its picture stays for as long as somebody holds it."""
        path = self._path(number)
        try:
            np.save(path, picture, allow_pickle=False)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise NoRoomError(f"a picture cannot be kept ({error.strerror or error})") from error
        prepared.still.flags.writeable = False
        avatar = RemoteAvatar(prepared.avatar_id, prepared.still, number, options)
        self._held[number] = avatar
        weakref.finalize(avatar, path.unlink, missing_ok=True)
        return avatar

    def read(self, avatar: RemoteAvatar) -> Picture:
        """The picture that an avatar was made of."""
        picture: Picture = np.load(self._path(avatar.number), allow_pickle=False)
        return picture

    def unused(self, numbers: Iterable[int]) -> tuple[int, ...]:
        """Those whose avatar nobody holds any more."""
        return tuple(number for number in numbers if number not in self._held)

    def _path(self, number: int) -> Path:
        return Path(self._folder.name) / f"{number}.npy"
