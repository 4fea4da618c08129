"""The index of one camera's ring: which segments there are, what is pinned, where nothing was recorded.

A small SQLite database beside the segments. The camera's recorder writes it, the vision process reads it, and the main
process reads it and sets pins. It is worth no more than the ring, so it is not synced at every step: after a power cut
the last rows may be missing and are made again from the files (``edge_agent.ring.recovery``).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from fractions import Fraction
from itertools import count
from pathlib import Path

from edge_agent.footage import TimeWindow
from edge_agent.ring.database import IndexDamaged, IndexDatabase, IndexUnusable, Row
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
from renzheng.files import make_private

__all__ = ["CameraStatus", "Gap", "IndexDamaged", "IndexUnusable", "Keyframe", "Segment", "SegmentIndex"]

INDEX_NAME = "index.sqlite"
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


class SegmentIndex:
    """The index of the ring in ``folder``; both are created when missing.

    Times are seconds since 1970 (UTC) on the box's clock. One writer (the recorder) and any number of readers in other
    processes; an object is for one thread at a time. Any method may raise :class:`IndexUnusable` and, when it writes,
    :class:`renzheng.errors.StorageFull`; nothing is half-written then.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / INDEX_NAME
        self._database = IndexDatabase(self.path, self._put_my_pins)
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
        self._database.close()

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
        with self._database.writing() as db:
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
        with self._database.writing() as db:
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
        with self._database.writing() as db:
            db.execute(
                "UPDATE segment SET end_s = ?, size_bytes = ?, packets = ? WHERE id = ?",
                (end_s, size_bytes, packets, segment_id),
            )
            _add_keyframes(db, segment_id, keyframes)

    def finish(self, segment_id: int) -> None:
        """Mark a segment as complete."""
        with self._database.writing() as db:
            db.execute("UPDATE segment SET is_open = 0 WHERE id = ?", (segment_id,))

    def add(self, segment: Segment, keyframes: Sequence[tuple[int, float]] = (), *, as_oldest: bool = False) -> None:
        """Enter a complete segment whose file is there already; ``as_oldest`` before all others, else as the newest."""
        with self._database.writing() as db:
            lowest = db.execute("SELECT min(id) FROM segment").fetchone()[0]
            number = lowest - 1 if as_oldest and lowest is not None else self._next_id(db)
            db.execute(_INSERT, (number, *_row(segment)[1:]))
            _add_keyframes(db, number, keyframes)

    def forget(self, segment_id: int) -> None:
        """Drop a segment's row; nothing happens when there is none. Its file is the caller's work, before this."""
        with self._database.writing() as db:
            db.execute("DELETE FROM segment WHERE id = ?", (segment_id,))

    def note_gap(self, start_s: float, end_s: float | None, why: str) -> None:
        """Note a time without recording; without an end it lasts until :meth:`end_gap`. An open one stays the only."""
        with self._database.writing() as db:
            if end_s is None and db.execute("SELECT 1 FROM gap WHERE end_s IS NULL").fetchone():
                return
            db.execute("INSERT INTO gap (start_s, end_s, why) VALUES (?, ?, ?)", (start_s, end_s, why))

    def end_gap(self, end_s: float) -> None:
        """The gap that lasted is over; nothing happens when none did."""
        with self._database.writing() as db:
            db.execute("UPDATE gap SET end_s = max(?, start_s) WHERE end_s IS NULL", (end_s,))

    def forget_gaps_before(self, time_s: float) -> None:
        """Drop gaps that were over at a time."""
        with self._database.writing() as db:
            db.execute("DELETE FROM gap WHERE end_s <= ?", (time_s,))

    def write_status(self, status: CameraStatus) -> None:
        """Keep the camera's state in place of the one before."""
        with self._database.writing() as db:
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
        row = self._database.one(
            "SELECT (SELECT start_s FROM segment WHERE end_s > start_s ORDER BY start_s LIMIT 1),"
            " (SELECT end_s FROM segment WHERE end_s > start_s ORDER BY end_s DESC LIMIT 1)"
        )
        return None if row is None or row[0] is None else TimeWindow(row[0], row[1])

    def recorded_until(self) -> float | None:
        """How far the newest segment can be read, the open one included.

        When the box's clock was set back, earlier segments may reach beyond this.
        """
        row = self._database.one("SELECT end_s FROM segment WHERE end_s > start_s ORDER BY id DESC LIMIT 1")
        return None if row is None else float(row[0])

    def newest_epoch(self) -> tuple[int, float] | None:
        """Number of the newest segment's epoch and where its first segment begins."""
        row = self._database.one(
            "SELECT epoch, min(start_s) FROM segment WHERE epoch = (SELECT epoch FROM segment ORDER BY id DESC LIMIT 1)"
        )
        return None if row is None or row[0] is None else (int(row[0]), float(row[1]))

    def newest_keyframe(self) -> Keyframe | None:
        """The last keyframe that can be read."""
        row = self._database.one(
            "SELECT segment_id, pts, time_s FROM keyframe JOIN segment ON segment.id = segment_id"
            " WHERE time_s < end_s ORDER BY segment_id DESC, pts DESC LIMIT 1"
        )
        found = self._segments(" WHERE id = ?", (row[0],)) if row else []
        return Keyframe(found[0], int(row[1]), float(row[2])) if row and found else None

    def gaps(self, window: TimeWindow) -> list[Gap]:
        """Noted gaps that overlap the window, by start."""
        rows = self._database.all(
            "SELECT start_s, end_s, why FROM gap WHERE start_s < ? AND (end_s IS NULL OR end_s > ?) ORDER BY start_s",
            (window.end_s, window.start_s),
        )
        return [Gap(float(start_s), None if end_s is None else float(end_s), str(why)) for start_s, end_s, why in rows]

    def status(self) -> CameraStatus | None:
        """The camera's state as the recorder last kept it."""
        row = self._database.one("SELECT value FROM status")
        return status_of(row[0]) if row else None

    def size_bytes(self) -> int:
        """Bytes of all segments."""
        row = self._database.one("SELECT bytes FROM total")
        return int(row[0]) if row else 0

    def oldest_unpinned(self, after_id: int | None = None) -> Segment | None:
        """The complete segment that was recorded first of those that overlap no pin, or the next after one of them."""
        return next(iter(self._segments(_UNPINNED, (after_id, after_id))), None)

    # --- pins ---------------------------------------------------------------------------------------------------------

    def pin(self, name: str, window: TimeWindow) -> None:
        """Keep what is and will be recorded of the window until :meth:`unpin`; a pin of that name is replaced."""
        self._my_pins[name] = window
        with self._database.writing() as db:
            _put_pin(db, name, window)

    def unpin(self, name: str) -> None:
        """Let go of a pin; nothing happens when there is none."""
        self._my_pins.pop(name, None)
        with self._database.writing() as db:
            db.execute("DELETE FROM pin WHERE name = ?", (name,))

    def pins(self) -> dict[str, TimeWindow]:
        """All pins by name."""
        rows = self._database.all("SELECT name, start_s, end_s FROM pin ORDER BY name")
        return {str(name): TimeWindow(start_s, end_s) for name, start_s, end_s in rows}

    # --- database -----------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Read the whole index. Raises :class:`IndexDamaged` when something in it is wrong."""
        self._database.check()

    def _put_my_pins(self, db: sqlite3.Connection) -> None:
        """An index that was made anew knows nothing of the pins set from here."""
        for name, window in self._my_pins.items():
            _put_pin(db, name, window)

    def _segments(self, where: str, values: tuple[object, ...] = ()) -> list[Segment]:
        return [_segment(row) for row in self._database.all(_SEGMENTS + where, values)]

    @staticmethod
    def _next_id(db: sqlite3.Connection) -> int:
        return int(db.execute("SELECT coalesce(max(id), 0) + 1 FROM segment").fetchone()[0])


def _segment(row: Row) -> Segment:
    number, name, epoch, start_s, end_s, is_open, size, packets, codec, width, height, num, den, origin, frame_s = row
    return Segment(
        number, name, epoch, start_s, end_s, bool(is_open), size, packets, codec, (width, height), Fraction(num, den),
        origin, frame_s,
    )  # fmt: skip


def _row(segment: Segment) -> Row:
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
