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
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine.api import AvatarError, Background, Framing, Picture, PortraitOptions
from engine.cache import cache_folder
from engine.looks import BadLookError, named_background, portrait_options, read_framing
from engine.picture import read_picture

log = logging.getLogger(__name__)
DATA_FOLDER = Path("~/.local/share/vexpress-live")
SHOWN_PICTURE = "picture"  # as a background: the picture kept beside the portrait
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


class StoreError(AvatarError):
    """The store cannot be written, or a record in it is damaged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What an avatar asks for; None leaves it to whoever shows it."""

    framing: str | None = None
    background: str | None = None  # keep, blur, chroma, #rrggbb, or `SHOWN_PICTURE`
    size: str | None = None

    def over(
        self,
        usual: PortraitOptions,
        shown: bytes | None,
        read: Callable[[bytes], Picture] = read_picture,
    ) -> PortraitOptions:
        """The usual options with this look's own; `shown` is the picture behind the person.

        Raises `AvatarError` for a look that cannot be had.
        """
        framing = usual.framing if self.framing is None else read_framing(self.framing)
        options = replace(usual, framing=framing, background=self._background(usual, shown, read))
        if self.size is None:
            return options
        return portrait_options(self.size, options.framing, options.background)

    def _background(
        self, usual: PortraitOptions, shown: bytes | None, read: Callable[[bytes], Picture]
    ) -> Background:
        if self.background is None:
            return usual.background
        if self.background == SHOWN_PICTURE:
            if shown is None:
                raise BadLookError("background: a picture is to be shown, but none is there")
            return Background.showing(read(shown))
        named = named_background(self.background)
        if named is None:
            raise BadLookError(
                f"background {self.background[:40]!r}: expected keep, blur, chroma or #rrggbb"
            )
        return named


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
        folder = self.folder / draft.folder_name
        self.check_free(draft.name, draft.folder_name)
        consent = {
            "given": True,
            "at": datetime.now(UTC).isoformat(),
            "sha256": hashlib.sha256(draft.picture).hexdigest(),
            "by": draft.agreed_by,
        }
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

    def rename(self, kept: Kept, name: str) -> Kept:
        """Give another name. Raises `NameTakenError`, `StoreError`."""
        self.check_free(name, kept.folder.name)
        path = kept.folder / _RECORD_FILE
        try:
            record = json.loads(path.read_text()) | {"name": name}
            partial = path.with_suffix(".part")
            partial.write_text(json.dumps(record, indent=2))
            partial.replace(path)
        except (OSError, ValueError) as error:
            raise StoreError(f"avatar {kept.name!r}: its record cannot be changed") from error
        return replace(kept, name=name)

    def remove(self, kept: Kept) -> None:
        """Forget an avatar: portrait, record and prepared scene."""
        shutil.rmtree(kept.folder, ignore_errors=True)
        if kept.avatar_id and _SCENE_ID.fullmatch(kept.avatar_id):
            (cache_folder("scenes") / f"{kept.avatar_id}.npz").unlink(missing_ok=True)


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


def shown_framing(options: PortraitOptions) -> dict[str, str]:
    """Framing and background of options, in words."""
    name = options.background.name
    return {
        "framing": str(Framing(options.framing)),
        "background": SHOWN_PICTURE if options.background.picture is not None else name,
    }
