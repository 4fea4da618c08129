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
from edge_agent.surroundings import GLANCES, SPAN_S, Glance, Surroundings, without_full
from vision.presence import GreyImage, small_grey
from vision.types import BgrImage, Frame

SLOT_S = SPAN_S / GLANCES
SLOTS_KEPT = GLANCES + 8
ENOUGH_GLANCES = GLANCES // 2
"""With fewer, because recording began a short while ago, what there is of it is looked at more closely."""

YOUNG_EVERY_S = 15.0
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
        self._last: tuple[tuple[TimeWindow, float | None], list[KeptGlance]] | None = None
        self._kept: OrderedDict[int, KeptGlance] = OrderedDict()
        self._young: tuple[float, list[KeptGlance]] | None = None

    def note(self, frame: Frame) -> None:
        """Take a frame that was decoded anyway, where its slot has none yet."""
        slot = int(frame.time_s // SLOT_S)
        if slot not in self._kept:
            self._keep(slot, frame)

    def glances(self, window: TimeWindow) -> list[Glance]:
        """Pictures of what is recorded by now of the half hour up to a window's end, but for the window itself."""
        asked = window, self._ring.recorded_until()
        if self._last is None or self._last[0] != asked:  # one check asks several times
            self._last = asked, self._found(window, asked[1])
        return list(self._last[1])

    def _found(self, window: TimeWindow, recorded_until_s: float | None) -> list[KeptGlance]:
        span = TimeWindow(window.end_s - SPAN_S, window.end_s)
        last_s = min(span.end_s, recorded_until_s or span.end_s)
        slots = range(int(span.start_s // SLOT_S), int(last_s // SLOT_S) + 1)
        found = [glance for slot in slots if (glance := self._at(slot)) is not None]
        found = _outside(found, window)
        if len(found) < ENOUGH_GLANCES:
            found = _outside(self._closely(span, last_s), window)
        return sorted(found, key=lambda glance: glance.time_s)

    def _closely(self, span: TimeWindow, last_s: float) -> list[KeptGlance]:
        """Glances spread over the little there is, taken again when there is a good deal more."""
        if self._young is None or not 0 <= last_s - self._young[0] < YOUNG_EVERY_S:
            self._young = last_s, [KeptGlance.of(frame) for frame in self._ring.glances(span, GLANCES)]
        return self._young[1]

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


def _outside(glances: list[KeptGlance], window: TimeWindow) -> list[KeptGlance]:
    return [glance for glance in glances if not window.start_s <= glance.time_s < window.end_s]
