"""A photo into a template, through the same quality gate as at the counter."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from renzheng.contracts.check import SampleQuality
from renzheng.contracts.reasons import Reason
from vision.align import align_crop, portrait
from vision.closer import look_closer
from vision.pack import VisionPack
from vision.photo import enlarge_if_tight
from vision.quality import assess
from vision.types import BgrImage, Detections, FloatArray

MAX_PHOTO_SIDE_PX = 1280
"""Photos are reduced to this before a face is cut from them."""

DETECT_SIDE_PX = 640
"""Faces are first looked for in a picture of this size: in a face much larger than those the detector was trained on it
finds others, and a portrait would be refused for several faces. A full-length photo is looked at again in full."""

BYSTANDER_SHARE = 0.5
"""A second face at least half as wide as the largest makes it unclear who is meant."""

ENROLMENT_MIN_SCORE = 0.6


@dataclass(frozen=True)
class PhotoFace:
    """The one face of a photo."""

    quality: SampleQuality
    embedding: FloatArray
    crop_bgr: BgrImage
    portrait_bgr: BgrImage


@dataclass(frozen=True)
class Refused:
    """Why a photo cannot be enrolled; the first reason is the one to tell."""

    reasons: tuple[Reason, ...]
    quality: SampleQuality | None = None


def face_of_photo(image_bgr: BgrImage, pack: VisionPack, *, gate: bool = True) -> PhotoFace | Refused:
    """The one face of a photo with its embedding, or why it is refused.

    ``gate=False`` skips the quality gate but not the need for exactly one face; calibration uses it to show what the
    gate is worth.
    """
    image_bgr, enlargement = enlarge_if_tight(image_bgr)
    image_bgr, reduction = _reduce(image_bgr, MAX_PHOTO_SIDE_PX)
    found = _detect(image_bgr, pack)
    if not len(found):
        return Refused((Reason.NO_FACE,))
    widths = found.boxes_xyxy[:, 2] - found.boxes_xyxy[:, 0]
    largest = int(np.argmax(widths))
    if np.sum(widths >= BYSTANDER_SHARE * widths[largest]) > 1:
        return Refused((Reason.SEVERAL_FACES,))
    landmarks, box_xyxy = found.landmarks[largest], found.boxes_xyxy[largest]
    crop_bgr = align_crop(image_bgr, landmarks)
    frame_wh = image_bgr.shape[1], image_bgr.shape[0]
    quality = assess(crop_bgr, landmarks, box_xyxy, frame_wh, float(found.scores[largest]), enlargement * reduction)
    if gate and quality.failed:
        return Refused(quality.failed, quality)
    embedding = pack.embedder.embed(crop_bgr[None])[0]
    return PhotoFace(quality, embedding, crop_bgr, portrait(image_bgr, box_xyxy))


def _detect(image_bgr: BgrImage, pack: VisionPack) -> Detections:
    """Faces of the photo, found in a reduced copy if any is found there; scores are those that the gate is to judge."""
    reduced_bgr, factor = _reduce(image_bgr, DETECT_SIDE_PX)
    found = pack.detector.detect(reduced_bgr, ENROLMENT_MIN_SCORE)
    if len(found) or factor >= 1:
        scale_xy = image_bgr.shape[1] / reduced_bgr.shape[1], image_bgr.shape[0] / reduced_bgr.shape[0]
        placed, gate_scores = look_closer(image_bgr, found.scaled(scale_xy), scale_xy, pack.detector)
        return Detections(placed.boxes_xyxy, gate_scores, placed.landmarks)
    return pack.detector.detect(image_bgr, ENROLMENT_MIN_SCORE)


def _reduce(image_bgr: BgrImage, side_px: int) -> tuple[BgrImage, float]:
    """The photo at most so many pixels a side, and the factor (1 or less) it was scaled by."""
    factor = side_px / max(image_bgr.shape[:2])
    if factor >= 1:
        return image_bgr, 1.0
    size_wh = max(1, round(image_bgr.shape[1] * factor)), max(1, round(image_bgr.shape[0] * factor))
    return np.asarray(cv2.resize(image_bgr, size_wh, interpolation=cv2.INTER_AREA), dtype=np.uint8), factor
