"""The values vision speaks in: frozen and shape-checked.

Layout words: ``bgr`` is height × width × 3, uint8; ``xyxy`` is left, top, right, bottom in pixels; landmarks are
five points in the order right eye, left eye, nose, right mouth corner, left mouth corner (of the person), which is
left to right in the picture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

from renzheng.contracts.check import SampleQuality

BgrImage = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]

CROP_SIDE_PX = 112
LANDMARK_COUNT = 5


def expect_shape(name: str, array: npt.NDArray[np.generic], expected: tuple[int | None, ...]) -> None:
    """Raise ``ValueError`` with expected and actual shape; ``None`` stands for any length."""
    same_rank = array.ndim == len(expected)
    if not same_rank or any(want not in (None, has) for want, has in zip(expected, array.shape, strict=True)):
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


@dataclass(frozen=True)
class Face:
    """One face in one looked-at frame, cut from the full picture.

    ``crop_bgr`` is the aligned 112 × 112 input of the embedder; ``portrait_bgr`` is for people to look at.
    """

    time_s: float
    frame_wh: tuple[int, int]
    box_xyxy: FloatArray
    landmarks: FloatArray
    score: float
    quality: SampleQuality
    crop_bgr: BgrImage
    portrait_bgr: BgrImage

    def __post_init__(self) -> None:
        expect_shape("Face.box_xyxy", self.box_xyxy, (4,))
        expect_shape("Face.landmarks", self.landmarks, (LANDMARK_COUNT, 2))
        expect_shape("Face.crop_bgr", self.crop_bgr, (CROP_SIDE_PX, CROP_SIDE_PX, 3))

    @property
    def assessable(self) -> bool:
        """Whether the quality gate lets this face be compared."""
        return not self.quality.failed

    @property
    def chin_relative(self) -> tuple[float, float]:
        """Bottom centre of the face in relative coordinates: the point that zones are asked about."""
        left, _top, right, bottom = (float(side) for side in self.box_xyxy)
        return (left + right) / 2 / self.frame_wh[0], min(bottom / self.frame_wh[1], 1.0)

    @property
    def chest_relative(self) -> tuple[float, float]:
        """The point one face height under the chin, in relative coordinates."""
        left, top, right, bottom = (float(side) for side in self.box_xyxy)
        return (left + right) / 2 / self.frame_wh[0], min((2 * bottom - top) / self.frame_wh[1], 1.0)


class Judged(Protocol):
    """What weighs a face: its quality, and whether it may be compared. A :class:`Face` and a stored sample have it."""

    @property
    def quality(self) -> SampleQuality:
        """Of the one face."""
        ...

    @property
    def assessable(self) -> bool:
        """Whether the quality gate lets this face be compared."""
        ...


@dataclass(frozen=True)
class FaceTrack:
    """One face over a window: every sighting in order of time, and the embedded samples chosen from them."""

    faces: tuple[Face, ...]
    samples: tuple[Face, ...]
    embeddings: FloatArray

    def __post_init__(self) -> None:
        if not self.faces:
            raise ValueError("FaceTrack.faces: expected at least one face, got none")
        expect_shape("FaceTrack.embeddings", self.embeddings, (len(self.samples), None))

    @property
    def assessable_indices(self) -> list[int]:
        """Which samples the quality gate lets be compared."""
        return [index for index, face in enumerate(self.samples) if face.assessable]


@dataclass(frozen=True)
class Template:
    """Reference embedding of an enrolled person, tagged with the model pack that made it."""

    person_id: str
    pack: str
    embedding: FloatArray
    source: str

    def __post_init__(self) -> None:
        expect_shape("Template.embedding", self.embedding, (None,))
