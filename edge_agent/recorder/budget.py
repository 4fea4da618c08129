"""Keeping a camera's ring inside its disk space, its age and the room that others need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edge_agent.ring.database import free_bytes
from edge_agent.ring.index import Segment, SegmentIndex
from renzheng.errors import StorageFull

MOST_AT_ONCE = 500
"""Files deleted in one call; a recorder must get back to its camera."""

FORCED_BYTES = 64 * 1024 * 1024
"""Room made when the disk turned out to be full: some seconds for every camera of a box."""

_ADOPT_FOR_S = 0.5


@dataclass(frozen=True)
class Freed:
    """What was deleted. ``blocked_by_pins``: more should go, but all that is left is pinned or being written."""

    count: int = 0
    bytes: int = 0
    blocked_by_pins: bool = False


def keep_inside(
    index: SegmentIndex,
    folder: Path,
    *,
    max_bytes: int,
    max_age_s: float,
    min_free_bytes: int,
    now_s: float,
    epoch: int | None = None,
    force: bool = False,
) -> Freed:
    """Delete segments that nobody has pinned, the first recorded first, until the ring keeps to all its bounds.

    ``now_s`` is the box's clock (seconds since 1970) in its ``epoch``. Age counts within an epoch: after the clock was
    set, what was recorded before is old when the new epoch has lasted ``max_age_s``, and nothing is as long as the new
    epoch has no segment. ``force`` frees at least ``FORCED_BYTES`` besides, because a write has just failed for want of
    room. Files go before their rows, so that this works on a full disk; raises nothing then. Gaps older than all that
    is left are forgotten, and files that the index does not know yet are entered, some at each call.
    """
    if index.files_to_adopt and not force:
        index.adopt_some(_ADOPT_FOR_S)
    bounds = _Bounds(index, folder, max_bytes, max_age_s, min_free_bytes, now_s, epoch, FORCED_BYTES if force else 0)
    freed = _freed(index, folder, bounds)
    extent = index.extent() if freed.count else None
    if extent is not None:
        with suppress(StorageFull):
            index.forget_gaps_before(extent.start_s)
    return freed


def _freed(index: SegmentIndex, folder: Path, bounds: _Bounds) -> Freed:
    count = freed_bytes = 0
    for segment in _oldest_first(index):
        if count == MOST_AT_ONCE or not bounds.broken_by(segment, freed_bytes):
            return Freed(count, freed_bytes)
        (folder / segment.name).unlink(missing_ok=True)
        count += 1
        freed_bytes += segment.size_bytes
        with suppress(StorageFull):  # readers skip a row without file, and the next start drops it
            index.forget(segment.id)
    return Freed(count, freed_bytes, blocked_by_pins=bounds.broken_by(None, freed_bytes))


def _oldest_first(index: SegmentIndex) -> Iterator[Segment]:
    """Unpinned segments; each is to be forgotten before the next is asked for."""
    last_id = None
    while (segment := index.oldest_unpinned(after_id=last_id)) is not None:
        last_id = segment.id
        yield segment


class _Bounds:
    """What a ring has to keep to, measured when it is made."""

    def __init__(
        self, index: SegmentIndex, folder: Path, max_bytes: int, max_age_s: float, min_free_bytes: int, now_s: float,
        epoch: int | None, forced_bytes: int,
    ) -> None:  # fmt: skip
        self._folder = folder
        self._excess_bytes = max(index.size_bytes() - max_bytes, forced_bytes)
        self._min_free_bytes = min_free_bytes
        self._oldest_s = now_s - max_age_s
        self._epoch = index.newest_epoch()
        self._may_age = self._epoch is not None and epoch in (None, self._epoch[0])

    def broken_by(self, segment: Segment | None, freed_bytes: int) -> bool:
        """Whether that segment has to go, after so many bytes went; without one, whether any has to."""
        if freed_bytes < self._excess_bytes or free_bytes(self._folder) < self._min_free_bytes:
            return True
        return segment is not None and self._is_old(segment)

    def _is_old(self, segment: Segment) -> bool:
        if self._epoch is None or not self._may_age:
            return False
        newest_epoch, began_s = self._epoch
        return (segment.end_s if segment.epoch == newest_epoch else began_s) < self._oldest_s
