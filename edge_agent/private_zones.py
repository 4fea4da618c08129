"""Private zones: what lies in them is black in everything that is kept."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from vision.align import portrait
from vision.types import BgrImage, Face
from vision.zones import BoolArray, ZoneKind, Zones


class PrivateZones:
    """The private zones of one camera; false when there is none."""

    def __init__(self, zones: Zones) -> None:
        self._any = bool(zones.of_kind(ZoneKind.PRIVATE))
        self._hidden = lru_cache(maxsize=4)(lambda width, height: zones.mask(ZoneKind.PRIVATE, width, height))

    def __bool__(self) -> bool:
        return self._any

    def hidden(self, width: int, height: int) -> BoolArray:
        """Height × width: which pixels are not to be shown."""
        return self._hidden(width, height)

    def blackened(self, image_bgr: BgrImage) -> BgrImage:
        """An upright picture of the camera with the zones black."""
        if not self:
            return image_bgr
        out_bgr = image_bgr.copy()
        out_bgr[self.hidden(out_bgr.shape[1], out_bgr.shape[0])] = 0
        return out_bgr

    def portrait(self, face: Face) -> BgrImage:
        """The face's portrait with what its margin shows of the zones black."""
        if not self:
            return face.portrait_bgr
        hidden = self.hidden(*face.frame_wh).astype(np.uint8) * 255
        hidden_there = portrait(np.repeat(hidden[:, :, None], 3, axis=2), face.box_xyxy)
        return np.where(hidden_there > 0, np.uint8(0), face.portrait_bgr)
