"""Reads the pictures that people give: any common format in, upright sRGB out. No torch."""

import contextlib
import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from engine.api import BadPictureError, Picture

FORMATS = ("JPEG", "PNG", "WEBP", "BMP")
EXPECTED = "expected a JPEG, PNG, WebP or BMP picture"
MAX_FILE_BYTES = 64 * 2**20
MAX_SIDE = 16_384  # pixels, as the file states them: checked before anything is decoded
MAX_PIXELS = 64_000_000
KEPT_SIDE = 4096  # longest side of what is handed on; larger pictures are scaled down
BACKGROUND = (255, 255, 255)  # behind transparent pixels: what most viewers show there

# What Pillow raises for damaged files, found by feeding it damaged files.
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, LookupError, struct.error, zlib.error)


def read_picture_file(path: Path) -> Picture:
    """Read a picture file as RGB [height, width, 3]. Raises `BadPictureError`."""
    if not path.exists():
        raise BadPictureError(f"{path}: no such file, {EXPECTED}")
    if not path.is_file():
        raise BadPictureError(f"{path}: not a file, {EXPECTED}")
    try:
        size_bytes = path.stat().st_size
        _check_file_size(size_bytes)
        return read_picture(path.read_bytes())
    except BadPictureError as error:
        raise BadPictureError(f"{path}: {error}") from error
    except OSError as error:
        raise BadPictureError(f"{path}: cannot be read ({error.strerror})") from error


def read_picture(data: bytes) -> Picture:
    """Decode a picture as RGB [height, width, 3]. Raises `BadPictureError`.

    EXIF rotation and an embedded colour profile are applied, transparency is laid on white, and
    a longest side of more than `KEPT_SIDE` pixels is scaled down to it.
    """
    if not data:
        raise BadPictureError(f"empty, {EXPECTED}")
    _check_file_size(len(data))
    try:
        # What Pillow only warns of is harmless, or refused here by stricter limits.
        with (
            warnings.catch_warnings(action="ignore"),
            Image.open(io.BytesIO(data), formats=FORMATS) as image,
        ):
            _check_pixels(image.size)
            return _decode(image)
    except Image.DecompressionBombError as error:
        raise BadPictureError(f"too many pixels, expected at most {MAX_PIXELS:,}") from error
    except UnidentifiedImageError as error:
        raise BadPictureError(f"not a picture that can be read, {EXPECTED}") from error
    except _DAMAGED as error:
        raise BadPictureError(f"damaged or cut short ({error}), {EXPECTED}") from error


def _check_file_size(size_bytes: int) -> None:
    if size_bytes > MAX_FILE_BYTES:
        limit = MAX_FILE_BYTES // 2**20
        raise BadPictureError(f"{size_bytes / 2**20:.0f} MiB, expected at most {limit} MiB")


def _check_pixels(size: tuple[int, int]) -> None:
    width, height = size
    if max(size) > MAX_SIDE or width * height > MAX_PIXELS:
        raise BadPictureError(
            f"{width}x{height} pixels, expected at most {MAX_SIDE} a side and {MAX_PIXELS:,} in all"
        )
    if min(size) < 1:
        raise BadPictureError(f"{width}x{height} pixels, expected at least one")


def _decode(image: Image.Image) -> Picture:
    profile = image.info.get("icc_profile")
    image.draft(None, (KEPT_SIDE, KEPT_SIDE))  # lets the JPEG decoder skip detail, if it can
    image.load()
    _turn_upright(image)
    kept = _scalable(image)
    kept.thumbnail((KEPT_SIDE, KEPT_SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return np.array(_to_srgb(_flatten(kept), profile), np.uint8)


def _turn_upright(image: Image.Image) -> None:
    # A damaged note beside the pixels is no reason to refuse the pixels.
    with contextlib.suppress(*_DAMAGED):
        ImageOps.exif_transpose(image, in_place=True)


def _scalable(image: Image.Image) -> Image.Image:
    """Leave palettes, single bits and 16-bit greys: all else can be scaled as it is."""
    if image.mode.startswith("I"):  # 16-bit grey; Pillow's own conversion would clip it
        return Image.fromarray((np.asarray(image).clip(0, 65_535) >> 8).astype(np.uint8))
    if image.mode in {"P", "PA", "1"}:
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image


def _flatten(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image
    opaque = Image.new("RGBA", image.size, BACKGROUND)
    return Image.alpha_composite(opaque, image.convert("RGBA")).convert("RGB")


def _to_srgb(image: Image.Image, profile: object) -> Image.Image:
    """Apply an embedded colour profile; a profile that does not fit the picture is ignored."""
    if isinstance(profile, bytes) and image.mode in {"RGB", "CMYK"}:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(
                image, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
        except (ImageCms.PyCMSError, *_DAMAGED):
            converted = None
        if converted is not None:
            return converted
    return image.convert("RGB")
