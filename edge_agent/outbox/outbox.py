"""What has to reach the server: pending, sending under a lease, acknowledged or refused; kept until acknowledged."""

from __future__ import annotations

import base64
import hashlib
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from edge_agent.outbox.store import Store
from renzheng.clock import from_seconds
from renzheng.contracts import AgentReport, BedCheck, CheckDelivery, EvidencePiece, IdentityCheck

Kind = Literal["check", "clip", "report"]
KINDS: tuple[Kind, ...] = ("check", "clip", "report")
State = Literal["pending", "sending", "acknowledged", "refused"]

_CHECK: TypeAdapter[IdentityCheck | BedCheck] = TypeAdapter(IdentityCheck | BedCheck)

_LEASABLE = """
    SELECT id FROM outbox
    WHERE kind = :kind AND state IN ('pending', 'sending')
      AND NOT (held_from_s <= :now_s AND :now_s < held_until_s)
      AND (kind <> 'clip' OR EXISTS (
        SELECT 1 FROM outbox AS its_check
        WHERE its_check.check_id = outbox.check_id AND its_check.kind = 'check' AND its_check.state = 'acknowledged'))
    ORDER BY flagged DESC, id LIMIT :limit
"""
_LEASED = """
    SELECT outbox.*, checks.body AS check_body, checks.finished_s, files.path AS clip_path, files.size_bytes,
      EXISTS (SELECT 1 FROM outbox AS its_clip WHERE its_clip.check_id = outbox.check_id AND its_clip.kind = 'clip')
        AS clip_due
    FROM outbox LEFT JOIN checks USING (check_id)
      LEFT JOIN files ON files.check_id = outbox.check_id AND files.kind = 'clip' AND outbox.kind = 'clip'
    WHERE outbox.id = ?
"""


@dataclass(frozen=True)
class OutboxItem:
    """One thing to send. ``name`` is the id it is delivered under: the check's, also for its clip, or the report's.

    ``pieces`` are the small files that go with a check, each with the name the check gives it. ``path``, ``size_bytes``
    and ``upload_url`` belong to a clip; its manifest lies beside it.
    """

    id: int
    kind: Kind
    name: str
    flagged: bool
    created_s: float
    attempts: int
    body: str = field(repr=False)  # it holds a person's number, and logs must not
    finished_s: float = 0.0
    clip_due: bool = False
    pieces: tuple[tuple[str, Path], ...] = ()
    path: Path | None = None
    size_bytes: int = 0
    upload_url: str | None = None

    def check_delivery(self) -> CheckDelivery:
        """A check as it is delivered, with those of its small files that are still there."""
        return CheckDelivery(
            delivery_id=self.name,
            finished_at=from_seconds(self.finished_s),
            clip_due=self.clip_due,
            check=_CHECK.validate_json(self.body),
            pieces=tuple(_piece(name, path) for name, path in self.pieces if path.is_file()),
        )

    def report(self) -> AgentReport:
        """A report as it is delivered."""
        return AgentReport.model_validate_json(self.body)


def _piece(name: str, path: Path) -> EvidencePiece:
    data = path.read_bytes()
    return EvidencePiece(path=name, sha256=hashlib.sha256(data).hexdigest(), data=base64.b64encode(data).decode())


