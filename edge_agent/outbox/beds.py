"""Bed checks in the store: planned once, open until they are made or missed."""

from __future__ import annotations

from collections.abc import Iterable

from edge_agent.outbox.database import Database
from edge_agent.outbox.diary import add_drop, put_note
from edge_agent.outbox.records import PlannedBedCheck
from renzheng.contracts import RoundKind
from renzheng.errors import BadInput

BED_CHECK_MISSED = "bed_check_missed"
"""Drop counter: a round that could not be made in time."""


class BedChecks:
    """The bed checks of one :class:`~edge_agent.outbox.store.Store`."""

    database: Database

    def plan_bed_checks(
        self, planned: Iterable[tuple[str, str, RoundKind, float]], note: tuple[str, str] | None = None
    ) -> int:
        """Keep ``(check_id, bed_id, round_kind, due_s)``; those known already stay as they are.

        ``note`` is a key and a value for :meth:`~edge_agent.outbox.diary.Diary.note`, kept with the plan or not at
        all: a day that is drawn at random must not be drawn twice. Returns how many are new. Raises :class:`BadInput`
        when a swipe has one of the ids, and then keeps none.
        """
        new = 0
        with self.database.transaction() as write:
            for check_id, bed_id, round_kind, due_s in planned:
                if write.execute("SELECT 1 FROM swipes WHERE swipe_id = ?", (check_id,)).fetchone():
                    raise BadInput(f"bed check {check_id}: expected an id of its own, a swipe has it")
                new += write.execute(
                    "INSERT OR IGNORE INTO bed_checks (check_id, bed_id, round_kind, due_s) VALUES (?, ?, ?, ?)",
                    (check_id, bed_id, RoundKind(round_kind).value, due_s),
                ).rowcount
            if note is not None:
                put_note(write, *note)
        return new

    def open_bed_checks(self) -> list[PlannedBedCheck]:
        """Those neither made nor missed, by the time they are due."""
        rows = self.database.rows("SELECT * FROM bed_checks WHERE state = 'open' ORDER BY due_s, check_id")
        return [
            PlannedBedCheck(row["check_id"], row["bed_id"], RoundKind(row["round_kind"]), row["due_s"]) for row in rows
        ]

    def miss_bed_check(self, check_id: str, why: str) -> bool:
        """Give an open one up, and count it. ``False`` when it was not open."""
        with self.database.transaction() as write:
            missed = write.execute(
                "UPDATE bed_checks SET state = 'missed', why = ? WHERE check_id = ? AND state = 'open'", (why, check_id)
            ).rowcount
            if missed:
                add_drop(write, BED_CHECK_MISSED, 1)
        return bool(missed)
