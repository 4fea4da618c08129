"""What was seen of the windows of one live camera, remembered while their swipes are open.

A first look is taken while a window still runs; the final check then has only its last seconds left to look at. The
same frames give the same faces, so the verdict is the one a single look at the end would have given.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from edge_agent.footage import OnDamage, Stretch, TimeWindow
from vision.pipeline import Embedded
from vision.presence import GreyImage
from vision.types import BgrImage, Face

WINDOWS_KEPT = 3
"""Windows of one camera that are remembered at a time; one holds some 10 MB of faces."""


@dataclass(frozen=True)
class Look:
    """One looked-at frame. Remembered ones have no ``reduced_bgr``, but for the one nearest to the swipe."""

    time_s: float
    faces: tuple[Face, ...]
    grey: GreyImage
    reduced_bgr: BgrImage | None


Known = Mapping[float, Look]
"""Looks by time."""

Fresh = Callable[[Stretch, Known, OnDamage], Iterator[Look]]
_Key = tuple[str, float]


@dataclass
class _Seen:
    """One window: the stretches that were looked through whole by source and start, each with its end and its damage,
    the nearest look, and what was embedded."""

    stretches: dict[_Key, tuple[float, list[Look], list[str]]] = field(default_factory=dict)
    nearest: tuple[_Key, int] | None = None
    embedded: Embedded = field(default_factory=dict)


class LookMemory:
    """Remembers the looks of the last windows. A stretch that grew is decoded again, but not looked at again where it
    was looked at before."""

    def __init__(self) -> None:
        self._windows: OrderedDict[TimeWindow, _Seen] = OrderedDict()

    def through(
        self, stretch: Stretch, window: TimeWindow, moment_s: float, fresh: Fresh, on_damage: OnDamage
    ) -> Iterator[Look]:
        """The looks at a stretch within a window, in order of time; ``fresh`` makes them where they are not known.

        ``moment_s`` is when the swipe was. A stretch whose looks are not all asked for is not remembered.
        """
        seen = self._seen(window)
        key = stretch.source, stretch.start_s
        end_s, looks, damage = seen.stretches.get(key, (None, [], []))
        if end_s == stretch.end_s:
            yield from looks
        else:
            known = {look.time_s: look for look in looks}
            looks, damage = [], []
            for look in fresh(stretch, known, damage.append):
                looks.append(look)
                yield look
            if seen.nearest is not None and seen.nearest[0] == key:
                seen.nearest = None
            seen.stretches[key] = stretch.end_s, looks, damage
            _keep_nearest_picture(seen, key, moment_s)
        for message in damage:
            on_damage(message)

    def embedded(self, window: TimeWindow) -> Embedded:
        """Embeddings of the window's faces, for every look at it to share."""
        return self._seen(window).embedded

    def _seen(self, window: TimeWindow) -> _Seen:
        seen = self._windows.setdefault(window, _Seen())
        self._windows.move_to_end(window)
        while len(self._windows) > WINDOWS_KEPT:
            self._windows.popitem(last=False)
        return seen

    def forget(self, window: TimeWindow) -> None:
        """The swipe of this window is finished."""
        self._windows.pop(window, None)


def _keep_nearest_picture(seen: _Seen, key: _Key, moment_s: float) -> None:
    """Of all pictures of the window keep the one nearest to the moment, after the looks of one stretch came new."""
    looks = seen.stretches[key][1]
    for number, look in enumerate(looks):
        if seen.nearest is not None:
            nearest_looks, at = seen.stretches[seen.nearest[0]][1], seen.nearest[1]
            if abs(nearest_looks[at].time_s - moment_s) <= abs(look.time_s - moment_s):
                looks[number] = replace(look, reduced_bgr=None)
                continue
            nearest_looks[at] = replace(nearest_looks[at], reduced_bgr=None)
        seen.nearest = key, number
