"""A picture file as an array, and the refusal of what is none.

The header is read before anything is decoded, so that a small file that unpacks to a gigantic picture is refused
while it is still small.
"""

from __future__ import annotations

import io
import re
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from renzheng.contracts import Reason
from renzheng.errors import RenzhengError
from vision.types import BgrImage, expect_bgr

PIXELS_MAX = 64_000_000
"""Larger pictures are refused undecoded; no counter camera or phone needs more for a face."""

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "PPM", "TIFF", "GIF")
"""What is opened. Left out on purpose are formats for which Pillow starts other programs, such as EPS."""

TIGHT_SIDE_PX = 200
TIGHT_FACTOR = 2.0
TIGHT_BORDER_PX = 40
"""Border of an enlarged picture on each side, in enlarged pixels."""

_MAGIC = (b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"BM", b"II*\0", b"MM\0*", b"GIF8")
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error, zlib.error)
_ORIENTATION_TAG = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_DEEP_MODES = ("I", "I;16", "I;16L", "I;16B", "I;16N")


class PhotoRefused(RenzhengError):
    """A picture file that cannot be used, with the reason as a word of the contract."""

    def __init__(self, path: Path, reason: Reason, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path
        self.reason = reason


def load_photo(path: Path) -> BgrImage:
    """The picture upright (EXIF orientation applied), height × width × 3, uint8, BGR.

    16-bit and grey pictures are brought to 8-bit colour, transparent ones laid on white. Of several frames the first
    is taken. Raises :class:`PhotoRefused` with ``PICTURE_TOO_LARGE``, ``NOT_A_PICTURE`` or ``UNREADABLE``.
    """
    return _decoded(path, path)


def decode_photo(data: bytes, name: str = "photo") -> BgrImage:
    """As :func:`load_photo`, of a file's bytes; ``name`` is what a refusal calls them."""
    return _decoded(Path(name), io.BytesIO(data))


def _decoded(path: Path, source: Path | io.BytesIO) -> BgrImage:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's notes on sizes and metadata; what matters is raised below
        try:
            with _open(path, source) as image:
                _refuse_large(path, image.width * image.height)
                return _to_bgr(_upright(image))
        except Image.DecompressionBombError as error:
            stated = re.search(r"\d+", str(error))
            _refuse_large(path, int(stated[0]) if stated else PIXELS_MAX + 1)
            raise
        except MemoryError as error:
            raise PhotoRefused(path, Reason.UNREADABLE, "not enough memory to decode the picture") from error
        except _BROKEN as error:
            raise PhotoRefused(path, Reason.UNREADABLE, f"the picture cannot be decoded: {error}") from error


def enlarge_if_tight(image_bgr: BgrImage) -> tuple[BgrImage, float]:
    """Give a detector room: a picture with a side under :data:`TIGHT_SIDE_PX` is doubled and gets a border.

    Face detectors are trained on pictures with surroundings and miss a face that fills a small one. Returns the
    picture and the factor of enlargement. With factor 1 the picture is the one given, without a border; otherwise a
    point ``p`` of the result lies at ``(p - TIGHT_BORDER_PX) / factor`` in the original.
    """
    expect_bgr("enlarge_if_tight: image_bgr", image_bgr)
    if 0 in image_bgr.shape:
        raise ValueError(
            f"enlarge_if_tight: expected a picture with pixels, got {image_bgr.shape[1]} × {image_bgr.shape[0]}"
        )
    if min(image_bgr.shape[:2]) >= TIGHT_SIDE_PX:
        return image_bgr, 1.0
    doubled = cv2.resize(image_bgr, None, fx=TIGHT_FACTOR, fy=TIGHT_FACTOR, interpolation=cv2.INTER_CUBIC)
    sides = (TIGHT_BORDER_PX,) * 4
    bordered = cv2.copyMakeBorder(doubled, *sides, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(bordered, dtype=np.uint8), TIGHT_FACTOR


def _open(path: Path, source: Path | io.BytesIO) -> Image.Image:
    try:
        return Image.open(source, formats=FORMATS)
    except FileNotFoundError as error:
        raise PhotoRefused(path, Reason.UNREADABLE, "no such file") from error
    except UnidentifiedImageError as error:
        head = _head(source)
        if not head:
            raise PhotoRefused(path, Reason.UNREADABLE, "the file is empty") from error
        if head.startswith(_MAGIC):
            raise PhotoRefused(path, Reason.UNREADABLE, "the picture's header is broken or cut off") from error
        raise PhotoRefused(path, Reason.NOT_A_PICTURE, f"not a picture; expected {', '.join(FORMATS)}") from error


def _head(source: Path | io.BytesIO) -> bytes:
    if isinstance(source, io.BytesIO):
        return source.getvalue()[:8]
    with source.open("rb") as stream:
        return stream.read(8)


def _refuse_large(path: Path, pixels: int) -> None:
    if pixels > PIXELS_MAX:
        message = f"the picture has {pixels:,} pixels; expected at most {PIXELS_MAX:,}"
        raise PhotoRefused(path, Reason.PICTURE_TOO_LARGE, message)


def _upright(image: Image.Image) -> Image.Image:
    """Turned as its EXIF says; a picture whose EXIF is broken stays as it is."""
    image.load()
    try:
        turn = _TURNS.get(image.getexif().get(_ORIENTATION_TAG, 1))
    except _BROKEN:
        return image
    return image if turn is None else image.transpose(turn)


def _to_bgr(image: Image.Image) -> BgrImage:
    if image.mode in _DEEP_MODES:
        grey = _eight_bits(np.asarray(image))
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.mode == "F":
        raise ValueError("a picture of floating-point numbers; expected 8 or 16 bits")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    rgb = np.asarray(image.convert("RGB"), dtype=np.uint8)
    return np.ascontiguousarray(rgb[:, :, ::-1])


def _eight_bits(deep: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """16-bit grey to 8 bits, 65535 to 255."""
    return np.asarray((np.clip(deep.astype(np.int64), 0, 65535) + 128) // 257, dtype=np.uint8)
