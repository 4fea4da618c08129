"""The index of one camera's ring: which segments there are, what is pinned, where nothing was recorded.

A small SQLite database beside the segments. The camera's recorder writes it, the vision process reads it, and the main
process reads it and sets pins. It is worth no more than the ring, so it is not synced at every step: after a power cut
the last rows may be missing and are made again from the files (``edge_agent.ring.recovery``).
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import Any

from edge_agent.footage import TimeWindow
from edge_agent.ring.recovery import adopt_some, recover
from edge_agent.ring.segment import (
    CameraStatus,
    Gap,
    Keyframe,
    Segment,
    segment_name,
    status_of,
    status_text,
)
from renzheng.errors import RenzhengError, StorageFull
from renzheng.files import make_private

__all__ = ["CameraStatus", "Gap", "IndexDamaged", "IndexUnusable", "Keyframe", "Segment", "SegmentIndex"]

_Row = tuple[Any, ...]

INDEX_NAME = "index.sqlite"
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

_COLUMNS = (
    "id, name, epoch, start_s, end_s, is_open, size_bytes, packets, codec, coded_w, coded_h, time_base_num,"
    " time_base_den, origin_pts, frame_s"
)
_INSERT = f"INSERT INTO segment ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
_SEGMENTS = f"SELECT {_COLUMNS} FROM segment"  # noqa: S608 (constant text)
_OVERLAPPING = " WHERE end_s > ? AND +start_s < ? AND end_s > start_s ORDER BY +start_s, id"
"""The plus signs have SQLite search by the end: most questions are about the newest segments."""

_UNPINNED = (
    " WHERE NOT is_open AND (? IS NULL OR id > ?) AND NOT EXISTS"
    " (SELECT 1 FROM pin WHERE pin.start_s < segment.end_s AND pin.end_s > segment.start_s) ORDER BY id LIMIT 1"
)


class IndexUnusable(RenzhengError):
    """The index cannot be used now: another process holds it for too long, or the disk does not answer."""


class IndexDamaged(IndexUnusable):
    """The index cannot be read; the recorder of the camera makes it anew when it starts."""


class SegmentIndex:
    """The index of the ring in ``folder``; both are created when missing.

    Times are seconds since 1970 (UTC) on the box's clock. One writer (the recorder) and any number of readers in other
    processes; an object is for one thread at a time. Any method may raise :class:`IndexUnusable` and, when it writes,
    :class:`renzheng.errors.StorageFull`; nothing is half-written then.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / INDEX_NAME
        self._open: sqlite3.Connection | None = None
        self._opened_inode = 0
        self._my_pins: dict[str, TimeWindow] = {}
        self.files_to_adopt = 0
        """Files that :meth:`recover` found no time to enter; see :meth:`adopt_some`."""
        make_private(folder)

    def __enter__(self) -> SegmentIndex:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database; it is opened again when needed."""
        if self._open is not None:
            self._open.close()
            self._open = None

    # --- recorder -----------------------------------------------------------------------------------------------------

    def begin(
        self,
        *,
        start_s: float,
        epoch: int,
        codec: str,
        coded_wh: tuple[int, int],
        time_base: Fraction,
        origin_pts: int,
        frame_s: float,
    ) -> Segment:
        """Enter a new segment, open and empty, and choose its file's name; the file itself is the caller's work."""
        with self._writing() as db:
            names = (segment_name(start_s, epoch, number) for number in count(1))
            name = next(n for n in names if not db.execute("SELECT 1 FROM segment WHERE name = ?", (n,)).fetchone())
            segment = Segment(
                self._next_id(db), name, epoch, start_s, start_s, True, 0, 0, codec, coded_wh, time_base, origin_pts,
                frame_s,
            )  # fmt: skip
            db.execute(_INSERT, _row(segment))
        return segment

    def keyframe(self, segment_id: int, pts: int, time_s: float) -> None:
        """Note a picture of a segment that can be decoded by itself."""
        with self._writing() as db:
            _add_keyframes(db, segment_id, ((pts, time_s),))

    def extend(
        self,
        segment_id: int,
        end_s: float,
        size_bytes: int,
        packets: int,
        keyframes: Sequence[tuple[int, float]] = (),
    ) -> None:
        """What of an open segment can be read by now; ``keyframes`` are those since the last time, as (pts, time)."""
        with self._writing() as db:
            db.execute(
                "UPDATE segment SET end_s = ?, size_bytes = ?, packets = ? WHERE id = ?",
                (end_s, size_bytes, packets, segment_id),
            )
            _add_keyframes(db, segment_id, keyframes)

    def finish(self, segment_id: int) -> None:
        """Mark a segment as complete."""
        with self._writing() as db:
            db.execute("UPDATE segment SET is_open = 0 WHERE id = ?", (segment_id,))

    def add(self, segment: Segment, keyframes: Sequence[tuple[int, float]] = (), *, as_oldest: bool = False) -> None:
        """Enter a complete segment whose file is there already; ``as_oldest`` before all others, else as the newest."""
        with self._writing() as db:
            lowest = db.execute("SELECT min(id) FROM segment").fetchone()[0]
            number = lowest - 1 if as_oldest and lowest is not None else self._next_id(db)
            db.execute(_INSERT, (number, *_row(segment)[1:]))
            _add_keyframes(db, number, keyframes)

    def forget(self, segment_id: int) -> None:
        """Drop a segment's row; nothing happens when there is none. Its file is the caller's work, before this."""
        with self._writing() as db:
            db.execute("DELETE FROM segment WHERE id = ?", (segment_id,))

    def note_gap(self, start_s: float, end_s: float | None, why: str) -> None:
        """Note a time without recording; without an end it lasts until :meth:`end_gap`. An open one stays the only."""
        with self._writing() as db:
            if end_s is None and db.execute("SELECT 1 FROM gap WHERE end_s IS NULL").fetchone():
                return
            db.execute("INSERT INTO gap (start_s, end_s, why) VALUES (?, ?, ?)", (start_s, end_s, why))

    def end_gap(self, end_s: float) -> None:
        """The gap that lasted is over; nothing happens when none did."""
        with self._writing() as db:
            db.execute("UPDATE gap SET end_s = max(?, start_s) WHERE end_s IS NULL", (end_s,))

    def forget_gaps_before(self, time_s: float) -> None:
        """Drop gaps that were over at a time."""
        with self._writing() as db:
            db.execute("DELETE FROM gap WHERE end_s <= ?", (time_s,))

    def write_status(self, status: CameraStatus) -> None:
        """Keep the camera's state in place of the one before."""
        with self._writing() as db:
            db.execute("INSERT OR REPLACE INTO status (id, value) VALUES (1, ?)", (status_text(status),))

    def recover(self) -> None:
        """Bring index and files together at the recorder's start, before anything is recorded.

        A damaged index is moved aside and made anew from the files. Segments that were open are closed where their
        file really ends. Rows without a file are dropped; a file without a row is entered again when it can be read
        and deleted when not. Of many such files the newest are entered at once and the others by :meth:`adopt_some`.
        """
        self.files_to_adopt = recover(self)

    def adopt_some(self, limit_s: float) -> int:
        """Enter files that have no row, newest first, for about ``limit_s`` real seconds; returns how many are left."""
        self.files_to_adopt = adopt_some(self, limit_s)
        return self.files_to_adopt

    # --- readers ------------------------------------------------------------------------------------------------------

    def covering(self, window: TimeWindow) -> list[Segment]:
        """Segments that overlap the window, by start; the open one as far as it can be read."""
        return self._segments(_OVERLAPPING, (window.start_s, window.end_s))

    def segments(self) -> list[Segment]:
        """All segments in the order in which they were recorded."""
        return self._segments(" ORDER BY id")

    def extent(self) -> TimeWindow | None:
        """From the earliest picture to the latest; ``None`` when nothing is recorded."""
        row = self._one(
            "SELECT (SELECT start_s FROM segment WHERE end_s > start_s ORDER BY start_s LIMIT 1),"
            " (SELECT end_s FROM segment WHERE end_s > start_s ORDER BY end_s DESC LIMIT 1)"
        )
        return None if row is None or row[0] is None else TimeWindow(row[0], row[1])

    def recorded_until(self) -> float | None:
        """How far the newest segment can be read, the open one included.

        When the box's clock was set back, earlier segments may reach beyond this.
        """
        row = self._one("SELECT end_s FROM segment WHERE end_s > start_s ORDER BY id DESC LIMIT 1")
        return None if row is None else float(row[0])

    def newest_epoch(self) -> tuple[int, float] | None:
        """Number of the newest segment's epoch and where its first segment begins."""
        row = self._one(
            "SELECT epoch, min(start_s) FROM segment WHERE epoch = (SELECT epoch FROM segment ORDER BY id DESC LIMIT 1)"
        )
        return None if row is None or row[0] is None else (int(row[0]), float(row[1]))

    def newest_keyframe(self) -> Keyframe | None:
        """The last keyframe that can be read."""
        row = self._one(
            "SELECT segment_id, pts, time_s FROM keyframe JOIN segment ON segment.id = segment_id"
            " WHERE time_s < end_s ORDER BY segment_id DESC, pts DESC LIMIT 1"
        )
        found = self._segments(" WHERE id = ?", (row[0],)) if row else []
        return Keyframe(found[0], int(row[1]), float(row[2])) if row and found else None

    def gaps(self, window: TimeWindow) -> list[Gap]:
        """Noted gaps that overlap the window, by start."""
        rows = self._all(
            "SELECT start_s, end_s, why FROM gap WHERE start_s < ? AND (end_s IS NULL OR end_s > ?) ORDER BY start_s",
            (window.end_s, window.start_s),
        )
        return [Gap(float(start_s), None if end_s is None else float(end_s), str(why)) for start_s, end_s, why in rows]

    def status(self) -> CameraStatus | None:
        """The camera's state as the recorder last kept it."""
        row = self._one("SELECT value FROM status")
        return status_of(row[0]) if row else None

    def size_bytes(self) -> int:
        """Bytes of all segments."""
        row = self._one("SELECT bytes FROM total")
        return int(row[0]) if row else 0

    def oldest_unpinned(self, after_id: int | None = None) -> Segment | None:
        """The complete segment that was recorded first of those that overlap no pin, or the next after one of them."""
        return next(iter(self._segments(_UNPINNED, (after_id, after_id))), None)

    # --- pins ---------------------------------------------------------------------------------------------------------

    def pin(self, name: str, window: TimeWindow) -> None:
        """Keep what is and will be recorded of the window until :meth:`unpin`; a pin of that name is replaced."""
        self._my_pins[name] = window
        with self._writing() as db:
            _put_pin(db, name, window)

    def unpin(self, name: str) -> None:
        """Let go of a pin; nothing happens when there is none."""
        self._my_pins.pop(name, None)
        with self._writing() as db:
            db.execute("DELETE FROM pin WHERE name = ?", (name,))

    def pins(self) -> dict[str, TimeWindow]:
        """All pins by name."""
        rows = self._all("SELECT name, start_s, end_s FROM pin ORDER BY name")
        return {str(name): TimeWindow(start_s, end_s) for name, start_s, end_s in rows}

    # --- database -----------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Read the whole index. Raises :class:`IndexDamaged` when something in it is wrong."""
        if self._one("PRAGMA quick_check") != ("ok",):
            raise IndexDamaged(f"{self.path}: is damaged")

    def _segments(self, where: str, values: tuple[object, ...] = ()) -> list[Segment]:
        return [_segment(row) for row in self._all(_SEGMENTS + where, values)]

    def _one(self, query: str, values: tuple[object, ...] = ()) -> _Row | None:
        return next(iter(self._all(query, values)), None)

    def _all(self, query: str, values: tuple[object, ...] = ()) -> list[_Row]:
        with self._errors():
            return self._db().execute(query, values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
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
            for name, window in self._my_pins.items():
                _put_pin(self._open, name, window)
        return self._open

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "") or "SQLITE_ERROR"
            if name == "SQLITE_FULL" or (name.startswith(_PERHAPS_FULL) and _free_bytes(self.folder) < _ROOM_BYTES):
                raise StorageFull(f"{self.path}: no space left on the disk") from error
            if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR")):
                raise IndexDamaged(f"{self.path}: is damaged ({error})") from error
            raise IndexUnusable(f"{self.path}: cannot be used ({error})") from error

    @staticmethod
    def _next_id(db: sqlite3.Connection) -> int:
        return int(db.execute("SELECT coalesce(max(id), 0) + 1 FROM segment").fetchone()[0])


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


