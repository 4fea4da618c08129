"""Finished checks in the store: the check, its files and what of it has to leave, written in one transaction."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from pydantic import TypeAdapter

from edge_agent.edge_config import Leaves
from edge_agent.live.jobs import CheckDone
from edge_agent.outbox.diary import add_drop, put_note
from edge_agent.outbox.records import CheckSummary, id_of, is_flagged
from edge_agent.outbox.retention import Retention
from renzheng.clock import to_seconds
from renzheng.contracts import AgentReport, BedCheck, BedVerdict, IdentityCheck, Reason, Verdict
from renzheng.errors import BadInput

CLIP_DROPPED = "clip_dropped_budget"
"""A remark of :class:`CheckDone`, and the drop counter it becomes: no clip was cut, because evidence has no room."""

NO_NOTES: Mapping[str, str] = {}

_CHECK: TypeAdapter[IdentityCheck | BedCheck] = TypeAdapter(IdentityCheck | BedCheck)


class FinishedChecks(Retention):
    """The finished checks of one :class:`~edge_agent.outbox.store.Store`."""

    def finish_swipe(self, done: CheckDone, leaves: Leaves, now_s: float) -> bool:
        """Keep the check of an accepted swipe, queue what may leave the box, and close the swipe: all or nothing.

        The first one stays; ``False`` says that this was not it. Raises :class:`StorageFull`, after which the swipe is
        open as before; :class:`BadInput` when no such swipe was accepted.
        """
        if not isinstance(done.check, IdentityCheck):
            raise TypeError(f"finish_swipe: expected the check of a swipe, got {done.check.kind}")
        return self._finish("swipes", "swipe_id", "accepted", done, leaves, now_s)

    def finish_bed(self, done: CheckDone, leaves: Leaves, now_s: float) -> bool:
        """The same for a planned bed check. One that was missed meanwhile stays missed: it was counted so."""
        if not isinstance(done.check, BedCheck):
            raise TypeError(f"finish_bed: expected the check of a bed, got {done.check.kind}")
        return self._finish("bed_checks", "check_id", "open", done, leaves, now_s)

    def _finish(self, table: str, key: str, is_open: str, done: CheckDone, leaves: Leaves, now_s: float) -> bool:
        check_id = id_of(done.check)
        with self.database.transaction() as write:
            row = write.execute(f"SELECT state FROM {table} WHERE {key} = ?", (check_id,)).fetchone()  # noqa: S608
            if row is None:
                raise BadInput(f"{check_id}: expected an id from {table}, it is not there")
            if row["state"] != is_open:
                return False
            write.execute(f"UPDATE {table} SET state = 'done' WHERE {key} = ?", (check_id,))  # noqa: S608
            _keep_check(write, done.check, leaves, now_s)
            self._keep_files(write, done, leaves)
            _queue(write, done, leaves, now_s)
            if CLIP_DROPPED in done.remarks:
                add_drop(write, CLIP_DROPPED, 1)
        return True

    def _keep_files(self, write: sqlite3.Connection, done: CheckDone, leaves: Leaves) -> None:
        """Sealed samples always leave: only the server can open them, and without them it cannot decide."""
        check_id = id_of(done.check)
        write.executemany(
            "INSERT INTO files (path, check_id, kind, piece, size_bytes) VALUES (?, ?, ?, ?, ?)",
            [
                (
                    self.stored_path(file.path),
                    check_id,
                    file.kind,
                    _piece_name(done.check, file.path) if leaves != "report" or file.kind == "sealed" else None,
                    file.size_bytes,
                )
                for file in done.files
            ],
        )

    def queue_report(self, report: AgentReport, notes: Mapping[str, str] = NO_NOTES) -> None:
        """Queue a report for the server; the same id is queued once.

        ``notes`` say how far it tells, for :meth:`~edge_agent.outbox.diary.Diary.note`; kept with it or not at all.
        Raises :class:`StorageFull`.
        """
        with self.database.transaction() as write:
            write.execute(
                "INSERT OR IGNORE INTO outbox (kind, name, body, flagged, created_s) VALUES ('report', ?, ?, 0, ?)",
                (report.report_id, report.model_dump_json(), to_seconds(report.period_end)),
            )
            for note in notes.items():
                put_note(write, *note)

    def finished_checks(self) -> list[IdentityCheck | BedCheck]:
        """Every check that is still known whole, in the order in which they were finished."""
        rows = self.database.rows("SELECT body FROM checks WHERE body IS NOT NULL ORDER BY number")
        return [_CHECK.validate_json(row["body"]) for row in rows]

    def recent_checks(self, limit: int) -> list[CheckSummary]:
        """The last finished, newest first."""
        rows = self.database.rows("SELECT * FROM checks ORDER BY number DESC LIMIT ?", (limit,))
        return [_summary(row) for row in rows]

    def counts_by_verdict(self, since_s: float = 0.0) -> dict[str, int]:
        """Checks finished since then by verdict; those of beds have ``bed_`` before it."""
        rows = self.database.rows(
            "SELECT kind, verdict, count(*) AS n FROM checks WHERE finished_s >= ? GROUP BY kind, verdict", (since_s,)
        )
        counts: Counter[str] = Counter()
        for row in rows:
            counts[row["verdict"] if row["kind"] == "swipe" else f"bed_{row['verdict']}"] += row["n"]
        return dict(counts)


def _keep_check(write: sqlite3.Connection, check: IdentityCheck | BedCheck, leaves: Leaves, now_s: float) -> None:
    if isinstance(check, IdentityCheck):
        place, asked_at = check.terminal_id, check.swiped_at
    else:
        place, asked_at = check.bed_id, check.asked_at
    write.execute(
        "INSERT INTO checks"
        " (check_id, kind, place, camera_id, verdict, reasons, flagged, asked_s, finished_s, leaves, body)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            id_of(check),
            check.kind,
            place,
            check.camera_id,
            check.verdict.value,
            json.dumps([reason.value for reason in check.reasons]),
            is_flagged(check.verdict),
            to_seconds(asked_at),
            now_s,
            leaves,
            check.model_dump_json(),
        ),
    )


def _piece_name(check: IdentityCheck | BedCheck, path: Path) -> str | None:
    """What the check calls a small file of its own; ``None`` when it does not name it."""
    names = [*(sample.crop for sample in check.samples), check.still, check.sealed_samples]
    parts = (PurePosixPath(name).parts for name in names if name)
    return next(("/".join(part) for part in parts if path.parts[-len(part) :] == part), None)


def _queue(write: sqlite3.Connection, done: CheckDone, leaves: Leaves, now_s: float) -> None:
    check_id, flagged = id_of(done.check), is_flagged(done.check.verdict)
    has_clip = leaves == "clip" and any(file.kind == "clip" for file in done.files)
    write.executemany(
        "INSERT INTO outbox (kind, name, check_id, flagged, created_s) VALUES (?, ?, ?, ?, ?)",
        [(kind, check_id, check_id, flagged, now_s) for kind in (("check", "clip") if has_clip else ("check",))],
    )


def _summary(row: sqlite3.Row) -> CheckSummary:
    return CheckSummary(
        check_id=row["check_id"],
        kind=row["kind"],
        place=row["place"],
        camera_id=row["camera_id"],
        verdict=Verdict(row["verdict"]) if row["kind"] == "swipe" else BedVerdict(row["verdict"]),
        reasons=tuple(Reason(reason) for reason in json.loads(row["reasons"])),
        flagged=bool(row["flagged"]),
        asked_s=row["asked_s"],
        finished_s=row["finished_s"],
        sent=row["sent_s"] is not None,
    )
