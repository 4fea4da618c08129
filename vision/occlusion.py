"""Whether nose and mouth show: a mask, a scarf or a hand takes away the lines that every face has there.

Worked out on the grey crop, so that it holds for grey cameras and for any colour of skin or mask. The limit and what
it does not see are in ``docs/adr/0003-quality-gate.md``.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from vision.types import CROP_SIDE_PX, BgrImage, expect_shape

Region = tuple[slice, slice]

# Rows and columns of the aligned crop; ArcFace puts the eyes at row 52, the nose tip at 72, the mouth corners at 92.
EYES: Region = slice(42, 62), slice(28, 84)
NOSTRILS: Region = slice(70, 82), slice(44, 68)
MOUTH: Region = slice(82, 104), slice(44, 68)

SMOOTHING_PX = 1.2
"""Sigma of the blur before differences are taken: the weave of cloth and the noise of a sensor are finer."""

FAINT_LEVELS = 0.3
"""Levels per pixel added to both sides of a ratio, so that a crop that shows nothing anywhere is not called covered."""

_SOBEL_GAIN = 8.0


def nose_mouth_detail(crop_bgr: BgrImage) -> float:
    """How much line there is at nostrils and mouth, as a share of what there is at the eyes; about 1 on a bare face.

    Across the mouth run lips and teeth, so what counts there is change from row to row; pleats of a mask run the same
    way, so below the nose tip it is change from column to column. The lower of the two shares is given: a mask worn
    under the nose leaves the nostrils. ``crop_bgr`` is the aligned 112 × 112 crop.
    """
    expect_shape("crop_bgr", crop_bgr, (CROP_SIDE_PX, CROP_SIDE_PX, 3))
    grey = cv2.cvtColor(crop_bgr, cv2.COLOR_BGR2GRAY).astype(np.float32)
    smooth = np.asarray(cv2.GaussianBlur(grey, (0, 0), SMOOTHING_PX), np.float32)
    return min(_share_of_eyes(_change(smooth, 1, 0), NOSTRILS), _share_of_eyes(_change(smooth, 0, 1), MOUTH))


def _change(grey: npt.NDArray[np.float32], across: int, down: int) -> npt.NDArray[np.float32]:
    """Levels per pixel, without sign, along rows (``across``) or along columns (``down``)."""
    return np.asarray(np.abs(cv2.Sobel(grey, cv2.CV_32F, across, down, ksize=3)) / _SOBEL_GAIN, np.float32)


def _share_of_eyes(change: npt.NDArray[np.float32], region: Region) -> float:
    return (float(change[region].mean()) + FAINT_LEVELS) / (float(change[EYES].mean()) + FAINT_LEVELS)
