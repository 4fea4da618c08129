"""Pictures of beds with nobody in them, as a bed check compares with them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from edge_agent.logs import facts
from edge_agent.private_zones import PrivateZones
from edge_agent.ward.bed_view import BedGeometry, bed_faces
from edge_agent.ward.ward_file import Bed
from renzheng.files import sha256_file
from vision.pack import VisionPack
from vision.photo import PhotoRefused, load_photo
from vision.presence import GreyImage, small_grey
from vision.types import BgrImage, FloatArray

log = logging.getLogger(__name__)

SHAPE_TOLERANCE = 0.02
"""Relative difference of width to height above which a picture is not of this camera's view."""


@dataclass(frozen=True)
class EmptyBed:
    """One picture of an empty bed: the bed with what is around it, and the whole picture, as small grey pictures."""

    sha256: str
    bed_grey: GreyImage
    whole_grey: GreyImage


class EmptyPictures:
    """The empty-bed pictures of one camera, read when first asked for; few are kept, small."""

    def __init__(self, private: PrivateZones) -> None:
        self._private = private
        self._read = lru_cache(maxsize=64)(self._read_anew)

    def of(self, geometry: BedGeometry) -> tuple[EmptyBed, ...]:
        """Those of a bed that fit pictures of the geometry's size; one that is replaced is read again."""
        stamps = tuple(path.stat().st_mtime_ns if path.is_file() else 0 for path in geometry.bed.empty_pictures)
        return self._read(stamps, geometry.bed, geometry.full_wh)

    def faces_in(self, geometry: BedGeometry, pack: VisionPack) -> FloatArray:
        """Boxes N × 4 of faces seen in them, in pixels of the whole picture: prints on linen and posters."""
        pictures = (self._fitting(path, geometry.full_wh) for path in geometry.bed.empty_pictures)
        boxes = [f.box_xyxy for p in pictures if p is not None for f in bed_faces(geometry, p, 0.0, pack)]
        return np.stack(boxes) if boxes else np.empty((0, 4), np.float32)

    def _read_anew(self, _stamps: tuple[int, ...], bed: Bed, full_wh: tuple[int, int]) -> tuple[EmptyBed, ...]:
        geometry = BedGeometry(bed, full_wh)
        found = []
        for path in bed.empty_pictures:
            picture_bgr = self._fitting(path, full_wh)
            if picture_bgr is not None:
                greys = geometry.small_grey(picture_bgr), small_grey(picture_bgr)
                found.append(EmptyBed(sha256_file(path), *greys))
        return tuple(found)

    def _fitting(self, path: Path, full_wh: tuple[int, int]) -> BgrImage | None:
        """The picture at the camera's size, private zones black; ``None`` when it is of another shape or no more."""
        try:
            picture_bgr = load_photo(path)
        except PhotoRefused as refused:
            log.warning("a picture of an empty bed cannot be used", extra=facts(why=str(refused)))
            return None
        height, width = picture_bgr.shape[:2]
        if abs(width * full_wh[1] / (height * full_wh[0]) - 1) > SHAPE_TOLERANCE:
            return None
        if (width, height) != full_wh:
            picture_bgr = np.asarray(cv2.resize(picture_bgr, full_wh, interpolation=cv2.INTER_AREA), np.uint8)
        return self._private.blackened(picture_bgr)
