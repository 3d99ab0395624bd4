"""Reads how an avatar shall look: sizes and backgrounds as people write them. No torch."""

import re
from pathlib import Path

from engine.api import (
    BLUR,
    CHROMA,
    KEEP,
    MAX_SIZE,
    MIN_SIZE,
    AvatarError,
    Background,
    Framing,
    PortraitOptions,
)
from engine.picture import read_picture_file

_COLOUR = re.compile(r"#[0-9a-f]{6}")
_SIZE = re.compile(r"(\d{1,5})(?:x(\d{1,5}))?", re.ASCII)
_WORDS = {KEEP: KEEP, BLUR: BLUR, "chroma": CHROMA}
EXPECTED_BACKGROUND = "expected keep, blur, chroma or a colour as #rrggbb"


class BadLookError(AvatarError):
    """A size, framing or background that cannot be had."""


def named_background(text: str) -> Background | None:
    """The background that a word or a colour means; None for any other text."""
    word = text.strip().lower()
    if word in _WORDS:
        return Background(_WORDS[word])
    return Background(word) if _COLOUR.fullmatch(word) else None


def read_background(text: str) -> Background:
    """A word, a colour, or the path of a picture. Raises `AvatarError`."""
    named = named_background(text)
    if named is not None:
        return named
    path = Path(text).expanduser()
    if not text or not path.exists():
        raise BadLookError(
            f"background {text[:200]!r}: {EXPECTED_BACKGROUND}, or the path of a picture"
        )
    return Background.showing(read_picture_file(path))


def read_size(text: str) -> tuple[int, int | None]:
    """`512`: that size, no height; `1280x720`: width and height. Raises `BadLookError`."""
    match = _SIZE.fullmatch(text.strip().lower())
    if match is None:
        raise BadLookError(
            f"size {text[:40]!r}: expected pixels like 512, or WIDTHxHEIGHT like 1280x720,"
            f" even numbers from {MIN_SIZE} to {MAX_SIZE}"
        )
    width, height = match.groups()
    return int(width), None if height is None else int(height)


def read_framing(text: str) -> Framing:
    """The framing of that name. Raises `BadLookError`."""
    try:
        return Framing(text.strip().lower())
    except ValueError as error:
        known = " or ".join(Framing)
        raise BadLookError(f"framing {text[:40]!r}: expected {known}") from error


def portrait_options(size: str, framing: Framing, background: Background) -> PortraitOptions:
    """The options of a size as people write it. Raises `BadLookError`."""
    pixels, height = read_size(size)
    try:
        return PortraitOptions(size=pixels, height=height, framing=framing, background=background)
    except ValueError as error:
        raise BadLookError(str(error)) from error
