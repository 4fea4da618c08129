"""The database under a ring's index: opening, transactions, and what SQLite's errors mean."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from renzheng.errors import RenzhengError, StorageFull

Row = tuple[Any, ...]

_VERSION = 1
_BUSY_MS = 5_000
_KEPT_WAL_BYTES = 1 << 20
_OPEN_TRIES = 50
_OPEN_PAUSE_S = 0.02

_PERHAPS_FULL = ("SQLITE_IOERR", "SQLITE_CANTOPEN")
_ROOM_BYTES = 256 * 1024
"""With less room than this SQLite cannot grow its own files, and says so as an input or output error."""

_SCHEMA = """
CREATE TABLE segment (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, epoch INTEGER NOT NULL, start_s REAL NOT NULL,
    end_s REAL NOT NULL, is_open INTEGER NOT NULL, size_bytes INTEGER NOT NULL, packets INTEGER NOT NULL,
    codec TEXT NOT NULL, coded_w INTEGER NOT NULL, coded_h INTEGER NOT NULL, time_base_num INTEGER NOT NULL,
    time_base_den INTEGER NOT NULL, origin_pts INTEGER NOT NULL, frame_s REAL NOT NULL
);
CREATE INDEX segment_end ON segment (end_s);
CREATE INDEX segment_start ON segment (start_s);
CREATE INDEX segment_epoch ON segment (epoch, start_s);
CREATE TABLE keyframe (
    segment_id INTEGER NOT NULL REFERENCES segment (id) ON DELETE CASCADE, pts INTEGER NOT NULL, time_s REAL NOT NULL,
    PRIMARY KEY (segment_id, pts)
) WITHOUT ROWID;
CREATE TABLE gap (id INTEGER PRIMARY KEY, start_s REAL NOT NULL, end_s REAL, why TEXT NOT NULL);
CREATE TABLE pin (name TEXT PRIMARY KEY, start_s REAL NOT NULL, end_s REAL NOT NULL);
CREATE TABLE total (bytes INTEGER NOT NULL);
INSERT INTO total VALUES (0);
CREATE TRIGGER added AFTER INSERT ON segment BEGIN UPDATE total SET bytes = bytes + new.size_bytes; END;
CREATE TRIGGER grown AFTER UPDATE OF size_bytes ON segment
    BEGIN UPDATE total SET bytes = bytes + new.size_bytes - old.size_bytes; END;
CREATE TRIGGER gone AFTER DELETE ON segment BEGIN UPDATE total SET bytes = bytes - old.size_bytes; END;
CREATE TABLE status (id INTEGER PRIMARY KEY CHECK (id = 1), value TEXT NOT NULL);
"""


class IndexUnusable(RenzhengError):
    """The index cannot be used now: another process holds it for too long, or the disk does not answer."""


class IndexDamaged(IndexUnusable):
    """The index cannot be read; the recorder of the camera makes it anew when it starts."""


class IndexDatabase:
    """One ``index.sqlite``, opened when it is needed and again when the recorder has made a new one in its place.

    ``on_open`` is called with each new connection.
    """

    def __init__(self, path: Path, on_open: Callable[[sqlite3.Connection], None]) -> None:
        self.path = path
        self._on_open = on_open
        self._open: sqlite3.Connection | None = None
        self._opened_inode = 0

    def close(self) -> None:
        """Let go of the file."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def check(self) -> None:
        """Read all of it. Raises :class:`IndexDamaged` when something is wrong."""
        if self.one("PRAGMA quick_check") != ("ok",):
            raise IndexDamaged(f"{self.path}: is damaged")

    def one(self, query: str, values: tuple[object, ...] = ()) -> Row | None:
        return next(iter(self.all(query, values)), None)

    def all(self, query: str, values: tuple[object, ...] = ()) -> list[Row]:
        with self._errors():
            return self._db().execute(query, values).fetchall()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        with self._errors():
            db = self._db()
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:  # SQLite rolls back by itself when the disk is full
                    db.execute("ROLLBACK")
                raise

    def _db(self) -> sqlite3.Connection:
        """The open database; opened again when the recorder has made a new one in its place."""
        inode = self.path.stat().st_ino if self.path.exists() else 0
        if self._open is None or inode != self._opened_inode:
            self.close()
            self._open = _opened(self.path)
            self._opened_inode = self.path.stat().st_ino
            self._on_open(self._open)
        return self._open

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "") or "SQLITE_ERROR"
            cramped = name.startswith(_PERHAPS_FULL) and free_bytes(self.path.parent) < _ROOM_BYTES
            if name == "SQLITE_FULL" or cramped:
                raise StorageFull(f"{self.path}: no space left on the disk") from error
            if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR")):
                raise IndexDamaged(f"{self.path}: is damaged ({error})") from error
            raise IndexUnusable(f"{self.path}: cannot be used ({error})") from error


def _opened(path: Path) -> sqlite3.Connection:
    """A connection that commits by itself, to a database of this version."""
    db = sqlite3.connect(path, timeout=_BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
    try:
        _set_up(db)
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version != _VERSION:
            raise IndexDamaged(f"{path}: is of version {version}, expected {_VERSION}")
    except BaseException:
        db.close()
        raise
    return db


def _set_up(db: sqlite3.Connection) -> None:
    for attempt in range(_OPEN_TRIES):
        try:
            db.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError as error:  # two that create it at once; SQLite does not wait here by itself
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or attempt == _OPEN_TRIES - 1:
                raise
            time.sleep(_OPEN_PAUSE_S)
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("PRAGMA foreign_keys = ON")
    db.execute(f"PRAGMA journal_size_limit = {_KEPT_WAL_BYTES}")
    if db.execute("PRAGMA user_version").fetchone()[0] == 0:
        db.execute("BEGIN IMMEDIATE")
        try:
            if db.execute("PRAGMA user_version").fetchone()[0] == 0:
                for statement in filter(str.strip, _SCHEMA.split(";\n")):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {_VERSION}")
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise


def free_bytes(folder: Path) -> int:
    """Bytes that the agent's user may still write where the folder lies."""
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize
