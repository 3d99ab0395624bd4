"""Avatars that are kept: a folder each, with the portrait, how it looks, and who agreed. No torch.

The command line and the server share the store. A folder is complete or absent: it is written
beside its place and moved there. Prepared scenes lie in the engine's cache under the avatar's id.
"""

import hashlib
import json
import logging
import re
import shutil
import tempfile
import unicodedata
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine.api import AvatarError, PortraitOptions
from engine.avatar_look import SHOWN_PICTURE, Look
from engine.cache import cache_folder

log = logging.getLogger(__name__)
DATA_FOLDER = Path("~/.local/share/vexpress-live")
MAX_NAME_CHARACTERS = 80
_MAX_CONSENT_CHARACTERS = 400
_FOLDER_NAME_CHARACTERS = 32
_PICTURE_FILE, _BACKGROUND_FILE, _RECORD_FILE = "picture", "background", "record.json"
_SCENE_ID = re.compile(r"[0-9a-f]{16}")


class UnknownAvatarError(AvatarError):
    """No avatar has this name."""


class BadNameError(AvatarError):
    """A name that an avatar cannot have."""


class NameTakenError(AvatarError):
    """Another avatar has this name."""


class SameAvatarError(AvatarError):
    """Another avatar shows the same picture in the same look."""


class StoreError(AvatarError):
    """The store cannot be written, or a record in it is damaged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An avatar that is to be kept."""

    name: str
    picture: bytes = field(repr=False)
    look: Look = field(default_factory=Look)
    shown: bytes | None = field(default=None, repr=False)  # the picture behind the person
    agreed_by: str | None = None

    @property
    def folder_name(self) -> str:
        """Made from the content: the same picture with another look is another avatar."""
        digest = hashlib.sha256(self.picture)
        if self.look != Look():
            digest.update(json.dumps(asdict(self.look)).encode() + (self.shown or b""))
        return digest.hexdigest()[:_FOLDER_NAME_CHARACTERS]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What shall be different about an avatar; what is None stays as it is."""

    name: str | None = None
    look: Look = field(default_factory=Look)  # see `Look.changed`
    shown: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Kept:
    """One folder of the store."""

    folder: Path
    name: str
    look: Look
    consent: dict[str, Any]
    avatar_id: str | None  # of the scene that was prepared

    def draft(self) -> Draft:
        """What it was made of. Raises `OSError`."""
        shown = self.folder / _BACKGROUND_FILE
        return Draft(
            name=self.name,
            picture=self.picture_path.read_bytes(),
            look=self.look,
            shown=shown.read_bytes() if shown.is_file() else None,
        )

    def changed(self, change: Change) -> Draft:
        """What it would be made of after a change. Raises `OSError`."""
        draft, look = self.draft(), self.look.changed(change.look)
        shown = (change.shown or draft.shown) if look.background == SHOWN_PICTURE else None
        return replace(draft, name=change.name or self.name, look=look, shown=shown)

    @property
    def picture_path(self) -> Path:
        """The portrait as it was given."""
        return self.folder / _PICTURE_FILE

    def options(self, usual: PortraitOptions) -> PortraitOptions:
        """How it is to be shown. Raises `AvatarError`."""
        return self.look.over(usual, self.draft().shown)


class AvatarStore:
    """The folder of all avatars."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def all(self) -> list[Kept]:
        """Those whose record can be read, by name; a word in the log about the others."""
        found = []
        for record in sorted(self.folder.glob(f"*/{_RECORD_FILE}")):
            if record.parent.name.startswith("."):
                continue  # being written
            try:
                found.append(_read(record.parent))
            except (OSError, ValueError, LookupError, TypeError) as error:
                log.warning("kept avatar %s is skipped: %s", record.parent.name, error)
        return sorted(found, key=lambda kept: name_key(kept.name))

    def get(self, name: str) -> Kept:
        """Find by name. Raises `UnknownAvatarError`."""
        for kept in self.all():
            if name_key(kept.name) == name_key(name):
                return kept
        raise UnknownAvatarError(f"avatar {name[:MAX_NAME_CHARACTERS]!r}: no such avatar is kept")

    def check_free(self, name: str, folder_name: str) -> None:
        """Raise `NameTakenError` if the avatar of another folder has this name."""
        for kept in self.all():
            if name_key(kept.name) == name_key(name) and kept.folder.name != folder_name:
                raise NameTakenError(f"name {name!r}: another avatar has it")

    def save(self, draft: Draft, avatar_id: str) -> Kept:
        """Keep a draft whose scene is prepared. Raises `NameTakenError`, `StoreError`."""
        self.check_free(draft.name, draft.folder_name)
        consent = {
            "given": True,
            "at": datetime.now(UTC).isoformat(),
            "sha256": hashlib.sha256(draft.picture).hexdigest(),
            "by": draft.agreed_by,
        }
        return self._write(draft, consent, avatar_id)

    def change(self, kept: Kept, change: Change, avatar_id: str | None) -> Kept:
        """Give a kept avatar another name or look, whose scene is `avatar_id`.

        The record of consent stays as it is. Raises `NameTakenError`, `SameAvatarError`,
        `StoreError`.
        """
        try:
            before, draft = kept.draft(), kept.changed(change)
        except OSError as error:
            raise StoreError(f"avatar {kept.name!r}: its picture cannot be read") from error
        self.check_free(draft.name, kept.folder.name)
        if draft.folder_name == before.folder_name:
            return self._rename(kept, draft.name)
        if (self.folder / draft.folder_name).exists():
            raise SameAvatarError(f"avatar {kept.name!r}: another one has this picture and look")
        changed = self._write(draft, kept.consent, avatar_id)
        self.remove(replace(kept, avatar_id=None) if kept.avatar_id == avatar_id else kept)
        return changed

    def stamp(self) -> frozenset[tuple[str, int, int]]:
        """Differs after whatever anybody did to the store; costs a look at each record's date."""
        found = set[tuple[str, int, int]]()
        for record in self.folder.glob(f"*/{_RECORD_FILE}"):
            with suppress(OSError):
                told = record.stat()
                found.add((record.parent.name, told.st_ino, told.st_mtime_ns))
        return frozenset(found)

    def remove(self, kept: Kept) -> None:
        """Forget an avatar: portrait, record and prepared scene."""
        shutil.rmtree(kept.folder, ignore_errors=True)
        if kept.avatar_id and _SCENE_ID.fullmatch(kept.avatar_id):
            (cache_folder("scenes") / f"{kept.avatar_id}.npz").unlink(missing_ok=True)

    def _write(self, draft: Draft, consent: dict[str, Any], avatar_id: str | None) -> Kept:
        folder = self.folder / draft.folder_name
        record = {"name": draft.name, "consent": consent, "avatar_id": avatar_id}
        record["options"] = asdict(draft.look)
        files = {_PICTURE_FILE: draft.picture, _RECORD_FILE: json.dumps(record, indent=2).encode()}
        if draft.shown is not None:
            files[_BACKGROUND_FILE] = draft.shown
        try:
            _place(folder, files)
        except OSError as error:
            raise StoreError(f"{folder.parent}: cannot be written ({error.strerror})") from error
        return _read(folder)

    @staticmethod
    def _rename(kept: Kept, name: str) -> Kept:
        path = kept.folder / _RECORD_FILE
        try:
            record = json.loads(path.read_text()) | {"name": name}
            partial = path.with_suffix(".part")
            partial.write_text(json.dumps(record, indent=2))
            partial.replace(path)
        except (OSError, ValueError) as error:
            raise StoreError(f"avatar {kept.name!r}: its record cannot be changed") from error
        return replace(kept, name=name)


