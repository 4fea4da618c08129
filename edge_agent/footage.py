"""Footage: what a check looks at, whether it lies in recorded files or in a live ring.

Times are seconds since 1970 (UTC) on the camera's timeline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # a recorder process uses time windows and has no use for arrays
    from edge_agent.private_zones import PrivateZones
    from vision.types import Frame

LOOKS_PER_S = 5.0
"""How often a window is looked at (docs/audit.md)."""

BEFORE_S = 6.0
AFTER_S = 4.0
"""The window of a swipe, from before it to after it, unless the terminal says otherwise."""

USUAL_MINUTES = 10.0
"""Nobody is called absent where glances outside a window cover less time than this, unless told otherwise."""

USUAL_MINUTES_MAX = 20.0
"""Glances around a long window cover hardly more of their half hour."""

OnDamage = Callable[[str], None]


@dataclass(frozen=True)
class TimeWindow:
    """A stretch of time, ``start_s`` included, ``end_s`` not."""

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        if not self.start_s < self.end_s:
            raise ValueError(f"TimeWindow: expected start before end, got {self.start_s} and {self.end_s}")

    @property
    def length_s(self) -> float:
        """Seconds."""
        return self.end_s - self.start_s


@dataclass(frozen=True)
class Stretch:
    """A piece of footage that can be decoded by itself: from a keyframe up to the next one.

    ``source`` names the recording it lies in; ``start_s`` is the keyframe's time, ``end_s`` the next keyframe's (or
    the recording's end).
    """

    source: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Cut:
    """A clip that was written: its real first and last moment and the recordings it came from."""

    path: Path
    start_s: float
    end_s: float
    sources: tuple[str, ...]


class Footage(Protocol):
    """One camera's pictures over time."""

    def stretches(self, window: TimeWindow) -> list[Stretch]:
        """Decodable stretches that overlap the window, in order of time."""
        ...

    def look(self, stretch: Stretch, window: TimeWindow, on_damage: OnDamage) -> Iterator[Frame]:
        """Decode one stretch and yield the frames to look at that lie in the window, in order of time.

        The frames are those nearest after the points of a fixed grid of ``LOOKS_PER_S`` on the timeline, so the same
        moment gives the same frame whatever the order or extent of the search. What the decoder refuses is told to
        ``on_damage`` and skipped.
        """
        ...

    def glances(self, window: TimeWindow, count: int) -> list[Frame]:
        """Up to ``count`` keyframes spread evenly over what is recorded of the window: how the place usually looks."""
        ...

    def recorded_share(self, window: TimeWindow) -> float:
        """Share of the window, 0 to 1, that recordings cover."""
        ...

    def cut(self, window: TimeWindow, path: Path, private: PrivateZones | None = None) -> Cut | None:
        """Write the window as an MP4 by stream copy from the keyframe before it; ``None`` when nothing is there.

        With ``private`` zones it is encoded again, with them black.
        """
        ...
