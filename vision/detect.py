"""Faces in one picture: input preparation, decoding and suppression around a detector network.

YuNet's decoding follows Wu, Peng and Yu, "YuNet: A Tiny Millisecond-level Face Detector" (2023), and the exported
graph of the OpenCV Zoo: anchor-free cells at strides 8, 16 and 32.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import cv2
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
_CLS, _OBJ, _CENTRE, _SIZE, _LANDMARKS = 0, 1, slice(2, 4), slice(4, 6), slice(6, 16)
YUNET_CHANNELS = 16
# what decoding adds to a cell's channels: column and row, pixels a cell
_CORNER, _STRIDE = slice(16, 18), 18
SCRFD_SIDE_PX = 640
# keeps the overlap of boxes without area defined; far below any box a detector gives
_LEAST_AREA_PX = np.float32(1e-6)


def no_detections() -> Detections:
    """The result for a picture without faces."""
    return Detections(
        np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty((0, LANDMARK_COUNT, 2), np.float32)
    )


def padded_wh(width: int, height: int) -> tuple[int, int]:
    """The smallest size of whole cells of the coarsest stride that holds the picture, in pixels."""
    columns, rows = (-(-side // SIDE_MULTIPLE_PX) * SIDE_MULTIPLE_PX for side in (width, height))
    return columns, rows


def yunet_input(image_bgr: BgrImage, out: FloatArray | None = None) -> FloatArray:
    """The picture as 1 × 3 × height × width, BGR 0–255, padded with black to multiples of 32 px.

    ``out`` is an earlier result for a picture of the same size, to be written over: its padding is black already.
    """
    height, width = image_bgr.shape[:2]
    if out is None:
        columns, rows = padded_wh(width, height)
        out = np.zeros((1, 3, rows, columns), np.float32)
    planes = np.empty((3, height, width), np.uint8)
    cv2.split(image_bgr, list(planes))  # three times as fast as NumPy's strided copy
    out[0, :, :height, :width] = planes
    return out


def decode_yunet(levels: Sequence[FloatArray], min_score: float, strides: Sequence[int] = YUNET_STRIDES) -> Detections:
    """Faces of every cell that scores at least ``min_score``, in no order and before suppression.

    ``levels[i]`` is 1 × 16 × rows × columns for ``strides[i]`` pixels a cell: logits, not scores. With the cell's
    column and row, score = √(σ(cls)·σ(obj)), centre = (column + dx, row + dy)·stride, size = exp(d)·stride,
    landmark = (column + kx, row + ky)·stride.
    """
    # √(a·b) ≥ m with a, b ≤ 1 needs both a and b ≥ m², so most cells drop out without an exponential
    floor = _logit(min_score**2)
    parts = [_cells_above(level, stride, floor) for level, stride in zip(levels, strides, strict=True)]
    parts = [part for part in parts if part.size] or parts[:1]
    found = np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]
    scores = np.sqrt(_sigmoid(found[_CLS]) * _sigmoid(found[_OBJ]))
    kept = scores >= min_score
    found, scores = found[:, kept], scores[kept]
    corners, pixels = found[_CORNER], found[_STRIDE]
    centres = (corners + found[_CENTRE]) * pixels
    halves = np.exp(found[_SIZE]) * (pixels / 2)
    boxes = np.concatenate([centres - halves, centres + halves])
    points = (found[_LANDMARKS].reshape(LANDMARK_COUNT, 2, -1) + corners) * pixels
    return Detections(np.ascontiguousarray(boxes.T), scores, np.ascontiguousarray(points.transpose(2, 0, 1)))


def _cells_above(level: FloatArray, stride: int, floor: float) -> FloatArray:
    """Channels, column, row and stride (19 × N) of the cells with both logits at least ``floor``."""
    expect_shape("YuNet level", level, (1, YUNET_CHANNELS, None, None))
    flat = level.reshape(YUNET_CHANNELS, -1)
    index = np.flatnonzero(np.minimum(flat[_CLS], flat[_OBJ]) >= floor)
    found = np.empty((YUNET_CHANNELS + 3, len(index)), np.float32)
    if len(index):
        found[:YUNET_CHANNELS] = flat[:, index]
        found[_CORNER] = index % level.shape[3], index // level.shape[3]
        found[_STRIDE] = stride
    return found


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
    corners = boxes_xyxy[order].T
    areas = (corners[2] - corners[0]) * (corners[3] - corners[1])
    left = np.ones(len(order), dtype=bool)
    kept: list[int] = []
    best = 0
    while best < len(order):
        kept.append(best)
        left &= _iou_with_each(corners, areas, best) <= max_iou
        left[best] = False
        later = int(left.argmax()) if len(left) else 0
        best = later if left[later] else len(order)
    return order[kept]


def _iou_with_each(corners: FloatArray, areas: FloatArray, index: int) -> FloatArray:
    """Intersection over union of one box with each; ``corners`` is 4 × N. Two boxes without area share nothing."""
    x0, y0, x1, y1 = corners
    widths = np.minimum(x1, x1[index]) - np.maximum(x0, x0[index])
    heights = np.minimum(y1, y1[index]) - np.maximum(y0, y0[index])
    shared = np.maximum(widths, 0) * np.maximum(heights, 0)
    return np.asarray(shared / np.maximum(areas + areas[index] - shared, _LEAST_AREA_PX), np.float32)


def best_first(faces: Detections, max_iou: float = NMS_MAX_IOU) -> Detections:
    """The faces that survive :func:`nms`, best first."""
    kept = nms(faces.boxes_xyxy, faces.scores, max_iou)
    return Detections(faces.boxes_xyxy[kept], faces.scores[kept], faces.landmarks[kept])


class YuNetDetector:
    """YuNet as ``models.prepare`` prepares it: one output per stride. Several threads may share one."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._kept = threading.local()

    def detect(self, image_bgr: BgrImage, min_score: float = MIN_SCORE) -> Detections:
        """Faces scoring at least ``min_score`` (0–1), best first, in pixels of the given picture (any size).

        Boxes and landmarks may reach past the edge of the picture. Raises ``ValueError`` for another shape or dtype.
        """
        expect_bgr("image_bgr", image_bgr)
        if 0 in image_bgr.shape:
            return no_detections()
        levels = self._session.run({"input": self._input(image_bgr)})
        return best_first(decode_yunet(levels, min_score))

    def _input(self, image_bgr: BgrImage) -> FloatArray:
        """The network's input, in this thread's own array, which is kept while the picture size stays the same."""
        size = image_bgr.shape[:2]
        if getattr(self._kept, "size", None) != size:
            self._kept.size, self._kept.blob = size, None
        self._kept.blob = yunet_input(image_bgr, self._kept.blob)
        blob: FloatArray = self._kept.blob
        return blob


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
