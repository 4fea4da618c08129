"""Swipes in the store: accepted once by their id, open until their check is finished."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from edge_agent.outbox.database import Database
from edge_agent.outbox.diary import add_drop
from edge_agent.outbox.records import FORGOTTEN, Accepted, SwipeRecord
from renzheng.clock import to_seconds
from renzheng.contracts import IdentityCheck, Swipe
from renzheng.errors import BadInput
from renzheng.ids import BED_CHECK_PREFIX

SWIPE_CONFLICT = "swipe_conflict"
"""Drop counter: another swipe came under a known id."""

_SELECT = """
    SELECT swipes.*, checks.body FROM swipes LEFT JOIN checks ON checks.check_id = swipes.swipe_id
"""


class Swipes:
    """The swipes of one :class:`~edge_agent.outbox.store.Store`."""

    database: Database

    def accept(self, swipe: Swipe, source: str, now_s: float, clock_doubt: bool) -> Accepted:
        """Keep a swipe; it is on the disk when this returns.

        The same swipe again is ``known``, another one under a known id a ``conflict``, which is counted. Raises
        :class:`StorageFull`, after which nothing is kept; :class:`BadInput` for an id that is, or may become, a bed
        check's: their ids can be told beforehand, and one that is taken would undo the plan of a whole day.
        """
        if swipe.setl_id.startswith(BED_CHECK_PREFIX):
            raise BadInput(f"setl_id: expected another beginning than {BED_CHECK_PREFIX}, which bed checks have")
        swipe = swipe.model_copy(update={"platform_fields": {}})
        with self.database.transaction() as write:
            known = self.find(swipe.setl_id)
            if known is not None:
                if _same(known.swipe, swipe):
                    return Accepted("known", known)
                add_drop(write, SWIPE_CONFLICT, 1)
                return Accepted("conflict", known)
            if write.execute("SELECT 1 FROM bed_checks WHERE check_id = ?", (swipe.setl_id,)).fetchone():
                raise BadInput(f"setl_id {swipe.setl_id}: expected an id of its own, a bed check has it")
            write.execute(
                "INSERT INTO swipes (swipe_id, terminal_id, swiped_s, source, received_s, clock_doubt, content)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    swipe.setl_id,
                    swipe.terminal_id,
                    to_seconds(swipe.setl_time),
                    source,
                    now_s,
                    clock_doubt,
                    swipe.model_dump_json(),
                ),
            )
        record = SwipeRecord(swipe.setl_id, swipe.terminal_id, source, now_s, "accepted", 0, clock_doubt, swipe)
        return Accepted("new", record)

    def find(self, swipe_id: str) -> SwipeRecord | None:
        """The swipe of that id, with its check when that is done and not yet forgotten."""
        row = self.database.row(f"{_SELECT} WHERE swipe_id = ?", (swipe_id,))
        return _record(row) if row else None

    def open_swipes(self) -> list[SwipeRecord]:
        """The swipes whose check is not finished, in the order they came."""
        return [
            _record(row) for row in self.database.rows(f"{_SELECT} WHERE state = 'accepted' ORDER BY swipes.number")
        ]

    def newest_open_swipes(self, limit: int) -> list[SwipeRecord]:
        """The last of those that came, newest first."""
        rows = self.database.rows(f"{_SELECT} WHERE state = 'accepted' ORDER BY swipes.number DESC LIMIT ?", (limit,))
        return [_record(row) for row in rows]

    def doubt_open_swipes(self, terminal_ids: Iterable[str]) -> None:
        """What is open of these terminals accuses nobody: it is no longer sure which camera and moment belong to it."""
        with self.database.transaction() as write:
            write.executemany(
                "UPDATE swipes SET clock_doubt = 1 WHERE state = 'accepted' AND terminal_id = ?",
                [(terminal_id,) for terminal_id in terminal_ids],
            )

    def begin_attempt(self, check_id: str) -> int:
        """Count that the check of a swipe or bed begins, before it does; the count says which time this is."""
        with self.database.transaction() as write:
            for table, key in (("swipes", "swipe_id"), ("bed_checks", "check_id")):
                row = write.execute(
                    f"UPDATE {table} SET attempts = attempts + 1 WHERE {key} = ? RETURNING attempts",  # noqa: S608
                    (check_id,),
                ).fetchone()
                if row is not None:
                    return int(row["attempts"])
        raise BadInput(f"{check_id}: no such swipe was accepted and no such bed check planned")


def _record(row: sqlite3.Row) -> SwipeRecord:
    return SwipeRecord(
        setl_id=row["swipe_id"],
        terminal_id=row["terminal_id"],
        source=row["source"],
        received_s=row["received_s"],
        state=row["state"],
        attempts=row["attempts"],
        clock_doubt=bool(row["clock_doubt"]),
        swipe=Swipe.model_validate_json(row["content"]),
        check=IdentityCheck.model_validate_json(row["body"]) if row["body"] else None,
    )


def _same(kept: Swipe, given: Swipe) -> bool:
    """Whether they say the same, as far as it is still known."""
    if kept.psn_no == FORGOTTEN:
        given = given.model_copy(update={"psn_no": FORGOTTEN})
    return kept == given
