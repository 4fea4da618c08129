"""Ways a camera spoils a face, as functions of the source picture, for measuring the quality gate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from benchmarks.coverings import MASK_OUTLINE, UNDER_THE_NOSE_PX, Covering, cover, coverings
from vision.align import ARCFACE_POINTS
from vision.types import BgrImage, FloatArray

CROP_EYES_PX = float(ARCFACE_POINTS[1, 0] - ARCFACE_POINTS[0, 0])
"""Distance between the eyes in the aligned crop; blur is stated in pixels of the crop, whatever the source's size."""

Spoil = Callable[[BgrImage, float, FloatArray], BgrImage]


@dataclass(frozen=True)
class Degradation:
    """One way of spoiling at several levels. ``spoil`` takes picture, level and the face's landmarks (5 × 2 px)."""

    name: str
    unit: str
    levels: tuple[float, ...]
    spoil: Spoil


def _eyes_px(landmarks: FloatArray) -> float:
    return float(np.hypot(*(landmarks[1] - landmarks[0])))


def _blur(image_bgr: BgrImage, sigma: float, landmarks: FloatArray) -> BgrImage:
    return _u8(cv2.GaussianBlur(image_bgr, (0, 0), sigma * _eyes_px(landmarks) / CROP_EYES_PX))


def _motion(image_bgr: BgrImage, length: float, landmarks: FloatArray) -> BgrImage:
    pixels = max(1, round(length * _eyes_px(landmarks) / CROP_EYES_PX))
    return _u8(cv2.blur(image_bgr, (pixels, 1), borderType=cv2.BORDER_REPLICATE))


def _small(image_bgr: BgrImage, eyes_px: float, landmarks: FloatArray) -> BgrImage:
    """A picture in which the eyes are that far apart; one that is smaller already stays as it is."""
    factor = eyes_px / _eyes_px(landmarks)
    return image_bgr if factor >= 1 else _resized(image_bgr, factor, cv2.INTER_AREA)


def _resampled(image_bgr: BgrImage, eyes_px: float, landmarks: FloatArray) -> BgrImage:
    """Made small and brought back to its size, as a stretched low-resolution stream is."""
    small = _small(image_bgr, eyes_px, landmarks)
    return _u8(cv2.resize(small, (image_bgr.shape[1], image_bgr.shape[0]), interpolation=cv2.INTER_LINEAR))


def _darken(image_bgr: BgrImage, factor: float, _landmarks: FloatArray) -> BgrImage:
    """Less light in 8 bits, with the sensor's noise floor of two levels."""
    noise = np.random.default_rng(1).normal(0, 2, image_bgr.shape)
    return _u8(image_bgr * factor + noise)


def _brighten(image_bgr: BgrImage, factor: float, _landmarks: FloatArray) -> BgrImage:
    return _u8(image_bgr.astype(np.float64) * factor)


def _flatten(image_bgr: BgrImage, factor: float, _landmarks: FloatArray) -> BgrImage:
    return _u8(128 + (image_bgr.astype(np.float64) - 128) * factor)


def _noise(image_bgr: BgrImage, sigma: float, _landmarks: FloatArray) -> BgrImage:
    return _u8(image_bgr + np.random.default_rng(2).normal(0, sigma, image_bgr.shape))


def _jpeg(image_bgr: BgrImage, quality: float, _landmarks: FloatArray) -> BgrImage:
    _, data = cv2.imencode(".jpg", image_bgr, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    return _u8(cv2.imdecode(data, cv2.IMREAD_COLOR))


def _turn(image_bgr: BgrImage, degrees: float, landmarks: FloatArray) -> BgrImage:
    middle = tuple(float(x) for x in landmarks.mean(axis=0))
    matrix = cv2.getRotationMatrix2D(middle, degrees, 1.0)
    size_wh = image_bgr.shape[1], image_bgr.shape[0]
    return _u8(cv2.warpAffine(image_bgr, matrix, size_wh, borderMode=cv2.BORDER_REPLICATE))


def _cut(image_bgr: BgrImage, keep: float, landmarks: FloatArray) -> BgrImage:
    """The picture ends to the right of the face's middle, ``keep`` eye distances away from it."""
    edge = round(float(landmarks[:, 0].mean()) + keep * _eyes_px(landmarks))
    return image_bgr[:, : int(np.clip(edge, 1, image_bgr.shape[1]))].copy()


def _cover(image_bgr: BgrImage, share: float, landmarks: FloatArray) -> BgrImage:
    """A flat mask from below the chin up, covering ``share`` of the way to the eyes."""
    eyes_y, mouth_y = float(landmarks[:2, 1].mean()), float(landmarks[3:, 1].mean())
    chin_y = mouth_y + 0.8 * (mouth_y - eyes_y)
    top = round(chin_y - share * (chin_y - eyes_y))
    left, right = (round(float(landmarks[i, 0]) + s * 0.5 * _eyes_px(landmarks)) for i, s in ((0, -1), (1, 1)))
    covered = image_bgr.copy()
    covered[max(0, top) : round(chin_y), max(0, left) : max(0, right)] = (190, 180, 170)
    return covered


def _worn(covering: Covering) -> Degradation:
    """A mask is worn over the nose and under it; everything else is held in one place."""
    levels = (0.0, UNDER_THE_NOSE_PX) if covering.outline_xy is MASK_OUTLINE else (0.0,)
    return Degradation(covering.name, "crop px lower", levels, partial(cover, covering=covering))


def _resized(image_bgr: BgrImage, factor: float, interpolation: int) -> BgrImage:
    size_wh = max(1, round(image_bgr.shape[1] * factor)), max(1, round(image_bgr.shape[0] * factor))
    return _u8(cv2.resize(image_bgr, size_wh, interpolation=interpolation))


def _u8(image: object) -> BgrImage:
    return np.clip(np.rint(np.asarray(image, dtype=np.float64)), 0, 255).astype(np.uint8)


DEGRADATIONS: tuple[Degradation, ...] = (
    Degradation("blur", "sigma, crop px", (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0), _blur),
    Degradation("motion", "length, crop px", (3.0, 5.0, 8.0, 12.0), _motion),
    Degradation("small", "eye distance, px", (24.0, 20.0, 16.0, 12.0, 10.0, 8.0), _small),
    Degradation("resampled", "eye distance, px", (20.0, 16.0, 12.0, 10.0, 8.0, 6.0), _resampled),
    Degradation("dark", "light left", (0.5, 0.25, 0.15, 0.1, 0.06, 0.04), _darken),
    Degradation("bright", "gain", (1.5, 2.0, 3.0, 4.0, 6.0), _brighten),
    Degradation("flat", "contrast left", (0.5, 0.25, 0.12, 0.06, 0.03), _flatten),
    Degradation("noise", "sigma, levels", (10.0, 20.0, 40.0, 60.0), _noise),
    Degradation("jpeg", "quality", (30.0, 15.0, 8.0, 4.0), _jpeg),
    Degradation("turned", "degrees", (15.0, 30.0, 45.0, 60.0), _turn),
    Degradation("cut", "eyes kept from the middle", (0.9, 0.75, 0.6, 0.45, 0.3, 0.1), _cut),
    Degradation("covered", "share to the eyes", (0.3, 0.5, 0.65, 0.8), _cover),
    *(_worn(covering) for covering in coverings()),
)
