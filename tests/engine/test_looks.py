"""Sizes and backgrounds as people write them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.api import AvatarError, Background, Framing, PortraitOptions
from engine.looks import portrait_options, read_background, read_framing, read_size


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("keep", "keep"),
        (" Blur ", "blur"),
        ("chroma", "#00ff00"),
        ("#A0b1C2", "#a0b1c2"),
    ],
)
def test_backgrounds_have_names(text: str, name: str) -> None:
    assert read_background(text) == Background(name)


def test_a_picture_is_known_by_its_content(tmp_path: Path) -> None:
    for name, grey in (("one.png", 1), ("same.png", 1), ("other.png", 2)):
        Image.fromarray(np.full((4, 6, 3), grey, np.uint8)).save(tmp_path / name)
    one, same, other = (
        read_background(str(tmp_path / name)) for name in ("one.png", "same.png", "other.png")
    )
    assert one == same
    assert one != other
    assert hash(PortraitOptions(background=one)) == hash(PortraitOptions(background=same))
    assert one.picture is not None
    assert one.picture.shape == (4, 6, 3)


@pytest.mark.parametrize("text", ["", "green", "#12345", "#gggggg", "no/such.png", "picture:0"])
def test_other_backgrounds_are_refused_with_what_is_expected(text: str) -> None:
    with pytest.raises(AvatarError, match="expected keep, blur, chroma or a colour"):
        read_background(text)


def test_a_file_that_is_no_picture_is_no_background(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(AvatarError, match="not a picture"):
        read_background(str(tmp_path / "notes.txt"))


@pytest.mark.parametrize(
    ("text", "size"), [("512", (512, None)), ("1280x720", (1280, 720)), (" 720X1280", (720, 1280))]
)
def test_sizes_are_one_number_or_two(text: str, size: tuple[int, int | None]) -> None:
    assert read_size(text) == size


@pytest.mark.parametrize("text", ["", "big", "12.5", "1x2x3", "-512", "512x", "٥١٢"])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(AvatarError, match="expected pixels like 512"):
        read_size(text)


@pytest.mark.parametrize("text", ["100", "511", "1280x721", "1280x2000"])
def test_sizes_have_limits(text: str) -> None:
    with pytest.raises(AvatarError, match="expected an even number from 128 to 1920"):
        portrait_options(text, Framing.CROP, Background())


def test_framings_are_named() -> None:
    assert read_framing("Full") is Framing.FULL
    with pytest.raises(AvatarError, match="expected crop or full"):
        read_framing("head")


def test_a_background_says_what_it_is() -> None:
    assert Background().is_kept
    assert Background("#0a0b0c").colour == (10, 11, 12)
    assert Background("blur").colour is None
    with pytest.raises(ValueError, match="expected keep"):
        Background("picture:0123456789abcdef")  # a name without its picture
