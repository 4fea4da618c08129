"""Is somebody there whose face does not show? And is the picture fit to say that nobody is?

Works on small grey pictures. What is usual at a place is the most frequent value of each pixel over glances from
before and after; what differs from it, or moves, and is not the body under a face that was found, is *unexplained*.
No model is needed, and every error of this measure leads to *not assessable*, never to an accusation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from renzheng.contracts.reasons import Reason
from vision.types import BgrImage, Face

GreyImage = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

SMALL_WIDTH_PX = 160
DIFFERENT_LEVELS = 22
MOVING_LEVELS = 14
PERSISTENT_LOOKS = 3
ZONE_SHARE_OF_PICTURE = 1 / 3
"""A zone drawn larger than this counts as this large, so that a person does not vanish in it."""

FROZEN_AFTER_S = 300.0
FROZEN_LEVELS = 1
MODE_REACH_LEVELS = 8

DARK_MEAN = 22.0
BRIGHT_MEAN = 238.0
FLAT_SPREAD = 4.0
BLURRED_SHARE_OF_USUAL = 0.25
BLURRED_EDGES = 0.5

BODY_HALF_WIDTH_IN_FACES = 2.2
BODY_ABOVE_IN_FACES = 1.0
BODY_REACH_S = 1.0


def small_grey(image_bgr: BgrImage) -> GreyImage:
    """The picture as grey levels, 160 pixels wide."""
    height, width = image_bgr.shape[:2]
    size_wh = SMALL_WIDTH_PX, max(1, round(height * SMALL_WIDTH_PX / width))
    small = cv2.resize(image_bgr, size_wh, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), dtype=np.uint8)


def usual_picture(glances: Sequence[GreyImage]) -> GreyImage | None:
    """The most frequent value of each pixel over K glances; ``None`` for K = 0.

    A median would keep a ghost of customers who stand at the same place more than half of the time.
    """
    if not glances:
        return None
    stack = np.stack(glances).astype(np.int16)
    near = np.abs(stack[:, None] - stack[None]) <= MODE_REACH_LEVELS
    votes = near.sum(axis=1)
    winner = np.argmax(votes, axis=0)
    members = np.take_along_axis(near, winner[None, None], axis=0)[0]
    mean = (stack * members).sum(axis=0) / np.maximum(members.sum(axis=0), 1)
    return np.asarray(np.round(mean), dtype=np.uint8)


def _different(look: GreyImage, usual: GreyImage) -> Mask:
    """Where a look differs from the usual, after a shift of brightness common to the whole picture is taken out."""
    change = look.astype(np.int16) - usual
    change -= np.int16(np.median(change))
    return np.asarray(np.abs(change) > DIFFERENT_LEVELS)


def _moving(look: GreyImage, before: GreyImage) -> Mask:
    return np.asarray(np.abs(look.astype(np.int16) - before) > MOVING_LEVELS)


def body_mask(faces: Iterable[Face], shape_hw: tuple[int, int]) -> Mask:
    """Where the head, shoulders and body under each face are expected, down to the foot of the picture."""
    mask: Mask = np.zeros(shape_hw, dtype=np.bool_)
    height, width = shape_hw
    for face in faces:
        scale = np.array([width / face.frame_wh[0], height / face.frame_wh[1]] * 2)
        left, top, right, bottom = face.box_xyxy * scale
        middle, face_width, face_height = (left + right) / 2, right - left, bottom - top
        x_0 = int(max(0, middle - BODY_HALF_WIDTH_IN_FACES * face_width))
        x_1 = int(min(width, middle + BODY_HALF_WIDTH_IN_FACES * face_width + 1))
        mask[int(max(0, top - BODY_ABOVE_IN_FACES * face_height)) :, x_0:x_1] = True
    return mask


def unexplained_presence(
    looks: Sequence[tuple[float, GreyImage]], usual: GreyImage | None, faces: Sequence[Face], zone: Mask
) -> float:
    """Largest connected share of the zone that something without a face filled over three looks in a row, 0 to 1.

    ``looks`` are (time in s, grey picture) in order of time, ``zone`` the counter zone at the same size. Without any
    look, without a usual picture, or with an empty zone, 1.0: nothing can be excluded.
    """
    zone_area = min(int(zone.sum()), round(zone.size * ZONE_SHARE_OF_PICTURE))
    if not looks or usual is None or not zone_area:
        return 1.0
    shares: list[float] = []
    before = looks[0][1]
    for time_s, look in looks:
        odd = _moving(look, before) | _different(look, usual)
        odd &= zone & ~body_mask((f for f in faces if abs(f.time_s - time_s) <= BODY_REACH_S), look.shape)
        shares.append(min(1.0, _largest_blob(odd) / zone_area))
        before = look
    run = min(PERSISTENT_LOOKS, len(shares))
    return float(max(min(shares[i : i + run]) for i in range(len(shares) - run + 1)))


def _largest_blob(mask: Mask) -> int:
    """Pixels of the largest connected piece after specks are removed."""
    kernel = np.ones((3, 3), np.uint8)
    clean = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, kernel)
    clean = cv2.morphologyEx(clean, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(clean, connectivity=8)
    return int(stats[1:, cv2.CC_STAT_AREA].max()) if count > 1 else 0


def edge_strength(grey: GreyImage) -> float:
    """Mean absolute Laplacian in grey levels: falls when the picture blurs."""
    return float(np.abs(cv2.Laplacian(grey, cv2.CV_64F)).mean())


def is_frozen(looks: Sequence[tuple[float, GreyImage]], glances: Sequence[tuple[float, GreyImage]]) -> bool:
    """Whether nothing at all changed over five minutes and more: no sensor, let alone one with a clock in the picture,
    gives that. A shorter freeze is not told apart from a quiet place."""
    seen = sorted((*looks, *glances), key=lambda look: look[0])
    if not seen or seen[-1][0] - seen[0][0] < FROZEN_AFTER_S:
        return False
    first = seen[0][1].astype(np.int16)
    return all(int(np.abs(grey - first).max()) <= FROZEN_LEVELS for _, grey in seen)


def picture_faults(looks: Sequence[GreyImage], usual: GreyImage | None) -> tuple[Reason, ...]:
    """What keeps most of the looks from showing whether anybody is there: darkness, glare, blur, a covered lens."""
    faults: dict[Reason, None] = {}
    usual_edges = edge_strength(usual) if usual is not None else 0.0
    for reason, is_so in (
        (Reason.PICTURE_DARK, lambda grey: float(grey.mean()) < DARK_MEAN),
        (Reason.PICTURE_BRIGHT, lambda grey: float(grey.mean()) > BRIGHT_MEAN),
        (Reason.NO_PICTURE, lambda grey: float(grey.std()) < FLAT_SPREAD),
        (
            Reason.PICTURE_BLURRED,
            lambda grey: edge_strength(grey) < max(BLURRED_EDGES, BLURRED_SHARE_OF_USUAL * usual_edges),
        ),
    ):
        if looks and sum(map(is_so, looks)) * 2 > len(looks):
            faults[reason] = None
    return tuple(faults)
