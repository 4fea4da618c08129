"""From five landmarks to the picture an embedder was trained on.

The reference points are those of ArcFace's 112 × 112 alignment (Deng et al., "ArcFace", CVPR 2019), which SFace
shares. The transform is Umeyama's least-squares similarity (IEEE PAMI 13(4), 1991).
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from vision.types import CROP_SIDE_PX, LANDMARK_COUNT, BgrImage, FloatArray, expect_bgr, expect_shape

ARCFACE_POINTS: FloatArray = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
    dtype=np.float32,
)
ARCFACE_POINTS.setflags(write=False)

PORTRAIT_SIDE_PX = 144
PORTRAIT_MARGIN = 0.35


def similarity_transform(
    source_xy: npt.NDArray[np.floating], target_xy: npt.NDArray[np.floating]
) -> npt.NDArray[np.float64]:
    """The 2 × 3 rotation, uniform scale and shift that takes N × 2 source points closest to the target points.

    Raises ``ValueError`` when the source points all coincide.
    """
    expect_shape("source_xy", source_xy, (None, 2))
    expect_shape("target_xy", target_xy, source_xy.shape)
    source, target = source_xy.astype(np.float64), target_xy.astype(np.float64)
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    source_0, target_0 = source - source_mean, target - target_mean
    variance = float((source_0**2).sum())
    if variance <= 0:
        raise ValueError("similarity_transform: source points coincide")
    left, singular, right = np.linalg.svd(target_0.T @ source_0)
    signs = np.array([1.0, np.sign(np.linalg.det(left) * np.linalg.det(right)) or 1.0])
    rotation = left @ np.diag(signs) @ right
    scale = float((singular * signs).sum()) / variance
    return np.column_stack([scale * rotation, target_mean - scale * rotation @ source_mean])


def alignment(landmarks: FloatArray) -> npt.NDArray[np.float64]:
    """The 2 × 3 matrix from picture coordinates to the 112 × 112 crop. Landmarks are 5 × 2 pixels."""
    expect_shape("landmarks", landmarks, (LANDMARK_COUNT, 2))
    return similarity_transform(landmarks, ARCFACE_POINTS)


def align_crop(image_bgr: BgrImage, landmarks: FloatArray) -> BgrImage:
    """The aligned 112 × 112 face; what lies outside the picture is black."""
    expect_bgr("image_bgr", image_bgr)
    warped = cv2.warpAffine(image_bgr, alignment(landmarks), (CROP_SIDE_PX, CROP_SIDE_PX), flags=cv2.INTER_LINEAR)
    return np.asarray(warped, dtype=np.uint8)


def portrait_region(box_xyxy: FloatArray, picture_wh: tuple[int, int]) -> tuple[int, int, int, int]:
    """The square around a face with a margin, clipped to the picture: left, top, right, bottom; never empty."""
    width, height = picture_wh
    left, top, right, bottom = (float(side) for side in box_xyxy)
    half = max(right - left, bottom - top) * (0.5 + PORTRAIT_MARGIN)
    x_mid, y_mid = (left + right) / 2, (top + bottom) / 2
    x_0, x_1 = (int(np.clip(round(x), 0, width)) for x in (x_mid - half, x_mid + half))
    y_0, y_1 = (int(np.clip(round(y), 0, height)) for y in (y_mid - half, y_mid + half))
    x_0, y_0 = min(x_0, width - 1), min(y_0, height - 1)
    return x_0, y_0, max(x_1, x_0 + 1), max(y_1, y_0 + 1)


def portrait(image_bgr: BgrImage, box_xyxy: FloatArray) -> BgrImage:
    """The face with a margin, at most 144 pixels a side, for people to look at; always at least one pixel."""
    x_0, y_0, x_1, y_1 = portrait_region(box_xyxy, (image_bgr.shape[1], image_bgr.shape[0]))
    cut = image_bgr[y_0:y_1, x_0:x_1]
    shrink = PORTRAIT_SIDE_PX / max(cut.shape[:2])
    if shrink >= 1:
        return cut.copy()
    size_wh = max(1, round(cut.shape[1] * shrink)), max(1, round(cut.shape[0] * shrink))
    return np.asarray(cv2.resize(cut, size_wh, interpolation=cv2.INTER_AREA), dtype=np.uint8)
