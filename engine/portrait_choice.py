"""Whom a film shows: a picture, or an avatar that is kept, and how. No torch."""

from dataclasses import replace
from pathlib import Path

from engine.api import AvatarError, Background, PortraitOptions
from engine.avatar_look import Look
from engine.avatar_store import AvatarStore
from engine.looks import portrait_options, read_background, read_framing


def choose_portrait(
    picture: Path | None, avatar: str | None, data_folder: Path, asked: Look
) -> tuple[Path, PortraitOptions]:
    """The picture's path and its options; what is asked comes before what the avatar keeps.

    `asked` may name a background by the path of its picture. Raises `AvatarError`.
    """
    if (picture is None) == (avatar is None):
        raise AvatarError("expected one of --reference_image and --avatar")
    usual = PortraitOptions()
    if avatar is not None:
        kept = AvatarStore(data_folder.expanduser() / "avatars").get(avatar)
        picture, usual = kept.picture_path, kept.options(usual)
    assert picture is not None
    framing = usual.framing if asked.framing is None else read_framing(asked.framing)
    background: Background = usual.background
    if asked.background is not None:
        background = read_background(asked.background)
    if asked.size is None:
        return picture, replace(usual, framing=framing, background=background)
    return picture, portrait_options(asked.size, framing, background)
