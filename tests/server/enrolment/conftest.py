"""Portraits of different people that pass the gate, as files of photos."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from models.fetch import fetch_asset
from vision.enrol import PhotoFace, face_of_photo
from vision.pack import VisionPack
from vision.photo import load_photo
from vision.types import BgrImage, FloatArray


@pytest.fixture(scope="session")
def portraits(pack: VisionPack) -> list[bytes]:
    """JPEG files, one a person."""
    picture = load_photo(fetch_asset("demo-people"))
    found = pack.detector.detect(picture, 0.6)
    cut = [_cut(picture, box) for box in found.boxes_xyxy]
    return [_jpeg(one) for one in cut if isinstance(face_of_photo(one, pack), PhotoFace)]


def _cut(picture: BgrImage, box: FloatArray) -> BgrImage:
    left, top, right, bottom = box
    more = 0.4 * (right - left)
    rows, columns = (
        slice(int(max(0, top - more)), int(bottom + more)),
        slice(int(max(0, left - more)), int(right + more)),
    )
    return np.ascontiguousarray(picture[rows, columns])


def _jpeg(image: BgrImage, quality: int = 95) -> bytes:
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return data.tobytes()


def again(portrait: bytes) -> bytes:
    """Another file of the same picture."""
    return _jpeg(np.asarray(cv2.imdecode(np.frombuffer(portrait, np.uint8), cv2.IMREAD_COLOR)), 90)
