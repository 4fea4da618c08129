"""The agent's memory: swipes, checks, what has yet to be sent, and what an operator should know. ``agent.sqlite``.

One process writes it, from one thread. What a method wrote is on the disk when it returns (SQLite, write-ahead log,
synced at each commit), so that a killed agent or a power cut loses nothing it had acknowledged.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from types import TracebackType

from edge_agent.outbox.beds import BED_CHECK_MISSED, BedChecks
from edge_agent.outbox.database import Database, StoreDamaged, StoreFailed
from edge_agent.outbox.diary import Diary
from edge_agent.outbox.finished import CLIP_DROPPED, FinishedChecks
from edge_agent.outbox.footfall import Footfall
from edge_agent.outbox.records import Accepted, CheckSummary, NumberedEvent, PlannedBedCheck, SwipeRecord
from edge_agent.outbox.swipes import SWIPE_CONFLICT, Swipes
from renzheng.errors import StorageFull

__all__ = [
    "BED_CHECK_MISSED",
    "CLIP_DROPPED",
    "SWIPE_CONFLICT",
    "Accepted",
    "CheckSummary",
    "NumberedEvent",
    "PlannedBedCheck",
    "Store",
    "StoreDamaged",
    "StoreFailed",
    "SwipeRecord",
]


class Store(Swipes, BedChecks, FinishedChecks, Footfall, Diary):
    """Everything the agent must not lose. Close it, or use it in ``with``."""

    def __init__(self, path: Path) -> None:
        """Open or create it. Leases that an earlier process held are void.

        ``moved_aside`` is where a damaged file went that was found there; a new one was begun. Raises
        :class:`BadInput` for a store of a newer agent, :class:`StorageFull`, :class:`StoreFailed`.
        """
        Diary.__init__(self)
        self.database = Database(path)
        self.moved_aside = self.database.moved_aside
        try:
            with suppress(StorageFull), self.database.transaction() as write:  # on a full disk they run out in time
                write.execute("UPDATE outbox SET state = 'pending', held_until_s = 0 WHERE state = 'sending'")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the database; what was written stays."""
        self.database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
