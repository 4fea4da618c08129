"""Does a bed look as it does when nobody is in it, and does something move there?

Works on small grey pictures of one bed with its surroundings. The light is taken from around the bed, so that whoever
is in it does not change the measure. A body under a blanket of the sheet's own colour differs from the empty bed by
shades and folds only, so the limits lie lower than at a counter. Every error of this measure leads away from *empty*.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from vision.presence import GreyImage, Mask

CHANGED_LEVELS = 10.0
"""Smoothed grey levels by which a place in the bed differs from the empty one. Noise and coding stay under 4 once
smoothed; a white blanket over a body gives more than 15 at its edges and folds."""

MOVED_LEVELS = 5.0
"""Smoothed grey levels that a place wanders over a window, the tenth of the looks at either end left out."""

OTHER_VIEW_SHARE = 0.4
"""A picture that differs in more than this share of what is around the bed shows another view or another light."""

GAINS = (0.5, 2.0)
"""A light that differs more than this from the empty picture's cannot be taken out."""

SMOOTH_SIGMA_PX = 1.5
FIT_ROUNDS = 4

Levels = npt.NDArray[np.float32]


def _smooth(grey: GreyImage) -> Levels:
    return np.asarray(cv2.GaussianBlur(grey.astype(np.float32), (0, 0), SMOOTH_SIGMA_PX), np.float32)


def _in_light_of(look: Levels, empty: Levels, around: Mask) -> Levels | None:
    """The look with gain and lift of its light brought to the empty picture's; ``None`` where that cannot be.

    A least-squares line over what is around the bed, a few times, each time without what lies off it: people beside
    the bed and in the next one.
    """
    now, then = look[around], empty[around]
    gain, lift = float(np.median(then)) / max(float(np.median(now)), 1.0), 0.0  # what a shutter does
    for _ in range(FIT_ROUNDS):
        near = np.abs(now * gain + lift - then) <= max(CHANGED_LEVELS, float(np.std(then)) / 2)
        if near.sum() < 0.3 * len(now) or np.std(now[near]) < 1.0:
            break
        gain, lift = (float(value) for value in np.polyfit(now[near], then[near], 1))
    return look * np.float32(gain) + np.float32(lift) if GAINS[0] <= gain <= GAINS[1] else None


def changed_share(looks: Sequence[GreyImage], empty: GreyImage, bed: Mask) -> float | None:
    """Share of the bed unlike the empty picture in the median look; ``None`` where the two cannot be compared.

    ``looks`` are N grey pictures of the bed and what is around it, ``empty`` one and ``bed`` the bed's mask, all of
    one shape. ``None`` for N = 0, for a bed without area or surroundings, and where most looks show another light or
    differ around the bed too.
    """
    around = ~bed
    if not looks or not bed.any() or not around.any():
        return None
    then = _smooth(empty)
    fitted = [_in_light_of(_smooth(look), then, around) for look in looks]
    unlike = [np.abs(now - then) > CHANGED_LEVELS for now in fitted if now is not None]
    same_view = [mask for mask in unlike if mask[around].mean() <= OTHER_VIEW_SHARE]
    if len(same_view) * 2 <= len(looks):
        return None
    return float(np.median([mask[bed].mean() for mask in same_view]))


def moving_share(looks: Sequence[GreyImage], bed: Mask) -> float | None:
    """Share of the bed in which something moved over N looks, 0 to 1; ``None`` for fewer than three looks.

    A place moves when its smoothed level wanders by more than noise does. A change of light common to the bed's
    surroundings is taken out.
    """
    around = ~bed
    if len(looks) < 3 or not bed.any() or not around.any():
        return None
    stack = np.stack([_smooth(look) for look in looks])
    light = np.maximum(np.median(stack[:, around], axis=1), 1.0)
    low, high = np.percentile(stack * (np.median(light) / light)[:, None, None], (10, 90), axis=0)
    return float(((high - low) > MOVED_LEVELS)[bed].mean())