def clean_name(text: str) -> str:
    """A name without needless space. Raises `BadNameError`."""
    return _clean("name", text, MAX_NAME_CHARACTERS, "1 to {} printable characters")


def clean_consent(text: str) -> str:
    """Who agreed. Raises `BadNameError`."""
    return _clean("consent", text, _MAX_CONSENT_CHARACTERS, "who agreed, 1 to {} characters")


def _clean(what: str, text: str, most: int, expected: str) -> str:
    clean = " ".join(text.split())
    if not clean or len(clean) > most or not clean.isprintable():
        raise BadNameError(f"{what} {clean[:20]!r}: expected {expected.format(most)}")
    return clean


def name_key(name: str) -> str:
    """Equal for names that people take for the same."""
    return unicodedata.normalize("NFKC", name).casefold()


def _read(folder: Path) -> Kept:
    record = json.loads((folder / _RECORD_FILE).read_text())
    if not isinstance(record, dict):
        raise ValueError("its record is no JSON object")
    options = record.get("options") or {}
    look = Look(**{key: options.get(key) for key in ("framing", "background", "size")})
    avatar_id = record.get("avatar_id")
    if not (folder / _PICTURE_FILE).is_file():
        raise ValueError("its picture is missing")
    return Kept(folder, str(record["name"]), look, dict(record["consent"]), avatar_id)


def _place(folder: Path, files: dict[str, bytes]) -> None:
    """Write a folder whole, in place of an earlier one."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".adding-"))
    try:
        for name, content in files.items():
            (partial / name).write_bytes(content)
        shutil.rmtree(folder, ignore_errors=True)
        partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
