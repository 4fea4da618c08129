"""What a camera's place looks like before and after a window, and what that says about the window.

Asked only where somebody would be accused: does somebody without a face stand there, has the picture stood still, was
that face there all the time?
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Protocol

import numpy as np

from edge_agent.footage import Footage, TimeWindow
from vision.fixture import face_patch, is_same_patch
from vision.presence import GreyImage, small_grey, usual_picture
from vision.types import BgrImage, FaceTrack, Frame

SPAN_S = 1800.0
STEP_S = 600.0
GLANCES = 24
LEAST_GLANCES = 4
"""From outside the window; with fewer, whoever stands there would be part of what is usual."""

COUNTED_GAP_S = 2 * SPAN_S / GLANCES
"""A longer time between two glances counts as this much: nobody knows what was there meanwhile."""

ALWAYS_THERE_SHARE = 0.5
"""A face seen unchanged at its place in this share of the glances is a poster, a box or a screen, not a customer."""


class Glance(Protocol):
    """One picture of the place at some time, reduced; its full picture is gone."""

    @property
    def frame(self) -> Frame:
        """The reduced picture."""
        ...

    @property
    def grey(self) -> GreyImage:
        """The same, small and grey."""
        ...

    @property
    def time_s(self) -> float:
        """When it was, seconds since 1970 (UTC)."""
        ...


@dataclass(frozen=True)
class SeenGlance:
    """A glance held as it was decoded."""

    frame: Frame
    grey: GreyImage

    @property
    def time_s(self) -> float:
        """When it was, seconds since 1970 (UTC)."""
        return self.frame.time_s


def without_full(frame: Frame) -> Frame:
    """The frame without hold on its decoded picture, of which dozens are kept."""
    return replace(frame, load_full=_gone)


def _gone() -> BgrImage:
    raise ValueError("the full picture of a glance is not kept")


class Surroundings:
    """Glances around a time; kept for the blocks of time last asked for."""

    def __init__(self, footage: Footage) -> None:
        self._at_block = lru_cache(maxsize=4)(self._look_around)
        self._footage = footage

    def glances(self, window: TimeWindow) -> list[Glance]:
        """Pictures of the half hour around a window, but for the window itself, in order of time."""
        middle_s = window.start_s + window.length_s / 2
        around = self._at_block(round(middle_s / STEP_S))
        return [glance for glance in around if not window.start_s <= glance.time_s < window.end_s]

    def greys(self, window: TimeWindow) -> list[tuple[float, GreyImage]]:
        """The same as small grey pictures, each with its time."""
        return [(glance.time_s, glance.grey) for glance in self.glances(window)]

    def usual(self, window: TimeWindow) -> GreyImage | None:
        """What is usual there; ``None`` when too little was recorded around the window to tell."""
        greys = [glance.grey for glance in self.glances(window)]
        return usual_picture(greys) if len(greys) >= LEAST_GLANCES else None

    def covered_s(self, window: TimeWindow) -> float:
        """Over how long a time glances show the place, seconds; long gaps between two of them count for little."""
        times_s = [glance.time_s for glance in self.glances(window)]
        return sum(min(later - earlier, COUNTED_GAP_S) for earlier, later in pairwise(times_s))

    def always_there(self, track: FaceTrack, window: TimeWindow) -> bool:
        """Whether the face of a track is there, unchanged, in half of the glances and in at least four."""
        glances = self.glances(window)
        face = track.samples[len(track.samples) // 2]
        own = face_patch(face.portrait_bgr)
        seen = sum(is_same_patch(own, glance.frame, face) for glance in glances)
        return seen >= max(LEAST_GLANCES, ALWAYS_THERE_SHARE * len(glances))

    def _look_around(self, block: int) -> Sequence[Glance]:
        middle_s = block * STEP_S
        window = TimeWindow(middle_s - SPAN_S / 2, middle_s + SPAN_S / 2)
        return [SeenGlance(without_full(f), small_grey(f.reduced_bgr)) for f in self._footage.glances(window, GLANCES)]


def longest_gap_s(times_s: Sequence[float], window: TimeWindow) -> float:
    """The longest stretch of the window without a look, seconds; the whole window for none."""
    marks = np.array([window.start_s, *sorted(times_s), window.end_s])
    return float(np.diff(marks).max())
