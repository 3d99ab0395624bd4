"""Every common format arrives upright and true in colour; everything else is refused clearly."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from engine.api import BadPictureError, Picture
from engine.picture import KEPT_SIDE, MAX_SIDE, read_picture, read_picture_file

ORIENTATION = 0x0112


def scene() -> Picture:
    """Four corners of different colours: rotation, mirroring and channel order all show."""
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:24, :32], picture[:24, 32:] = (200, 40, 40), (40, 200, 40)
    picture[24:, :32], picture[24:, 32:] = (40, 40, 200), (220, 220, 220)
    return picture


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def assert_close(got: Picture, expected: Picture, tolerance: float) -> None:
    assert got.shape == expected.shape
    assert got.dtype == np.uint8
    assert float(np.abs(got.astype(int) - expected).mean()) <= tolerance


@pytest.mark.parametrize(
    ("kind", "options", "tolerance"),
    [
        ("JPEG", {"quality": 95, "subsampling": 0}, 2.0),
        ("JPEG", {"quality": 95, "progressive": True, "subsampling": 0}, 2.0),
        ("PNG", {}, 0.0),
        ("BMP", {}, 0.0),
        ("WEBP", {"lossless": True}, 0.0),
    ],
)
def test_formats(kind: str, options: dict[str, object], tolerance: float) -> None:
    assert_close(
        read_picture(encoded(Image.fromarray(scene()), kind, **options)), scene(), tolerance
    )


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_undone(orientation: int) -> None:
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,  # stored so that it must be turned clockwise to be upright
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = Image.fromarray(scene())
    if orientation in undo:
        stored = stored.transpose(undo[orientation])
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    data = encoded(stored, "JPEG", quality=95, subsampling=0, exif=exif)
    assert_close(read_picture(data), scene(), 2.0)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_is_laid_on_white(mode: str) -> None:
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 4, 8))
    image.paste((0, 0, 0, 128), (4, 4, 8, 8))
    if mode == "P":
        image = image.quantize(4)
    picture = read_picture(encoded(image.convert(mode), "PNG"))
    assert (picture[:, :4] == 255).all()
    assert (picture[:4, 4:] == 0).all()
    assert abs(int(picture[6, 6, 0]) - 127) <= 2


def test_palette() -> None:
    picture = read_picture(encoded(Image.fromarray(scene()).quantize(16), "PNG"))
    assert_close(picture, scene(), 1.0)


def test_single_bits() -> None:
    image = Image.new("1", (6, 4), 0)
    image.putpixel((2, 1), 1)
    picture = read_picture(encoded(image, "PNG"))
    assert picture[1, 2].tolist() == [255, 255, 255]
    assert picture.sum() == 3 * 255


def test_grey() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    picture = read_picture(encoded(Image.fromarray(grey), "PNG"))
    assert_close(picture, np.repeat(grey[..., None], 3, 2), 0)


def test_sixteen_bit_grey_keeps_its_range() -> None:
    grey = np.arange(256, dtype=np.uint16).reshape(16, 16) * 257
    picture = read_picture(encoded(Image.fromarray(grey), "PNG"))
    assert picture[..., 0].ravel().tolist() == list(range(256))


def test_sixteen_bit_rgb_keeps_its_range() -> None:
    deep = np.repeat((np.arange(16, dtype=">u2") * 257 * 17)[:, None], 3, 1)
    rows = b"\0" + deep.tobytes()
    picture = read_picture(png(struct.pack(">IIBBBBB", 16, 1, 16, 2, 0, 0, 0), rows))
    assert picture[0, :, 1].tolist() == [17 * step for step in range(16)]


def test_cmyk() -> None:
    image = Image.fromarray(scene()).convert("CMYK")
    assert_close(read_picture(encoded(image, "JPEG", quality=95)), scene(), 4.0)


def srgb_with_red_and_blue_swapped() -> bytes:
    """An sRGB profile whose table of contents names the two primaries the wrong way round."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = profile.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ")
    return swapped.replace(b"????", b"bXYZ")


def test_a_colour_profile_is_applied() -> None:
    data = encoded(Image.fromarray(scene()), "PNG", icc_profile=srgb_with_red_and_blue_swapped())
    assert_close(read_picture(data), scene()[..., ::-1], 2.0)


def test_a_colour_profile_that_does_not_fit_is_ignored() -> None:
    for_light = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    for profile in (for_light, b"not a profile"):
        picture = read_picture(encoded(Image.fromarray(scene()), "PNG", icc_profile=profile))
        assert picture.shape == scene().shape


def test_a_very_large_picture_is_scaled_down() -> None:
    data = encoded(Image.new("RGB", (9000, 300), (90, 20, 10)), "JPEG")
    picture = read_picture(data)
    assert picture.shape[1] == KEPT_SIDE
    assert abs(picture.shape[0] - KEPT_SIDE * 300 / 9000) <= 1


def png(header: bytes, rows: bytes) -> bytes:
    """A PNG by hand, so that it can state what no encoder would write."""
    parts = [b"\x89PNG\r\n\x1a\n"]
    for name, body in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
        crc = zlib.crc32(name + body)
        parts.append(struct.pack(">I", len(body)) + name + body + struct.pack(">I", crc))
    return b"".join(parts)


@pytest.mark.parametrize(
    ("width", "height"), [(20_000, 20_000), (20_000, 10), (10, MAX_SIDE + 1), (11_000, 10_000)]
)
def test_too_many_pixels_are_refused_by_the_header_alone(width: int, height: int) -> None:
    data = png(struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), b"")
    with pytest.raises(BadPictureError, match="pixels, expected at most"):
        read_picture(data)


@pytest.mark.parametrize("data", [b"", b"hello", b"GIF89a" + bytes(50), b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(BadPictureError, match="expected a JPEG, PNG, WebP or BMP"):
        read_picture(data)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP"])
def test_cut_short_is_refused(kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    with pytest.raises(BadPictureError):
        read_picture(data[: len(data) // 2])


@settings(deadline=None)
@given(
    kind=st.sampled_from(["JPEG", "PNG", "BMP", "WEBP"]),
    mode=st.sampled_from(["RGB", "RGBA", "P", "L"]),
    damage=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8),
    kept=st.floats(0.3, 1),
)
def test_damage_is_answered_by_a_picture_or_by_our_error(
    kind: str, mode: str, damage: list[tuple[float, int]], kept: float
) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    image = Image.fromarray(scene()).convert("RGB" if (kind, mode) == ("JPEG", "RGBA") else mode)
    image = image.convert("L") if (kind, mode) == ("JPEG", "P") else image
    data = bytearray(encoded(image, kind, exif=exif))
    for place, value in damage:
        data[min(int(place * len(data)), len(data) - 1)] = value
    try:
        picture = read_picture(bytes(data[: int(kept * len(data))]))
    except BadPictureError:
        return
    assert picture.ndim == 3
    assert picture.shape[2] == 3


def test_files_are_named_in_errors(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    good.write_bytes(encoded(Image.fromarray(scene()), "PNG"))
    bad.write_bytes(b"no")
    assert_close(read_picture_file(good), scene(), 0)
    for path, reason in [
        (bad, "not a picture"),
        (tmp_path / "none.png", "no such file"),
        (tmp_path, "not a file"),
    ]:
        with pytest.raises(BadPictureError, match=reason) as caught:
            read_picture_file(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_film_given_as_a_picture_is_not_read_into_memory(tmp_path: Path) -> None:
    huge = tmp_path / "film.png"
    with huge.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(BadPictureError, match="expected at most 64 MiB"):
        read_picture_file(huge)
