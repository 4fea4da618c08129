"""``agent.sqlite`` as a connection: opened, upgraded, written in transactions, with errors a person can read."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from edge_agent.outbox import schema
from renzheng.errors import BadInput, RenzhengError, StorageFull
from renzheng.files import make_private, storage_errors, sync_folder

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_NO_ROOM_FOR_INDEX = sqlite3.SQLITE_IOERR_SHMSIZE
_TROUBLE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
}
_COMPANIONS = ("-wal", "-shm")

Values = Sequence[object] | Mapping[str, object]


class StoreFailed(RenzhengError):
    """The database could not be read or written, though the disk has room."""


class StoreDamaged(StoreFailed):
    """The database's file is not what SQLite wrote; opening it again moves it aside and begins a new one."""


class Database:
    """One connection of one thread. What a transaction wrote is on the disk when it ends."""

    def __init__(self, path: Path) -> None:
        """Open, or create for the owner alone, and bring to the newest schema.

        ``moved_aside`` names a damaged file that was found there. Raises :class:`BadInput` for one of a newer agent,
        :class:`StorageFull`, :class:`StoreFailed`.
        """
        self.path = path
        self.moved_aside: Path | None = None
        make_private(path.parent)
        try:
            self._connection = self._opened()
        except StoreDamaged:
            self.moved_aside = _move_aside(path)
            self._connection = self._opened()

    def _opened(self) -> sqlite3.Connection:
        with storage_errors(self.path):
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            sync_folder(self.path.parent)
        with readable_errors(self.path):
            connection = sqlite3.connect(self.path, timeout=5.0, isolation_level=None)
            connection.row_factory = sqlite3.Row
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")  # who was here is not to be read from free pages
        connection.execute("PRAGMA journal_size_limit = 67108864")
        if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise StoreDamaged(f"{self.path}: the database is damaged")
        _upgrade(connection, self.path)

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """All of it or nothing. Not ``durable``: it survives the process, but perhaps not a power cut.

        Raises :class:`StorageFull`, after which the database is as before; :class:`StoreDamaged`,
        :class:`StoreFailed`.
        """
        connection = self._connection
        with readable_errors(self.path):
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def rows(self, sql: str, values: Values = ()) -> list[sqlite3.Row]:
        """What a query finds."""
        with readable_errors(self.path):
            return self._connection.execute(sql, values).fetchall()

    def row(self, sql: str, values: Values = ()) -> sqlite3.Row | None:
        """The first row a query finds."""
        found = self.rows(sql, values)
        return found[0] if found else None

    def value(self, sql: str, values: Values = ()) -> Any:
        """The one value of a query that always finds a row."""
        return self.rows(sql, values)[0][0]

    def close(self) -> None:
        """Close the connection; what was committed stays."""
        self._connection.close()


@contextmanager
def readable_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite says of the file at ``path`` into errors of the house; mistakes in SQL pass unchanged."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0)
        if code & 0xFF == sqlite3.SQLITE_FULL or code == _NO_ROOM_FOR_INDEX:
            raise StorageFull(f"{path}: no space left on the disk") from error
        if code & 0xFF in _DAMAGED:
            raise StoreDamaged(f"{path}: the database is damaged: {error}") from error
        if code & 0xFF in _TROUBLE:
            raise StoreFailed(f"{path}: the database cannot be used: {error}") from error
        raise


def _upgrade(connection: sqlite3.Connection, path: Path) -> None:
    """Take the steps that are missing, each with its number in one transaction."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(schema.STEPS):
        raise BadInput(
            f"{path}: was written by a newer agent (schema {version}; this one knows {len(schema.STEPS)}); "
            "install that version again"
        )
    for number in range(version, len(schema.STEPS)):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in schema.STEPS[number]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number + 1}")
            connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise


def damaged_files(path: Path) -> list[Path]:
    """Databases that were moved aside from ``path``, for a person to look into."""
    return sorted(file for file in path.parent.glob(f"{path.name}.damaged-*") if not file.name.endswith(_COMPANIONS))


def _move_aside(path: Path) -> Path:
    """Rename the file and what belongs to it; the file goes first, since its companions mean nothing without it."""
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    path.rename(aside)
    for companion in _COMPANIONS:
        with suppress(FileNotFoundError):
            Path(f"{path}{companion}").rename(f"{aside}{companion}")
    sync_folder(path.parent)
    return aside
