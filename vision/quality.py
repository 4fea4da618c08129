"""One quality gate for enrolment and for matching.

Components carry the names of OFIQ (ISO/IEC 29794-5) where the measure has the same meaning. Each is a ramp from 0 at
its ``fails_at`` to 1 at its ``good_at``; a face fails the gate with the component's reason when it is at or past
``fails_at``. The limits were set on real faces: see ``docs/adr/0003-quality-gate.md``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from renzheng.contracts.check import SampleQuality
from renzheng.contracts.reasons import Reason
from vision.align import ARCFACE_POINTS
from vision.occlusion import nose_mouth_detail
from vision.types import CROP_SIDE_PX, LANDMARK_COUNT, BgrImage, FloatArray, expect_shape


@dataclass(frozen=True)
class Component:
    """One measure of the gate. ``fails_at`` and ``good_at`` are in the measure's own unit."""

    name: str
    measure: str
    fails_at: float
    good_at: float
    reason: Reason

    def value(self, raw: float) -> float:
        """0 at or past ``fails_at``, 1 at or past ``good_at``, linear between; works for either direction."""
        return min(1.0, max(0.0, (raw - self.fails_at) / (self.good_at - self.fails_at)))


COMPONENTS: tuple[Component, ...] = (
    Component("InterEyeDistance", "inter_eye_distance_px", 16.0, 28.0, Reason.FACE_TOO_SMALL),
    Component("HeadPoseYaw", "yaw_deg", 45.0, 15.0, Reason.HEAD_TURNED),
    Component("HeadPosePitch", "pitch_deg", 30.0, 15.0, Reason.HEAD_TURNED),
    Component("HeadPoseRoll", "roll_deg", 16.0, 8.0, Reason.HEAD_TILTED),
    Component("Sharpness", "fine_detail_share", 0.42, 0.52, Reason.FACE_BLURRED),
    Component("UnderExposurePrevention", "dark_share", 0.90, 0.40, Reason.FACE_TOO_DARK),
    Component("OverExposurePrevention", "bright_share", 0.50, 0.15, Reason.FACE_TOO_BRIGHT),
    Component("DynamicRange", "contrast_levels", 18.0, 40.0, Reason.FACE_LOW_CONTRAST),
    Component("CropOfTheFaceImage", "outside_share", 0.10, 0.02, Reason.FACE_CUT_OFF),
    Component("FaceOcclusionPrevention", "nose_mouth_detail", 0.50, 0.65, Reason.FACE_COVERED),
    Component("SingleFacePresent", "detector_score", 0.85, 0.92, Reason.DETECTOR_UNSURE),
)

DETAIL_WINDOW_PX = 9
DARK_LEVEL = 35
BRIGHT_LEVEL = 245
_FACE_ROWS = slice(28, 108)
_FACE_COLUMNS = slice(22, 90)

# Weak perspective with a nose tip that stands out: tan(angle) = shift of the nose / (depth ratio · half eye distance).
NOSE_DEPTH_TO_HALF_EYES = 0.75
NOSE_DEPTH_TO_EYE_MOUTH = 0.55
_EYE_Y, _NOSE_Y, _MOUTH_Y = (float(ARCFACE_POINTS[rows, 1].mean()) for rows in ([0, 1], [2], [3, 4]))
FRONTAL_NOSE_SHARE = (_NOSE_Y - _EYE_Y) / (_MOUTH_Y - _EYE_Y)


def head_pose_deg(landmarks: FloatArray) -> tuple[float, float, float]:
    """Yaw, pitch and roll in degrees, estimated from five landmarks; 0 is frontal and upright.

    A crude estimate that is good enough for a gate: the nose's place between the eyes gives yaw, between eyes and
    mouth gives pitch. Degenerate landmarks give 90°.
    """
    expect_shape("landmarks", landmarks, (LANDMARK_COUNT, 2))
    points = landmarks.astype(np.float64)
    eye_line = points[1] - points[0]
    roll = math.degrees(math.atan2(eye_line[1], eye_line[0]))
    cos, sin = math.cos(math.radians(-roll)), math.sin(math.radians(-roll))
    upright = points @ np.array([[cos, sin], [-sin, cos]])
    half_eyes = (upright[1, 0] - upright[0, 0]) / 2
    eyes, nose, mouth = upright[:2].mean(axis=0), upright[2], upright[3:].mean(axis=0)
    eye_mouth = mouth[1] - eyes[1]
    if half_eyes <= 0 or eye_mouth <= 0:
        return 90.0, 90.0, roll
    middle_x = eyes[0] + (mouth[0] - eyes[0]) * FRONTAL_NOSE_SHARE
    yaw = math.degrees(math.atan((nose[0] - middle_x) / half_eyes / NOSE_DEPTH_TO_HALF_EYES))
    nose_share = (nose[1] - eyes[1]) / eye_mouth - FRONTAL_NOSE_SHARE
    pitch = math.degrees(math.atan(nose_share / NOSE_DEPTH_TO_EYE_MOUTH))
    return yaw, pitch, roll


