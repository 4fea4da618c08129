"""What the store knows of evidence on the disk, and what it forgets once that was sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edge_agent.outbox.database import Database
from edge_agent.outbox.records import FORGOTTEN


@dataclass(frozen=True)
class SentCheck:
    """A check of which all that had to leave is with the server, and the files that are still here."""

    check_id: str
    size_bytes: int
    paths: tuple[str, ...]


class Retention:
    """Keeping and forgetting of one :class:`~edge_agent.outbox.store.Store`. Paths are as the store holds them."""

    database: Database

    def evidence_bytes(self) -> int:
        """Size of all files that checks name."""
        return int(self.database.value("SELECT coalesce(sum(size_bytes), 0) FROM files"))

    def sent_checks(self, before_s: float, limit: int) -> list[SentCheck]:
        """Those sent by then whose evidence is still here, the longest sent first."""
        rows = self.database.rows(
            "SELECT check_id FROM checks WHERE body IS NOT NULL AND sent_s <= ? ORDER BY sent_s LIMIT ?",
            (before_s, limit),
        )
        return [self._with_files(row["check_id"]) for row in rows]

    def _with_files(self, check_id: str) -> SentCheck:
        files = self.database.rows("SELECT path, size_bytes FROM files WHERE check_id = ?", (check_id,))
        return SentCheck(check_id, sum(file["size_bytes"] for file in files), tuple(file["path"] for file in files))

    def forget_evidence(self, check_ids: Iterable[str]) -> None:
        """After their files are gone: forget checks but for their summaries, and who swiped. Only of those sent.

        A swipe's id stays, so that the same swipe again is still known.
        """
        with self.database.transaction() as write:
            for check_id in check_ids:
                sent = write.execute(
                    "UPDATE checks SET body = NULL WHERE check_id = ? AND sent_s IS NOT NULL", (check_id,)
                ).rowcount
                if sent:
                    write.execute("DELETE FROM files WHERE check_id = ?", (check_id,))
                    write.execute("DELETE FROM outbox WHERE check_id = ?", (check_id,))
                    write.execute(
                        "UPDATE swipes SET content = json_set(content, '$.psn_no', ?) WHERE swipe_id = ?",
                        (FORGOTTEN, check_id),
                    )

    def forget_reports(self, before_s: float) -> None:
        """Reports that were acknowledged by then."""
        with self.database.transaction() as write:
            write.execute(
                "DELETE FROM outbox WHERE kind = 'report' AND state = 'acknowledged' AND acknowledged_s <= ?",
                (before_s,),
            )

    def forget_old(self, before_s: float) -> None:
        """Ids, summaries and footfall from before then; never of a check whose evidence is still here."""
        with self.database.transaction() as write:
            write.execute(
                "DELETE FROM swipes WHERE state = 'done' AND swipe_id IN"
                " (SELECT check_id FROM checks WHERE body IS NULL AND finished_s < ?)",
                (before_s,),
            )
            write.execute(
                "DELETE FROM bed_checks WHERE due_s < ? AND (state = 'missed' OR state = 'done' AND check_id IN"
                " (SELECT check_id FROM checks WHERE body IS NULL))",
                (before_s,),
            )
            write.execute("DELETE FROM checks WHERE body IS NULL AND finished_s < ?", (before_s,))
            write.execute("DELETE FROM footfall WHERE hour_s < ?", (before_s,))

    def checks_with_evidence(self) -> set[str]:
        """Ids of checks that name files, and of swipes and bed checks that are open and may have left some."""
        rows = self.database.rows(
            "SELECT check_id FROM files UNION SELECT swipe_id FROM swipes WHERE state = 'accepted'"
            " UNION SELECT check_id FROM bed_checks WHERE state = 'open'"
        )
        return {row["check_id"] for row in rows}

    def stored_path(self, path: Path) -> str:
        """A path as the database holds it: the data folder may be moved."""
        folder = self.database.path.parent
        return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.as_posix()

    def real_path(self, stored: str) -> Path:
        """The reverse."""
        return self.database.path.parent / stored
