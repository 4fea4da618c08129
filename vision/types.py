"""The values vision speaks in: frozen and shape-checked.

Layout words: ``bgr`` is height × width × 3, uint8; ``xyxy`` is left, top, right, bottom in pixels; landmarks are
five points in the order right eye, left eye, nose, right mouth corner, left mouth corner (of the person), which is
left to right in the picture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

BgrImage = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]

CROP_SIDE_PX = 112
LANDMARK_COUNT = 5


def expect_shape(name: str, array: npt.NDArray[np.generic], expected: tuple[int | None, ...]) -> None:
    """Raise ``ValueError`` with expected and actual shape; ``None`` stands for any length."""
    fits = array.ndim == len(expected) and all(want is None or want == has for want, has in zip(expected, array.shape, strict=True))
    if not fits:
        wanted = " × ".join("any" if want is None else str(want) for want in expected)
        raise ValueError(f"{name}: expected shape {wanted}, got {' × '.join(map(str, array.shape)) or 'a scalar'}")


def expect_bgr(name: str, image_bgr: npt.NDArray[np.generic]) -> None:
    """Raise ``ValueError`` unless the array is a colour picture of uint8."""
    expect_shape(name, image_bgr, (None, None, 3))
    if image_bgr.dtype != np.uint8:
        raise ValueError(f"{name}: expected uint8, got {image_bgr.dtype}")


@dataclass(frozen=True)
class Frame:
    """One looked-at picture: reduced for detection, whole on demand.

    ``time_s`` is seconds since 1970 (UTC) on the camera's timeline. ``load_full`` is called at most once; it must
    give a picture of ``full_wh``.
    """

    time_s: float
    full_wh: tuple[int, int]
    reduced_bgr: BgrImage
    load_full: Callable[[], BgrImage]

    def __post_init__(self) -> None:
        expect_bgr("Frame.reduced_bgr", self.reduced_bgr)

    @cached_property
    def full_bgr(self) -> BgrImage:
        """The picture in full resolution, height × width × 3."""
        image_bgr = self.load_full()
        expect_shape("Frame.full_bgr", image_bgr, (self.full_wh[1], self.full_wh[0], 3))
        return image_bgr

    @property
    def scale_xy(self) -> tuple[float, float]:
        """Full pixels per reduced pixel, across and down."""
        height, width = self.reduced_bgr.shape[:2]
        return self.full_wh[0] / width, self.full_wh[1] / height


@dataclass(frozen=True)
class Detections:
    """Faces found in one picture, best first."""

    boxes_xyxy: FloatArray
    scores: FloatArray
    landmarks: FloatArray

    def __post_init__(self) -> None:
        count = len(self.scores)
        expect_shape("Detections.boxes_xyxy", self.boxes_xyxy, (count, 4))
        expect_shape("Detections.scores", self.scores, (count,))
        expect_shape("Detections.landmarks", self.landmarks, (count, LANDMARK_COUNT, 2))

    def __len__(self) -> int:
        return len(self.scores)

    def scaled(self, scale_xy: tuple[float, float]) -> Detections:
        """The same faces in a picture that is ``scale_xy`` times as large."""
        factor = np.asarray(scale_xy, dtype=np.float32)
        return Detections(self.boxes_xyxy * np.tile(factor, 2), self.scores, self.landmarks * factor)
