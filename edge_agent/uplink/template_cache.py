"""Templates from the server, kept encrypted for a while.

Written by the agent's main process, read by its vision process. Every call opens the file anew, so that neither holds
one that the other has moved aside.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from edge_agent.logs import facts
from edge_agent.outbox.database import StoreDamaged, readable_errors
from renzheng.clock import SHANGHAI, as_utc, to_seconds
from renzheng.contracts import Contract, StaffAnswer, TemplateAnswer
from renzheng.crypto import Sealer, Tampered
from renzheng.files import make_private, storage_errors

log = logging.getLogger(__name__)

CLOCK_SLACK_S = 120.0
"""An entry that is from further in the future than this was kept before the clock was set back: its age is unknown."""

_BUSY_S = 2.0
_STAFF = "staff"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    name TEXT PRIMARY KEY,  -- keyed digest of person and day: the file names nobody
    sealed BLOB NOT NULL,
    stored_s REAL NOT NULL,
    expires_s REAL NOT NULL,
    used_s REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_use ON answers (used_s);
CREATE TABLE IF NOT EXISTS made_for (embedder_sha256 TEXT NOT NULL);
"""

_Answer = TypeVar("_Answer", bound=Contract)


class EncryptedTemplateCache:
    """Answers about holders, each for one day (Asia/Shanghai), and the one about the staff.

    ``people_max`` bounds the number of holders' answers; the one not used for the longest time goes first. Entries are
    wiped when they expire and when ``embedder_sha256`` is another than they were kept under. A file that cannot be
    read is moved aside by :meth:`open` or the next write and told to ``on_event`` as ``template_cache_damaged``.
    Writing raises :class:`StorageFull` or :class:`~edge_agent.outbox.database.StoreFailed`; reading finds nothing then.
    """

    def __init__(
        self,
        path: Path,
        sealer: Sealer,
        embedder_sha256: str,
        *,
        people_max: int = 5000,
        keep_s: float = 86400.0,
        on_event: Callable[[str, str], None] = lambda kind, detail: None,
    ) -> None:
        self._path, self._sealer, self._embedder = path, sealer, embedder_sha256
        self._people_max, self._keep_s, self._on_event = people_max, keep_s, on_event

    def open(self) -> None:
        """Make the file ready; for the writing side, once."""
        self._write(lambda connection: None)

    def put(self, answer: TemplateAnswer, at: datetime, now_s: float) -> None:
        """Keep what was answered for the day of ``at``."""
        self._keep(self._name(answer.psn_no, at), answer, answer.expires_at, now_s)

    def get(self, psn_no: str, at: datetime, now_s: float) -> TemplateAnswer | None:
        """What is known for the day of ``at``; ``None`` when nothing is, or no longer."""
        answer = self._find(self._name(psn_no, at), TemplateAnswer, now_s)
        return answer if answer is None or answer.psn_no == psn_no else None

    def put_staff(self, answer: StaffAnswer, now_s: float) -> None:
        """Keep who works at the institution."""
        self._keep(_STAFF, answer, answer.expires_at, now_s)

    def staff(self, now_s: float) -> StaffAnswer | None:
        """Who works at the institution; ``None`` when that is not known, or no longer."""
        return self._find(_STAFF, StaffAnswer, now_s)

    def age_s(self, psn_no: str, at: datetime, now_s: float) -> float | None:
        """How long ago the answer was given; ``None`` without one that still counts."""
        return self._age_s(self._name(psn_no, at), now_s)

    def staff_age_s(self, now_s: float) -> float | None:
        """How long ago the answer about the staff was given; ``None`` without one that still counts."""
        return self._age_s(_STAFF, now_s)

    def touch(self, psn_no: str, at: datetime, now_s: float) -> None:
        """Count an answer as used now."""
        name = self._name(psn_no, at)
        self._write(lambda c: c.execute("UPDATE answers SET used_s = ? WHERE name = ?", (now_s, name)))

    def wipe_expired(self, now_s: float) -> int:
        """Remove what no longer counts; how many that were."""
        gone = 0

        def wipe(connection: sqlite3.Connection) -> None:
            nonlocal gone
            gone = connection.execute(
                "DELETE FROM answers WHERE expires_s <= ? OR stored_s > ?", (now_s, now_s + CLOCK_SLACK_S)
            ).rowcount

        self._write(wipe)
        return gone

    def _keep(self, name: str, answer: Contract, expires_at: datetime, now_s: float) -> None:
        expires_s = min(to_seconds(expires_at), now_s + self._keep_s)
        sealed = self._sealer.seal(answer.model_dump_json().encode(), f"template cache {name}")

        def keep(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT OR REPLACE INTO answers (name, sealed, stored_s, expires_s, used_s) VALUES (?, ?, ?, ?, ?)",
                (name, sealed, now_s, expires_s, now_s),
            )
            connection.execute(
                "DELETE FROM answers WHERE name IN (SELECT name FROM answers WHERE name != ?"
                " ORDER BY used_s DESC, name LIMIT -1 OFFSET ?)",
                (_STAFF, self._people_max),
            )

        self._write(keep)

    def _find(self, name: str, contract: type[_Answer], now_s: float) -> _Answer | None:
        row = self._row(name, now_s)
        if row is None:
            return None
        try:
            return contract.model_validate_json(self._sealer.open(bytes(row[0]), f"template cache {name}"))
        except (Tampered, ValidationError, TypeError):
            log.warning("an entry of the template cache cannot be read; it is taken for absent")
            return None

    def _age_s(self, name: str, now_s: float) -> float | None:
        row = self._row(name, now_s)
        return None if row is None else max(0.0, now_s - float(row[1]))

    def _row(self, name: str, now_s: float) -> tuple[bytes, float] | None:
        if not self._path.exists():
            return None
        try:
            with closing(sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_S)) as c:
                made_for = c.execute("SELECT embedder_sha256 FROM made_for").fetchone()
                if made_for is None or made_for[0] != self._embedder:
                    return None
                row: tuple[bytes, float] | None = c.execute(
                    "SELECT sealed, stored_s FROM answers WHERE name = ? AND expires_s > ? AND stored_s <= ?",
                    (name, now_s, now_s + CLOCK_SLACK_S),
                ).fetchone()
                return row
        except sqlite3.DatabaseError as error:
            log.warning("the template cache cannot be read", extra=facts(why=str(error)))
            return None

    def _write(self, change: Callable[[sqlite3.Connection], object]) -> None:
        try:
            with self._writing() as connection:
                change(connection)
        except StoreDamaged as damaged:
            self._move_aside(damaged)
            with self._writing() as connection:
                change(connection)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        make_private(self._path.parent)
        with storage_errors(self._path):
            self._path.touch(mode=0o600)
        with (
            readable_errors(self._path),
            closing(sqlite3.connect(self._path, timeout=_BUSY_S)) as connection,
            connection,
        ):
            connection.execute("PRAGMA secure_delete = ON")
            connection.executescript(_SCHEMA)
            self._same_embedder(connection)
            yield connection

    def _same_embedder(self, connection: sqlite3.Connection) -> None:
        """Templates of another model say nothing beside this one's faces."""
        if connection.execute("SELECT embedder_sha256 FROM made_for").fetchall() != [(self._embedder,)]:
            connection.execute("DELETE FROM answers")
            connection.execute("DELETE FROM made_for")
            connection.execute("INSERT INTO made_for VALUES (?)", (self._embedder,))

    def _move_aside(self, error: StoreDamaged) -> None:
        self._path.replace(self._path.with_name(f"{self._path.name}.damaged"))
        self._path.with_name(f"{self._path.name}-journal").unlink(missing_ok=True)
        log.warning("the template cache was damaged; it begins anew", extra=facts(why=str(error)))
        self._on_event("template_cache_damaged", str(error))

    def _name(self, psn_no: str, at: datetime) -> str:
        day = as_utc(at).astimezone(SHANGHAI).date()
        return hmac.new(self._sealer.key, f"{day}|{psn_no}".encode(), hashlib.sha256).hexdigest()
