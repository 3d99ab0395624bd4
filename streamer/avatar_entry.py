"""One avatar on offer, and what is told of it."""

from dataclasses import dataclass
from typing import Any

import cv2

from engine.api import Avatar, Picture, PortraitOptions
from engine.avatar_look import shown_framing
from engine.avatar_store import Kept

_JPEG_QUALITY = 90


@dataclass(frozen=True, slots=True)
class Entry:
    """One avatar on offer."""

    avatar: Avatar
    name: str
    jpeg: bytes
    options: PortraitOptions
    kept: Kept | None = None  # of an uploaded one

    @classmethod
    def of(cls, avatar: Avatar, name: str, options: PortraitOptions) -> "Entry":
        """An avatar that was prepared just now."""
        return cls(avatar, name, _to_jpeg(avatar.still), options)

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


def _to_jpeg(picture: Picture) -> bytes:
    blue_first = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    done, jpeg = cv2.imencode(".jpg", blue_first, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    assert done, "every picture of an avatar has a JPEG"
    return jpeg.tobytes()
