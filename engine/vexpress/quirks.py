"""Accidents of the published program that can be kept or mended, each by its own name.

The numbers are those of the table in `docs/vexpress.md`, which says what each one does.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import TypeAlias

from engine.api import AvatarError


class Quirk(StrEnum):
    """What may be kept as published."""

    SWAPPED_SIZE = "Q1"
    SHORT_AUDIO_FAILS = "Q2"
    CLIP_CUT = "Q3"
    TRACK_CUT = "Q3b"
    RETARGET_FRAME = "Q4"
    FOLDED_WINDOWS = "Q6"
    UNUSED_TRACK_OPENED = "Q15"
    STEP_COUNTS_REFUSED = "Q18"


Quirks: TypeAlias = frozenset[Quirk]  # those that are kept

PUBLISHED: Quirks = frozenset(Quirk)
FIXED: Quirks = frozenset()


class Compat(StrEnum):
    """Which of them are kept when nothing else is said."""

    FIXED = "fixed"
    PUBLISHED = "published"


def choose_quirks(compat: Compat, kept: Iterable[str] = ()) -> Quirks:
    """All or none of them, and in any case those named in `kept`."""
    names = [name.strip() for name in kept]
    unknown = sorted(set(names) - {quirk.value for quirk in Quirk})
    if unknown:
        known = ", ".join(quirk.value for quirk in Quirk)
        raise AvatarError(f"quirk {', '.join(unknown)}: expected one of: {known}")
    start = PUBLISHED if compat is Compat.PUBLISHED else FIXED
    return start | {Quirk(name) for name in names}
