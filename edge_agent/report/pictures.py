"""Pictures made small and put into the page itself."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

SHOWN_PX = 112
STILL_PX = 320
_QUALITY = 82
_FACE_FORMATS = ("JPEG", "PNG", "WEBP")


def inside(folder: Path, relative: str) -> Path | None:
    """The file that a path from a check names, or ``None`` when the path leads out of the folder."""
    if not relative or "\x00" in relative:
        return None
    path = (folder / relative).resolve()
    return path if path.is_relative_to(folder.resolve()) else None


def data_uri(path: Path | None, side_px: int = SHOWN_PX) -> str | None:
    """The picture as a JPEG of at most ``side_px`` a side in a data URI; ``None`` when there is none to be read."""
    if path is None or not path.is_file():
        return None
    try:
        with Image.open(path, formats=_FACE_FORMATS) as picture:
            small = _small(picture, side_px)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, Image.DecompressionBombWarning, ValueError):
        return None
    return f"data:image/jpeg;base64,{base64.b64encode(small).decode('ascii')}"


def _small(picture: Image.Image, side_px: int) -> bytes:
    upright = ImageOps.exif_transpose(picture).convert("RGB")
    upright.thumbnail((side_px, side_px), Image.Resampling.LANCZOS)
    target = io.BytesIO()
    upright.save(target, "JPEG", quality=_QUALITY, optimize=True)
    return target.getvalue()
