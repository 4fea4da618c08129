"""Events, drops and notes: what an operator should know of, and small state that outlives a restart."""

from __future__ import annotations

import sqlite3
from collections import Counter, deque

from edge_agent.outbox.database import Database
from edge_agent.outbox.records import NumberedEvent
from renzheng.clock import from_seconds
from renzheng.contracts import AgentEvent
from renzheng.errors import StorageFull

KEPT_EVENTS = 5000
"""Older ones are forgotten."""

HELD_EVENTS = 100
"""Events in memory while the disk is full; beyond them the oldest are dropped and counted as ``event``."""

_Event = tuple[float, str, str | None, str]


class Diary:
    """The events, drops and notes of one :class:`~edge_agent.outbox.store.Store`.

    Neither an event nor a drop is a reason to fail: with a full disk they wait in memory for the next that can be
    written.
    """

    database: Database

    def __init__(self) -> None:
        self._held_events: deque[_Event] = deque()
        self._held_drops: Counter[str] = Counter()

    def note_event(self, kind: str, camera_id: str | None, detail: str, now_s: float) -> None:
        """Keep an event. ``kind`` is a code; no person's number or name may be in ``detail``."""
        if len(self._held_events) == HELD_EVENTS:
            self._held_events.popleft()
            self._held_drops["event"] += 1
        self._held_events.append((now_s, kind, camera_id, detail))
        self._write_held()

    def count_drop(self, kind: str, n: int = 1) -> None:
        """Add to what was dropped, by kind."""
        self._held_drops[kind] += n
        self._write_held()

    def _write_held(self) -> None:
        try:
            with self.database.transaction() as write:
                for event in self._held_events:
                    add_event(write, *event)
                for kind, n in self._held_drops.items():
                    add_drop(write, kind, n)
        except StorageFull:
            return
        self._held_events.clear()
        self._held_drops.clear()

    def events_since(self, number: int = 0) -> list[NumberedEvent]:
        """The events after the one of that number, oldest first."""
        rows = self.database.rows("SELECT * FROM events WHERE number > ? ORDER BY number", (number,))
        return [
            NumberedEvent(
                row["number"],
                AgentEvent(
                    at=from_seconds(row["at_s"]), kind=row["kind"], camera_id=row["camera_id"], detail=row["detail"]
                ),
            )
            for row in rows
        ]

    def newest_events(self, limit: int) -> list[NumberedEvent]:
        """The last events, oldest of them first."""
        return self.events_since(int(self.database.value("SELECT coalesce(max(number), 0) FROM events")) - limit)

    def drops(self) -> dict[str, int]:
        """What was dropped since the box was set up, by kind."""
        totals = Counter({row["kind"]: row["total"] for row in self.database.rows("SELECT * FROM drops")})
        return dict(totals + self._held_drops)

    def note(self, key: str) -> str | None:
        """The value last set, or ``None``."""
        row = self.database.row("SELECT value FROM notes WHERE key = ?", (key,))
        return str(row["value"]) if row else None

    def set_note(self, key: str, value: str) -> None:
        """Keep a small value, durably. Raises :class:`StorageFull`."""
        with self.database.transaction() as write:
            put_note(write, key, value)

    def notes(self, prefix: str = "") -> dict[str, str]:
        """Every value whose key begins so, by key."""
        rows = self.database.rows("SELECT key, value FROM notes WHERE substr(key, 1, length(?1)) = ?1", (prefix,))
        return {row["key"]: row["value"] for row in rows}


def add_event(write: sqlite3.Connection, at_s: float, kind: str, camera_id: str | None, detail: str) -> None:
    """Keep an event within a transaction, and forget those that are too many."""
    number = write.execute(
        "INSERT INTO events (at_s, kind, camera_id, detail) VALUES (?, ?, ?, ?)", (at_s, kind, camera_id, detail)
    ).lastrowid
    if number is not None:
        write.execute("DELETE FROM events WHERE number <= ?", (number - KEPT_EVENTS,))


def add_drop(write: sqlite3.Connection, kind: str, n: int) -> None:
    """Count drops within a transaction."""
    write.execute("INSERT INTO drops VALUES (?1, ?2) ON CONFLICT (kind) DO UPDATE SET total = total + ?2", (kind, n))


def put_note(write: sqlite3.Connection, key: str, value: str) -> None:
    """Keep a note within a transaction."""
    write.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (key, value))