def _segment(row: _Row) -> Segment:
    number, name, epoch, start_s, end_s, is_open, size, packets, codec, width, height, num, den, origin, frame_s = row
    return Segment(
        number, name, epoch, start_s, end_s, bool(is_open), size, packets, codec, (width, height), Fraction(num, den),
        origin, frame_s,
    )  # fmt: skip


def _row(segment: Segment) -> _Row:
    base = segment.time_base
    return (
        segment.id, segment.name, segment.epoch, segment.start_s, segment.end_s, int(segment.is_open),
        segment.size_bytes, segment.packets, segment.codec, *segment.coded_wh, base.numerator, base.denominator,
        segment.origin_pts, segment.frame_s,
    )  # fmt: skip


def _add_keyframes(db: sqlite3.Connection, segment_id: int, keyframes: Sequence[tuple[int, float]]) -> None:
    db.executemany(
        "INSERT OR REPLACE INTO keyframe (segment_id, pts, time_s) VALUES (?, ?, ?)",
        [(segment_id, pts, time_s) for pts, time_s in keyframes],
    )


def _put_pin(db: sqlite3.Connection, name: str, window: TimeWindow) -> None:
    db.execute(
        "INSERT OR REPLACE INTO pin (name, start_s, end_s) VALUES (?, ?, ?)", (name, window.start_s, window.end_s)
    )


def _free_bytes(folder: Path) -> int:
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize
