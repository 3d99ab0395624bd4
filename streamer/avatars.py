"""The avatars on offer: bundled ones, and uploaded ones with their record of consent."""

import hashlib
import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import cv2

from engine.api import Avatar, AvatarError, BadPictureError, Picture
from streamer.studio import NotReadyError, Studio

log = logging.getLogger(__name__)
MAX_UPLOADS = 100
MAX_NAME_CHARACTERS = 80
_JPEG_QUALITY = 90
_FOLDER_NAME_CHARACTERS = 32
_PICTURE_FILE, _RECORD_FILE = "picture", "record.json"


class UnknownAvatarError(AvatarError):
    """No avatar has this name."""


class BuiltInAvatarError(AvatarError):
    """Bundled avatars stay."""


class TooManyAvatarsError(AvatarError):
    """The shelf is full."""


class UnreadablePictureError(AvatarError):
    """An upload that is no picture, as opposed to a picture without a usable face."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One avatar on offer."""

    avatar: Avatar
    name: str
    jpeg: bytes
    folder: Path | None  # of an uploaded one

    def describe(self) -> dict[str, str | int | bool]:
        """As `GET /v1/avatars` lists it."""
        height, width = self.avatar.still.shape[:2]
        avatar_id = self.avatar.avatar_id
        return {
            "id": avatar_id,
            "name": self.name,
            "width": width,
            "height": height,
            "picture": f"/v1/avatars/{avatar_id}/picture",
            "builtin": self.folder is None,
        }


class Avatars:
    """A small shelf, kept on disk where people uploaded something."""

    def __init__(
        self, studio: Studio, folder: Path, read_picture: Callable[[bytes], Picture]
    ) -> None:
        self._studio = studio
        self._folder = folder
        self._read_picture = read_picture
        self._entries: dict[str, Entry] = {}
        self.default_id: str | None = None

    @property
    def entries(self) -> list[Entry]:
        """In the order in which they came."""
        return list(self._entries.values())

    def get(self, avatar_id: str | None) -> Entry:
        """Find an avatar, the default one for None. Raises `UnknownAvatarError`."""
        if avatar_id is None:
            avatar_id = self.default_id
            if avatar_id is None:
                raise NotReadyError("no avatar is prepared yet: try again in a few seconds")
        entry = self._entries.get(avatar_id)
        if entry is None:
            raise UnknownAvatarError(f"avatar {avatar_id[:40]!r}: no such avatar")
        return entry

    async def add_builtin(self, name: str, picture: Picture) -> Entry:
        """Prepare a picture that comes with the program; the first one is the default."""
        entry = await self._studio.at_desk(lambda: self._make(name, picture, None))
        self._entries.setdefault(entry.avatar.avatar_id, entry)
        self.default_id = self.default_id or entry.avatar.avatar_id
        return entry

    async def add_upload(self, name: str, data: bytes) -> Entry:
        """Prepare and keep what a person uploaded with consent. Raises `BadPictureError`."""
        if len(self._entries) >= MAX_UPLOADS:
            raise TooManyAvatarsError(f"{MAX_UPLOADS} avatars are kept already: delete one first")
        entry = await self._studio.at_desk(lambda: self._make_upload(name, data))
        known = self._entries.get(entry.avatar.avatar_id)
        if known is not None and known.folder is None:
            await self._discard(entry)
            return known
        self._entries[entry.avatar.avatar_id] = entry
        return entry

    async def load_uploads(self) -> None:
        """Prepare what earlier runs kept; one that fails is reported and skipped."""
        for folder in await self._studio.at_desk(self._kept_folders):
            try:
                entry = await self._studio.at_desk(partial(self._read, folder))
            except (OSError, ValueError, LookupError, AvatarError) as error:
                log.warning("kept avatar %s is skipped: %s", folder.name, error)
                continue
            self._entries.setdefault(entry.avatar.avatar_id, entry)

    async def delete(self, avatar_id: str) -> None:
        """Forget an uploaded avatar, on disk too. Raises `BuiltInAvatarError`."""
        entry = self.get(avatar_id)
        if entry.folder is None:
            raise BuiltInAvatarError(f"avatar {entry.name!r} is built in and stays")
        del self._entries[avatar_id]
        await self._discard(entry)

    async def _discard(self, entry: Entry) -> None:
        folder = entry.folder
        if folder is not None:
            await self._studio.at_desk(lambda: shutil.rmtree(folder, ignore_errors=True))

    def _make(self, name: str, picture: Picture, folder: Path | None) -> Entry:
        avatar = self._studio.prepare(picture)
        return Entry(avatar, name, _to_jpeg(avatar.still), folder)

    def _make_upload(self, name: str, data: bytes) -> Entry:
        try:
            picture = self._read_picture(data)
        except BadPictureError as error:
            raise UnreadablePictureError(str(error)) from error
        digest = hashlib.sha256(data).hexdigest()
        folder = self._folder / digest[:_FOLDER_NAME_CHARACTERS]
        entry = self._make(name, picture, folder)
        record = {
            "name": name,
            "consent": {"given": True, "at": datetime.now(UTC).isoformat(), "sha256": digest},
        }
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _PICTURE_FILE).write_bytes(data)
        # The record comes last: a folder without one is an upload that was cut short.
        (folder / _RECORD_FILE).write_text(json.dumps(record, indent=2))
        return entry

    def _read(self, folder: Path) -> Entry:
        record = json.loads((folder / _RECORD_FILE).read_text())
        picture = self._read_picture((folder / _PICTURE_FILE).read_bytes())
        return self._make(str(record["name"]), picture, folder)

    def _kept_folders(self) -> list[Path]:
        return sorted(record.parent for record in self._folder.glob(f"*/{_RECORD_FILE}"))


def _to_jpeg(picture: Picture) -> bytes:
    blue_first = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    done, jpeg = cv2.imencode(".jpg", blue_first, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    assert done, "every picture of an avatar has a JPEG"
    return jpeg.tobytes()
