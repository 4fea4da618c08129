"""Is a face part of the place? A poster shows the same pixels at the same spot, whenever one looks."""

from __future__ import annotations

import cv2
import numpy as np

from vision.align import portrait_region
from vision.types import BgrImage, Face, FloatArray, Frame

PATCH_SIDE_PX = 24
MARGIN_SHARE = 0.2
"""Cut from each side of a portrait, so that the patch is face and not the wall around it."""

SAME_CORRELATION = 0.9
"""Two sightings of a printed face lie above; a person who comes back lies far below, having moved."""


def face_patch(portrait_bgr: BgrImage) -> FloatArray:
    """The middle of a portrait as 24 × 24 grey values, with mean 0 and length 1; zeros for a flat patch."""
    height, width = portrait_bgr.shape[:2]
    y, x = int(height * MARGIN_SHARE), int(width * MARGIN_SHARE)
    middle = portrait_bgr[y : max(height - y, y + 1), x : max(width - x, x + 1)]
    side = (PATCH_SIDE_PX, PATCH_SIDE_PX)
    grey = cv2.cvtColor(cv2.resize(middle, side, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    centred = grey.astype(np.float32) - grey.mean()
    return np.asarray(centred / max(float(np.linalg.norm(centred)), 1e-6), dtype=np.float32)


def is_same_patch(patch: FloatArray, frame: Frame, face: Face) -> bool:
    """Whether another frame of the camera shows the same pixels where the face was."""
    height, width = frame.reduced_bgr.shape[:2]
    scale = np.array([width / face.frame_wh[0], height / face.frame_wh[1]] * 2, dtype=np.float32)
    x_0, y_0, x_1, y_1 = portrait_region(face.box_xyxy * scale, (width, height))
    return float((face_patch(frame.reduced_bgr[y_0:y_1, x_0:x_1]) * patch).sum()) >= SAME_CORRELATION
