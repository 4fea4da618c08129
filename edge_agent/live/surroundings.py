"""What a camera's place looks like before a window, on a ring that grows: a glance for every 75 seconds, kept small.

The ambient pass brings most glances for nothing; what is missing is looked up once. The audit, whose recordings do not
grow, looks at a block of time as a whole and after the window too.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import cv2
import numpy as np

from edge_agent.footage import TimeWindow
from edge_agent.live.check_files import LiveFootage
from edge_agent.surroundings import GLANCES, SPAN_S, Glance, SeenGlance, Surroundings, outside, without_full
from vision.presence import GreyImage, small_grey
from vision.types import BgrImage, Frame

SLOT_S = SPAN_S / GLANCES
SLOTS_KEPT = GLANCES + 8
ENOUGH_GLANCES = GLANCES // 2
"""With fewer, because recording began a short while ago, what there is of it is looked at more closely."""

JPEG_QUALITY = 90


@dataclass(frozen=True)
class KeptGlance:
    """A glance of some 50 KB."""

    time_s: float
    full_wh: tuple[int, int]
    grey: GreyImage
    jpeg: bytes

    @classmethod
    def of(cls, frame: Frame) -> KeptGlance:
        """The glance of a frame."""
        done, data = cv2.imencode(".jpg", frame.reduced_bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        if not done:
            raise ValueError("a glance could not be encoded")
        return cls(frame.time_s, frame.full_wh, small_grey(frame.reduced_bgr), data.tobytes())

    @property
    def frame(self) -> Frame:
        """The reduced picture, decoded again."""
        reduced = cv2.imdecode(np.frombuffer(self.jpeg, np.uint8), cv2.IMREAD_COLOR)
        if reduced is None:
            raise ValueError("a kept glance could not be decoded")
        reduced_bgr: BgrImage = np.asarray(reduced, dtype=np.uint8)
        return without_full(Frame(self.time_s, self.full_wh, reduced_bgr, lambda: reduced_bgr))


class LiveSurroundings(Surroundings):
    """Glances around a time in footage that grows. Bounded: the slots not asked for the longest go first."""

    def __init__(self, footage: LiveFootage) -> None:
        super().__init__(footage)
        self._ring = footage
        self._kept: OrderedDict[int, KeptGlance] = OrderedDict()

    def note(self, frame: Frame) -> None:
        """Take a frame that was decoded anyway, where its slot has none yet."""
        slot = int(frame.time_s // SLOT_S)
        if slot not in self._kept:
            self._keep(slot, frame)

    def glances(self, window: TimeWindow) -> list[Glance]:
        """Pictures of what is recorded by now of the half hour around a window, but for the window itself."""
        middle_s = window.start_s + window.length_s / 2
        span = TimeWindow(middle_s - SPAN_S / 2, middle_s + SPAN_S / 2)
        last_s = min(span.end_s, self._ring.recorded_until() or span.end_s)
        slots = range(int(span.start_s // SLOT_S), int(last_s // SLOT_S) + 1)
        found: list[Glance] = [glance for slot in slots if (glance := self._at(slot)) is not None]
        if len(outside(found, window)) < ENOUGH_GLANCES:
            closer = self._ring.glances(span, GLANCES)
            found = [SeenGlance(without_full(frame), small_grey(frame.reduced_bgr)) for frame in closer]
        return sorted(outside(found, window), key=lambda glance: glance.time_s)

    def _at(self, slot: int) -> KeptGlance | None:
        if slot not in self._kept:
            for frame in self._ring.glances(TimeWindow(slot * SLOT_S, (slot + 1) * SLOT_S), 1):
                self._keep(slot, frame)
        else:
            self._kept.move_to_end(slot)
        return self._kept.get(slot)

    def _keep(self, slot: int, frame: Frame) -> None:
        self._kept[slot] = KeptGlance.of(frame)
        while len(self._kept) > SLOTS_KEPT:
            self._kept.popitem(last=False)
