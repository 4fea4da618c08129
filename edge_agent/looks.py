"""What was seen of the windows of one live camera, remembered while their swipes are open.

A first look is taken while a window still runs; the final check then has only its last seconds left to look at. The
same frames give the same faces, so the verdict is the one a single look at the end would have given.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from edge_agent.footage import OnDamage, Stretch, TimeWindow
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


Fresh = Callable[[Stretch, OnDamage], Iterator[Look]]


@dataclass
class _Seen:
    """One window: the stretches that were looked through whole, each with its damage, and the nearest look."""

    stretches: dict[Stretch, tuple[list[Look], list[str]]] = field(default_factory=dict)
    nearest: tuple[Stretch, int] | None = None


class LookMemory:
    """Remembers the looks of the last windows. A stretch that grew has another end, and so is another stretch."""

    def __init__(self) -> None:
        self._windows: OrderedDict[TimeWindow, _Seen] = OrderedDict()

    def through(
        self, stretch: Stretch, window: TimeWindow, moment_s: float, fresh: Fresh, on_damage: OnDamage
    ) -> Iterator[Look]:
        """The looks at a stretch within a window, in order of time; ``fresh`` makes those that are not known.

        ``moment_s`` is when the swipe was. A stretch whose looks are not all asked for is not remembered.
        """
        seen = self._windows.setdefault(window, _Seen())
        self._windows.move_to_end(window)
        while len(self._windows) > WINDOWS_KEPT:
            self._windows.popitem(last=False)
        if stretch in seen.stretches:
            looks, damage = seen.stretches[stretch]
            yield from looks
        else:
            looks, damage = [], []
            for look in fresh(stretch, damage.append):
                looks.append(look)
                yield look
            _remember(seen, stretch, looks, damage, moment_s)
        for message in damage:
            on_damage(message)

    def forget(self, window: TimeWindow) -> None:
        """The swipe of this window is finished."""
        self._windows.pop(window, None)


def _remember(seen: _Seen, stretch: Stretch, looks: list[Look], damage: list[str], moment_s: float) -> None:
    """Keep the looks and, of all pictures of the window, the one nearest to the moment."""
    seen.stretches[stretch] = looks, damage
    for number, look in enumerate(looks):
        if seen.nearest is not None:
            nearest_looks, at = seen.stretches[seen.nearest[0]][0], seen.nearest[1]
            if abs(nearest_looks[at].time_s - moment_s) <= abs(look.time_s - moment_s):
                looks[number] = replace(look, reduced_bgr=None)
                continue
            nearest_looks[at] = replace(nearest_looks[at], reduced_bgr=None)
        seen.nearest = stretch, number