class Outbox:
    """The queue in a store. Items of a kind leave flagged first, then the oldest.

    A held item, leased or put off, is free again at its time, and also when the box's clock was set back before the
    time it was held from. What a restart may forget, such as a lease, is not synced to the disk.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._database = store.database

    def lease(self, kind: Kind, limit: int, now_s: float, lease_s: float) -> list[OutboxItem]:
        """Take items to send; nobody else gets them for ``lease_s``. A clip waits
        until its check is acknowledged."""
        with self._database.transaction(durable=False) as write:
            found = write.execute(_LEASABLE, {"kind": kind, "now_s": now_s, "limit": limit}).fetchall()
            ids = [row["id"] for row in found]
            write.executemany(
                "UPDATE outbox SET state = 'sending', attempts = attempts + 1, held_from_s = ?, held_until_s = ?"
                " WHERE id = ?",
                [(now_s, now_s + lease_s, number) for number in ids],
            )
            return [self._item(write.execute(_LEASED, (number,)).fetchone()) for number in ids]

    def _item(self, row: sqlite3.Row) -> OutboxItem:
        pieces = self._database.rows(
            "SELECT piece, path FROM files WHERE check_id = ? AND piece IS NOT NULL AND ? = 'check' ORDER BY path",
            (row["check_id"], row["kind"]),
        )
        return OutboxItem(
            id=row["id"],
            kind=row["kind"],
            name=row["name"],
            flagged=bool(row["flagged"]),
            created_s=row["created_s"],
            attempts=row["attempts"],
            body=row["body"] or row["check_body"],
            finished_s=row["finished_s"] or 0.0,
            clip_due=bool(row["clip_due"]),
            pieces=tuple((piece["piece"], self._store.real_path(piece["path"])) for piece in pieces),
            path=self._store.real_path(row["clip_path"]) if row["clip_path"] else None,
            size_bytes=row["size_bytes"] or 0,
            upload_url=row["upload_url"],
        )

    def acknowledge(self, ids: Iterable[int], now_s: float) -> None:
        """The server has these. A second acknowledgement changes nothing."""
        with self._database.transaction() as write:
            for number in ids:
                write.execute(
                    "UPDATE outbox SET state = 'acknowledged', acknowledged_s = ?"
                    " WHERE id = ? AND state <> 'acknowledged'",
                    (now_s, number),
                )
                write.execute(
                    "UPDATE checks SET sent_s = ?1 WHERE sent_s IS NULL"
                    " AND check_id = (SELECT check_id FROM outbox WHERE id = ?2) AND NOT EXISTS (SELECT 1 FROM outbox"
                    " WHERE outbox.check_id = checks.check_id AND state <> 'acknowledged')",
                    (now_s, number),
                )

    def refuse(self, id: int, why: str) -> None:
        """The server will never take it. It stays, with its files; the clip of a refused check is refused with it."""
        with self._database.transaction() as write:
            refused = write.execute(
                "UPDATE outbox SET state = 'refused', why = ? WHERE id = ? AND state <> 'acknowledged'"
                " RETURNING kind, check_id",
                (why, id),
            ).fetchone()
            if refused is not None and refused["kind"] == "check":
                write.execute(
                    "UPDATE outbox SET state = 'refused', why = ? WHERE check_id = ?"
                    " AND state IN ('pending', 'sending')",
                    (f"its check was refused: {why}", refused["check_id"]),
                )

    def retry_refused(self) -> int:
        """Put what was refused back into the queue, after what was wrong has been put right. Returns how many."""
        with self._database.transaction() as write:
            return write.execute(
                "UPDATE outbox SET state = 'pending', held_until_s = 0 WHERE state = 'refused'"
            ).rowcount

    def later(self, id: int, at_s: float, why: str) -> None:
        """Give a leased item back, not to be leased before ``at_s``."""
        with self._database.transaction(durable=False) as write:
            write.execute(
                "UPDATE outbox SET state = 'pending', held_until_s = ?, why = ? WHERE id = ? AND state = 'sending'",
                (at_s, why, id),
            )

    def give_back_all(self, kinds: Iterable[Kind]) -> None:
        """Void every lease on items of these kinds: whoever had them lost track of what became of them."""
        with self._database.transaction(durable=False) as write:
            for kind in kinds:
                write.execute(
                    "UPDATE outbox SET state = 'pending', held_until_s = 0 WHERE kind = ? AND state = 'sending'",
                    (kind,),
                )

    def set_upload(self, id: int, url: str | None) -> None:
        """Keep where a clip's upload goes on, or ``None`` to begin it anew."""
        with self._database.transaction(durable=False) as write:
            write.execute("UPDATE outbox SET upload_url = ? WHERE id = ?", (url, id))

    def counts(self) -> dict[Kind, dict[State, int]]:
        """Items by kind and state, with zeros."""
        counts: dict[Kind, dict[State, int]] = {
            kind: {"pending": 0, "sending": 0, "acknowledged": 0, "refused": 0} for kind in KINDS
        }
        for row in self._database.rows("SELECT kind, state, count(*) AS n FROM outbox GROUP BY kind, state"):
            counts[row["kind"]][row["state"]] = row["n"]
        return counts

    def waiting(self) -> int:
        """Items that have yet to reach the server; refused ones are not among them."""
        return sum(states["pending"] + states["sending"] for states in self.counts().values())

    def oldest_waiting_s(self, now_s: float) -> float | None:
        """Age of what has waited longest, seconds; ``None`` when nothing waits."""
        created_s = self._database.value("SELECT min(created_s) FROM outbox WHERE state IN ('pending', 'sending')")
        return None if created_s is None else max(0.0, now_s - created_s)
