"""Small faces looked at once more: landmarks found on a reduced picture are coarse on the full one.

The figures behind the constants are in ``docs/adr/0003-quality-gate.md``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from vision.detect import MIN_SCORE
from vision.types import BgrImage, Detections, FloatArray, expect_bgr, expect_shape

if TYPE_CHECKING:
    from vision.pack import Detector

SMALL_FACE_PX = 48.0
"""Longest side of a box on the reduced picture from which on a closer look brings landmarks no nearer."""

CUT_SIDE_PX = 160
CUT_IN_FACES = 2.0
LEAST_IOU = 0.4
"""A face of the closer look is the same face only if the boxes overlap at least so much."""

UNSEEN_SCORE = MIN_SCORE
"""Score of a face that the closer look does not find: the gate must not trust landmarks that stayed coarse."""

_LEAST_AREA_PX = np.float32(1e-6)


class Square(NamedTuple):
    """A square of whole pixels, which may reach past the edge of the picture."""

    left: int
    top: int
    side_px: int


def square_around(box_xyxy: FloatArray) -> Square:
    """The square twice as wide as the longer side of the box, around its middle."""
    expect_shape("box_xyxy", box_xyxy, (4,))
    left, top, right, bottom = (float(side) for side in box_xyxy)
    side_px = max(1, round(max(right - left, bottom - top) * CUT_IN_FACES))
    return Square(round((left + right - side_px) / 2), round((top + bottom - side_px) / 2), side_px)


def cut(image_bgr: BgrImage, square: Square) -> BgrImage:
    """The square, 160 × 160; what lies outside the picture is black."""
    expect_bgr("image_bgr", image_bgr)
    height, width = image_bgr.shape[:2]
    left, top, side_px = square
    x_0, y_0 = min(max(left, 0), width), min(max(top, 0), height)
    x_1, y_1 = max(min(left + side_px, width), x_0), max(min(top + side_px, height), y_0)
    whole_bgr = np.zeros((side_px, side_px, 3), np.uint8)
    whole_bgr[y_0 - top : y_1 - top, x_0 - left : x_1 - left] = image_bgr[y_0:y_1, x_0:x_1]
    how = cv2.INTER_AREA if side_px > CUT_SIDE_PX else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(whole_bgr, (CUT_SIDE_PX, CUT_SIDE_PX), interpolation=how), dtype=np.uint8)


def out_of(square: Square, found: Detections) -> Detections:
    """Faces of the cut in pixels of the picture it was cut from."""
    factor = square.side_px / CUT_SIDE_PX
    scaled = found.scaled((factor, factor))
    corner_xy = np.array([square.left, square.top], np.float32)
    return Detections(scaled.boxes_xyxy + np.tile(corner_xy, 2), scaled.scores, scaled.landmarks + corner_xy)


def overlaps(boxes_xyxy: FloatArray, others_xyxy: FloatArray) -> FloatArray:
    """Intersection over union of each of N boxes with each of M: N × M."""
    expect_shape("boxes_xyxy", boxes_xyxy, (None, 4))
    expect_shape("others_xyxy", others_xyxy, (None, 4))
    one, other = boxes_xyxy[:, None], others_xyxy[None]
    shared_wh = np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2])
    shared = np.maximum(shared_wh, 0).prod(axis=2)
    areas = [(boxes[..., 2:] - boxes[..., :2]).prod(axis=2) for boxes in (one, other)]
    return np.asarray(shared / np.maximum(areas[0] + areas[1] - shared, _LEAST_AREA_PX), np.float32)


def same_face(closer_xyxy: FloatArray, coarse_xyxy: FloatArray, index: int) -> int | None:
    """Which of N boxes of the closer look is the face ``index`` of the M coarse ones, if any.

    A box that overlaps another coarse face as much is that neighbour's and is not taken.
    """
    ious = overlaps(closer_xyxy, coarse_xyxy)
    mine = ious[:, index].copy()
    mine[np.delete(ious, index, axis=1).max(axis=1, initial=0.0) >= np.maximum(mine, _LEAST_AREA_PX)] = 0
    best = int(np.argmax(mine)) if len(mine) else 0
    return best if len(mine) and mine[best] >= LEAST_IOU else None


def look_closer(
    image_bgr: BgrImage, coarse: Detections, scale_xy: tuple[float, float], detector: Detector
) -> tuple[Detections, FloatArray]:
    """The same faces in the same order with small ones placed again on the full picture, and N scores for the gate.

    ``coarse`` is in pixels of the full picture, which is ``scale_xy`` times as large as the one they were found on.
    The detections keep their scores; a score for the gate is the lower of both looks, which foretells failure best at
    the gate's limit, and ``UNSEEN_SCORE`` at most where the closer look did not find the face.
    """
    boxes_xyxy, landmarks, scores = coarse.boxes_xyxy.copy(), coarse.landmarks.copy(), coarse.scores.copy()
    sides_px = ((boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]) / np.asarray(scale_xy, np.float32)).max(axis=1, initial=0.0)
    for index in np.flatnonzero((sides_px < SMALL_FACE_PX) & (max(scale_xy) > 1)):
        square = square_around(coarse.boxes_xyxy[index])
        found = out_of(square, detector.detect(cut(image_bgr, square), MIN_SCORE))
        best = same_face(found.boxes_xyxy, coarse.boxes_xyxy, int(index))
        if best is None:
            scores[index] = min(scores[index], UNSEEN_SCORE)
        else:
            boxes_xyxy[index], landmarks[index] = found.boxes_xyxy[best], found.landmarks[best]
            scores[index] = min(scores[index], found.scores[best])
    return Detections(boxes_xyxy, coarse.scores, landmarks), scores