def fine_detail_share(grey: npt.NDArray[np.uint8]) -> float:
    """How much of a picture's variation from pixel to pixel is finer than 9 pixels: 0 (blurred) to 1.

    One less the blur effect of Crete, Dolmiere, Ladret and Nicolas, "The blur effect: perception and estimation with a
    new no-reference perceptual blur metric" (SPIE 6492, 2007). It is taken along rows and along columns and the lower
    counts, so that a smear in one direction shows; a change of contrast leaves it as it is. ``grey`` is height × width.
    """
    levels = grey.astype(np.float32)
    shares = []
    for axis, window_wh in ((1, (DETAIL_WINDOW_PX, 1)), (0, (1, DETAIL_WINDOW_PX))):
        steps = np.abs(np.diff(levels, axis=axis))
        coarse = np.abs(np.diff(cv2.blur(levels, window_wh), axis=axis))
        shares.append(float(np.clip(steps - coarse, 0, None).sum()) / max(float(steps.sum()), 1e-6))
    return min(shares)


def light_measures(crop_bgr: BgrImage) -> dict[str, float]:
    """Sharpness, exposure and contrast of an aligned 112 × 112 crop, over the middle of the face."""
    expect_shape("crop_bgr", crop_bgr, (CROP_SIDE_PX, CROP_SIDE_PX, 3))
    grey = np.asarray(cv2.cvtColor(crop_bgr, cv2.COLOR_BGR2GRAY)[_FACE_ROWS, _FACE_COLUMNS], dtype=np.uint8)
    spread = np.percentile(grey, (10, 90))
    return {
        "fine_detail_share": fine_detail_share(grey),
        "dark_share": float(np.mean(grey <= DARK_LEVEL)),
        "bright_share": float(np.mean(grey >= BRIGHT_LEVEL)),
        "contrast_levels": float(spread[1] - spread[0]),
    }


def outside_share(box_xyxy: FloatArray, frame_wh: tuple[int, int]) -> float:
    """Share of the box, 0 to 1, that lies outside the picture."""
    left, top, right, bottom = (float(side) for side in box_xyxy)
    area = max(right - left, 1e-6) * max(bottom - top, 1e-6)
    inside = max(0.0, min(right, frame_wh[0]) - max(left, 0.0)) * max(0.0, min(bottom, frame_wh[1]) - max(top, 0.0))
    return 1.0 - min(1.0, inside / area)


def assess(
    crop_bgr: BgrImage,
    landmarks: FloatArray,
    box_xyxy: FloatArray,
    frame_wh: tuple[int, int],
    detector_score: float,
    enlargement: float = 1.0,
) -> SampleQuality:
    """Quality of one face. ``enlargement`` says how much the picture was enlarged before detection, so that
    distances are judged in pixels the camera really saw."""
    yaw, pitch, roll = head_pose_deg(landmarks)
    eyes: npt.NDArray[np.float32] = landmarks[1] - landmarks[0]
    measures = {
        "inter_eye_distance_px": float(np.hypot(*eyes)) / enlargement,
        "yaw_deg": abs(yaw),
        "pitch_deg": abs(pitch),
        "roll_deg": abs(roll),
        **light_measures(crop_bgr),
        "nose_mouth_detail": nose_mouth_detail(crop_bgr),
        "outside_share": outside_share(box_xyxy, frame_wh),
        "detector_score": float(detector_score),
    }
    values = {component.name: component.value(measures[component.measure]) for component in COMPONENTS}
    failed = dict.fromkeys(component.reason for component in COMPONENTS if values[component.name] <= 0)
    return SampleQuality(
        components={name: round(value, 4) for name, value in values.items()},
        measures={name: round(value, 4) for name, value in measures.items()},
        failed=tuple(failed),
        score=round(math.prod(values.values()), 6),
    )
