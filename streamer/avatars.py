"""The avatars on offer: bundled ones, and uploaded ones with their record of consent.

The command line works on the same folder, so the shelf looks there again when it is asked for what
it may not know.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from engine.api import AvatarError, BadPictureError, EngineFullError, Picture, PortraitOptions
from engine.avatar_store import (
    AvatarStore,
    Change,
    Draft,
    Kept,
    NameTakenError,
    SameAvatarError,
    UnknownAvatarError,
    name_key,
)
from streamer.avatar_entry import Entry
from streamer.remote.messages import EngineGoneError
from streamer.studio import NotReadyError, Studio
from streamer.worker import WorkerFullError

log = logging.getLogger(__name__)
MAX_UPLOADS = 100
MAX_WAITING = 8  # changes, each with its pictures; more are refused
_LOOKS_WITHIN_S = 2.0  # who asks waits so long for new avatars to be prepared
# The next look may fare better.
_PASSING = (NotReadyError, EngineGoneError, EngineFullError, WorkerFullError)


class BuiltInAvatarError(AvatarError):
    """Bundled avatars stay."""


class TooManyAvatarsError(AvatarError):
    """The shelf is full."""


class UnreadablePictureError(AvatarError):
    """An upload that is no picture, as opposed to a picture without a usable face."""


class Avatars:
    """A small shelf, kept on disk where people uploaded something."""

    def __init__(
        self, studio: Studio, folder: Path, read_picture: Callable[[bytes], Picture]
    ) -> None:
        self._studio = studio
        self._store = AvatarStore(folder)
        self._read_picture = read_picture
        self._entries: dict[str, Entry] = {}
        self._stamp: object = None  # of the store when it was last looked at; None: look again
        self._begun = False
        self._looking: asyncio.Task[None] | None = None
        self._one_at_a_time = asyncio.Lock()  # changes of disk and shelf together
        self._waiting = 0
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

    async def find(self, wanted: str | None) -> Entry:
        """`get`, with another look at the folder for an avatar that is not known."""
        with suppress(UnknownAvatarError):
            return self.get(wanted)
        await self.look_again()
        return self.get(wanted)

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
        async with self._turn():
            if len(self._entries) >= MAX_UPLOADS:
                raise TooManyAvatarsError(
                    f"{MAX_UPLOADS} avatars are kept already: delete one first"
                )
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
        self._begun = True
        await self._look()

    async def look_again(self) -> None:
        """Notice what others did to the folder since; new avatars are waited for a little.

        Costs a look at the dates of the records where nobody did anything.
        """
        if not self._begun:
            return  # the engine is still being loaded
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(), name="look at kept avatars")
        await asyncio.wait({self._looking}, timeout=_LOOKS_WITHIN_S)

    async def change(self, wanted: str, change: Change) -> Entry:
        """Give an uploaded avatar another name or look; sessions that run show what they showed.

        Raises `BuiltInAvatarError`, `NameTakenError`, `SameAvatarError`, and for a look that
        cannot be had.
        """
        async with self._turn():
            entry, kept = self._uploaded(wanted)
            before = entry.avatar.avatar_id
            if change.name is not None:
                self._check_free(change.name, before)
            fresh = await self._studio.at_desk(partial(self._make_changed, kept, change))
            after = fresh.avatar.avatar_id
            if after != before and after in self._entries:
                other = self._entries[after].name
                raise SameAvatarError(f"avatar {other!r} has this picture and look already")
            kept = await self._studio.at_desk(partial(self._store.change, kept, change, after))
            fresh = replace(fresh, kept=kept)
            shelf = [fresh if one is entry else one for one in self.entries]
            self._entries = {one.avatar.avatar_id: one for one in shelf}
            return fresh

    async def delete(self, wanted: str) -> None:
        """Forget an uploaded avatar, on disk too. Raises `BuiltInAvatarError`."""
        async with self._turn():
            entry, kept = self._uploaded(wanted)
            await self._studio.at_desk(lambda: self._store.remove(kept))
            self._entries.pop(entry.avatar.avatar_id, None)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Be the one who changes disk and shelf. Raises `WorkerFullError` where many wait."""
        if self._waiting >= MAX_WAITING:
            raise WorkerFullError(f"{MAX_WAITING} changes of avatars wait already, try again")
        self._waiting += 1
        try:
            async with self._one_at_a_time:
                yield
        finally:
            self._waiting -= 1

    async def aclose(self) -> None:
        """Stop looking."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look(self) -> None:
        """Bring the shelf up to the store."""
        stamp = await asyncio.to_thread(self._store.stamp)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        found = {kept.folder: kept for kept in await asyncio.to_thread(self._store.all)}
        for avatar_id, entry in list(self._entries.items()):
            if entry.kept is not None and entry.kept.folder not in found:
                async with self._one_at_a_time:
                    if not entry.kept.folder.exists():
                        self._entries.pop(avatar_id, None)
        for kept in found.values():
            async with self._one_at_a_time:
                await self._take(kept)

    async def _take(self, kept: Kept) -> None:
        """Have on the shelf what is in the store, unless it is there or gone meanwhile."""
        for avatar_id, entry in self._entries.items():
            if entry.kept is not None and entry.kept.folder == kept.folder:
                self._entries[avatar_id] = replace(entry, name=kept.name, kept=kept)
                return
        try:
            entry = await self._studio.at_desk(partial(self._make_kept, kept))
        except FileNotFoundError:
            return
        except (OSError, ValueError, LookupError, AvatarError) as error:
            if isinstance(error, _PASSING):
                self._stamp = None
            log.warning("kept avatar %s is skipped: %s", kept.folder.name, error)
            return
        self._entries.setdefault(entry.avatar.avatar_id, entry)

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
        return Entry.of(self._studio.prepare(picture, options), name, options)

    def _make_upload(self, draft: Draft) -> Entry:
        try:
            picture = self._read_picture(draft.picture)
            options = draft.look.over(self._studio.options, draft.shown, self._read_picture)
        except BadPictureError as error:
            raise UnreadablePictureError(str(error)) from error
        return self._make(draft.name, picture, options)

    def _make_changed(self, kept: Kept, change: Change) -> Entry:
        try:
            draft = kept.changed(change)
        except OSError as error:
            raise UnknownAvatarError(f"avatar {kept.name!r} is gone") from error
        return self._make_upload(draft)

    def _make_kept(self, kept: Kept) -> Entry:
        return replace(self._make_upload(kept.draft()), kept=kept)
