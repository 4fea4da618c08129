"""Faces in one picture: input preparation, decoding and suppression around a detector network.

YuNet's decoding follows Wu, Peng and Yu, "YuNet: A Tiny Millisecond-level Face Detector" (2023), and the exported
graph of the OpenCV Zoo: anchor-free cells at strides 8, 16 and 32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from models.runtime import Session
from vision.types import LANDMARK_COUNT, BgrImage, Detections, FloatArray, expect_bgr, expect_shape

MIN_SCORE = 0.5
NMS_MAX_IOU = 0.3
YUNET_STRIDES = (8, 16, 32)
# pictures are padded on the right and at the bottom to whole cells of the coarsest stride
SIDE_MULTIPLE_PX = YUNET_STRIDES[-1]
# channels of one level: face logit, objectness logit, box (dx, dy, log width, log height), five landmarks
_CLS, _OBJ, _BOX, _LANDMARKS = 0, 1, slice(2, 6), slice(6, 16)
YUNET_CHANNELS = 16
SCRFD_SIDE_PX = 640


def no_detections() -> Detections:
    """The result for a picture without faces."""
    return Detections(
        np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty((0, LANDMARK_COUNT, 2), np.float32)
    )


def yunet_input(image_bgr: BgrImage) -> FloatArray:
    """The picture as 1 × 3 × height × width, BGR 0–255, padded with black to multiples of 32 px."""
    height, width = image_bgr.shape[:2]
    rows, columns = (-(-side // SIDE_MULTIPLE_PX) * SIDE_MULTIPLE_PX for side in (height, width))
    blob = np.zeros((1, 3, rows, columns), np.float32)
    for channel in range(3):
        blob[0, channel, :height, :width] = image_bgr[:, :, channel]
    return blob


def decode_yunet(levels: Sequence[FloatArray], min_score: float, strides: Sequence[int] = YUNET_STRIDES) -> Detections:
    """Faces of every cell that scores at least ``min_score``, in no order and before suppression.

    ``levels[i]`` is 1 × 16 × rows × columns for ``strides[i]`` pixels a cell: logits, not scores. With the cell's
    column and row, score = √(σ(cls)·σ(obj)), centre = (column + dx, row + dy)·stride, size = exp(d)·stride,
    landmark = (column + kx, row + ky)·stride.
    """
    decoded = [_decode_level(level, stride, min_score) for level, stride in zip(levels, strides, strict=True)]
    return Detections(
        np.concatenate([faces.boxes_xyxy for faces in decoded]),
        np.concatenate([faces.scores for faces in decoded]),
        np.concatenate([faces.landmarks for faces in decoded]),
    )


def _decode_level(level: FloatArray, stride: int, min_score: float) -> Detections:
    expect_shape("YuNet level", level, (1, YUNET_CHANNELS, None, None))
    # √(a·b) ≥ m with a, b ≤ 1 needs both a and b ≥ m², so most cells drop out without an exponential
    floor = _logit(min_score**2)
    rows, columns = np.nonzero((level[0, _CLS] >= floor) & (level[0, _OBJ] >= floor))
    cells = level[0, :, rows, columns]
    scores = np.sqrt(_sigmoid(cells[:, _CLS]) * _sigmoid(cells[:, _OBJ]))
    kept = scores >= min_score
    cells, scores = cells[kept], scores[kept]
    corner = np.stack([columns[kept], rows[kept]], axis=1).astype(np.float32)
    centre = (corner + cells[:, 2:4]) * stride
    half = np.exp(cells[:, 4:6]) * (stride / 2)
    landmarks = (corner[:, None, :] + cells[:, _LANDMARKS].reshape(-1, LANDMARK_COUNT, 2)) * stride
    return Detections(np.concatenate([centre - half, centre + half], axis=1), scores, landmarks)


def _sigmoid(logits: FloatArray) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-logits)), np.float32)


def _logit(probability: float) -> float:
    if probability <= 0:
        return -np.inf
    return float(np.log(probability) - np.log1p(-probability)) if probability < 1 else np.inf


def nms(boxes_xyxy: FloatArray, scores: FloatArray, max_iou: float = NMS_MAX_IOU) -> npt.NDArray[np.intp]:
    """Indices of the boxes to keep, best first: greedy suppression of whatever overlaps a better box by more.

    Equal scores keep their given order, so the result does not depend on the machine.
    """
    expect_shape("boxes_xyxy", boxes_xyxy, (len(scores), 4))
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(int(best))
        order = rest[iou_with_each(boxes_xyxy[best], boxes_xyxy[rest]) <= max_iou]
    return np.array(kept, dtype=np.intp)


def iou_with_each(box_xyxy: FloatArray, boxes_xyxy: FloatArray) -> FloatArray:
    """Intersection over union of one box with each of N; 0 where both have no area."""
    sides = np.minimum(box_xyxy[2:], boxes_xyxy[:, 2:]) - np.maximum(box_xyxy[:2], boxes_xyxy[:, :2])
    shared = np.clip(sides, 0, None).prod(axis=1)
    areas = np.clip(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], 0, None).prod(axis=1)
    union = areas + np.clip(box_xyxy[2:] - box_xyxy[:2], 0, None).prod() - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0), np.float32)


def best_first(faces: Detections, max_iou: float = NMS_MAX_IOU) -> Detections:
    """The faces that survive :func:`nms`, best first."""
    kept = nms(faces.boxes_xyxy, faces.scores, max_iou)
    return Detections(faces.boxes_xyxy[kept], faces.scores[kept], faces.landmarks[kept])


class YuNetDetector:
    """YuNet as ``models.prepare`` prepares it: one output per stride."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def detect(self, image_bgr: BgrImage, min_score: float = MIN_SCORE) -> Detections:
        """Faces scoring at least ``min_score`` (0–1), best first, in pixels of the given picture (any size).

        Boxes and landmarks may reach past the edge of the picture. Raises ``ValueError`` for another shape or dtype.
        """
        expect_bgr("image_bgr", image_bgr)
        if 0 in image_bgr.shape:
            return no_detections()
        levels = self._session.run({"input": yunet_input(image_bgr)})
        return best_first(decode_yunet(levels, min_score))


class ScrfdDetector:
    """An SCRFD model of insightface's zoo, which brings its own decoding and suppression."""

    def __init__(self, model: Any, side_px: int = SCRFD_SIDE_PX) -> None:
        self._model = model
        self._input_size = (side_px, side_px)

    def detect(self, image_bgr: BgrImage, min_score: float = MIN_SCORE) -> Detections:
        """Faces scoring at least ``min_score`` (0–1), best first, in pixels of the given picture."""
        expect_bgr("image_bgr", image_bgr)
        if 0 in image_bgr.shape:
            return no_detections()
        size = None if self._model.static_input_size is not None else self._input_size
        boxes, landmarks = self._model.detect(image_bgr, input_size=size, det_thresh=min_score)
        return Detections(
            np.asarray(boxes[:, :4], np.float32), np.asarray(boxes[:, 4], np.float32), np.asarray(landmarks, np.float32)
        )
