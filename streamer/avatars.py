"""The avatars on offer: bundled ones, and uploaded ones with their record of consent."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2

from engine.api import Avatar, AvatarError, BadPictureError, Picture, PortraitOptions
from engine.avatar_store import (
    AvatarStore,
    Draft,
    Kept,
    NameTakenError,
    UnknownAvatarError,
    name_key,
    shown_framing,
)
from streamer.studio import NotReadyError, Studio

log = logging.getLogger(__name__)
MAX_UPLOADS = 100
_JPEG_QUALITY = 90


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
    options: PortraitOptions
    kept: Kept | None = None  # of an uploaded one

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
            "builtin": self.kept is None,
            **shown_framing(self.options),
        }

    def describe_whole(self) -> dict[str, Any]:
        """As `GET /v1/avatars/{id}` has it: with the record of consent."""
        return {**self.describe(), "consent": None if self.kept is None else self.kept.consent}


class Avatars:
    """A small shelf, kept on disk where people uploaded something."""

    def __init__(
        self, studio: Studio, folder: Path, read_picture: Callable[[bytes], Picture]
    ) -> None:
        self._studio = studio
        self._store = AvatarStore(folder)
        self._read_picture = read_picture
        self._entries: dict[str, Entry] = {}
        self.default_id: str | None = None

    @property
    def entries(self) -> list[Entry]:
        """In the order in which they came."""
        return list(self._entries.values())

    def get(self, wanted: str | None) -> Entry:
        """Find an avatar by id or name, the default one for None. Raises `UnknownAvatarError`."""
        if wanted is None:
            wanted = self.default_id
            if wanted is None:
                raise NotReadyError("no avatar is prepared yet: try again in a few seconds")
        entry = self._entries.get(wanted) or self._named(wanted)
        if entry is None:
            raise UnknownAvatarError(f"avatar {wanted[:40]!r}: no such avatar")
        return entry

    async def add_builtin(self, name: str, picture: Picture) -> Entry:
        """Prepare a picture that comes with the program; the first one is the default."""
        options = self._studio.options
        entry = await self._studio.at_desk(lambda: self._make(name, picture, options))
        self._entries.setdefault(entry.avatar.avatar_id, entry)
        self.default_id = self.default_id or entry.avatar.avatar_id
        return entry

    async def add_upload(self, draft: Draft) -> Entry:
        """Prepare and keep what a person uploaded with consent.

        Raises `BadPictureError`, `NameTakenError`.
        """
        if len(self._entries) >= MAX_UPLOADS:
            raise TooManyAvatarsError(f"{MAX_UPLOADS} avatars are kept already: delete one first")
        entry = await self._studio.at_desk(lambda: self._make_upload(draft))
        avatar_id = entry.avatar.avatar_id
        known = self._entries.get(avatar_id)
        if known is not None and known.kept is None:
            return known
        self._check_free(draft.name, avatar_id)
        kept = await self._studio.at_desk(lambda: self._store.save(draft, avatar_id))
        entry = replace(entry, kept=kept)
        self._entries[avatar_id] = entry
        return entry

    async def load_uploads(self) -> None:
        """Prepare what earlier runs kept; one that fails is reported and skipped."""
        for kept in await self._studio.at_desk(self._store.all):
            try:
                entry = await self._studio.at_desk(partial(self._make_kept, kept))
            except (OSError, ValueError, LookupError, AvatarError) as error:
                log.warning("kept avatar %s is skipped: %s", kept.folder.name, error)
                continue
            self._entries.setdefault(entry.avatar.avatar_id, entry)

    async def rename(self, wanted: str, name: str) -> Entry:
        """Give an uploaded avatar another name. Raises `BuiltInAvatarError`, `NameTakenError`."""
        entry, kept = self._uploaded(wanted)
        self._check_free(name, entry.avatar.avatar_id)
        renamed = await self._studio.at_desk(lambda: self._store.rename(kept, name))
        entry = replace(entry, name=name, kept=renamed)
        self._entries[entry.avatar.avatar_id] = entry
        return entry

    async def delete(self, wanted: str) -> None:
        """Forget an uploaded avatar, on disk too. Raises `BuiltInAvatarError`."""
        entry, kept = self._uploaded(wanted)
        del self._entries[entry.avatar.avatar_id]
        await self._studio.at_desk(lambda: self._store.remove(kept))

    def _uploaded(self, wanted: str) -> tuple[Entry, Kept]:
        entry = self.get(wanted)
        if entry.kept is None:
            raise BuiltInAvatarError(f"avatar {entry.name!r} is built in and stays")
        return entry, entry.kept

    def _named(self, name: str) -> Entry | None:
        key = name_key(name)
        return next((entry for entry in self.entries if name_key(entry.name) == key), None)

    def _check_free(self, name: str, avatar_id: str) -> None:
        other = self._named(name)
        if other is not None and other.avatar.avatar_id != avatar_id:
            raise NameTakenError(f"name {name!r}: another avatar has it")

    def _make(self, name: str, picture: Picture, options: PortraitOptions) -> Entry:
        avatar = self._studio.prepare(picture, options)
        return Entry(avatar, name, _to_jpeg(avatar.still), options)

    def _make_upload(self, draft: Draft) -> Entry:
        try:
            picture = self._read_picture(draft.picture)
            options = draft.look.over(self._studio.options, draft.shown, self._read_picture)
        except BadPictureError as error:
            raise UnreadablePictureError(str(error)) from error
        return self._make(draft.name, picture, options)

    def _make_kept(self, kept: Kept) -> Entry:
        return replace(self._make_upload(kept.draft()), kept=kept)


def _to_jpeg(picture: Picture) -> bytes:
    blue_first = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    done, jpeg = cv2.imencode(".jpg", blue_first, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    assert done, "every picture of an avatar has a JPEG"
    return jpeg.tobytes()
