"""The tables of ``agent.sqlite``. Each step brings the schema from one version to the next; a step never changes.

Times are seconds since 1970 (UTC) on the box's clock. Paths are relative to the folder of the database where they lie
in it.
"""

from __future__ import annotations

_FIRST = (
    """
    CREATE TABLE swipes (
        number INTEGER PRIMARY KEY,
        swipe_id TEXT NOT NULL UNIQUE,
        terminal_id TEXT NOT NULL,
        swiped_s REAL NOT NULL,
        source TEXT NOT NULL,
        received_s REAL NOT NULL,
        clock_doubt INTEGER NOT NULL,
        state TEXT NOT NULL DEFAULT 'accepted' CHECK (state IN ('accepted', 'done')),
        attempts INTEGER NOT NULL DEFAULT 0,
        content TEXT NOT NULL  -- the swipe as JSON; the person's number in it is forgotten with the evidence
    )
    """,
    "CREATE INDEX open_swipes ON swipes (number) WHERE state = 'accepted'",
    """
    CREATE TABLE bed_checks (
        check_id TEXT PRIMARY KEY,
        bed_id TEXT NOT NULL,
        round_kind TEXT NOT NULL,
        due_s REAL NOT NULL,
        state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'done', 'missed')),
        attempts INTEGER NOT NULL DEFAULT 0,
        why TEXT NOT NULL DEFAULT ''
    )
    """,
    "CREATE INDEX open_bed_checks ON bed_checks (due_s) WHERE state = 'open'",
    """
    CREATE TABLE checks (
        number INTEGER PRIMARY KEY,
        check_id TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL CHECK (kind IN ('swipe', 'bed')),
        place TEXT NOT NULL,  -- terminal or bed
        camera_id TEXT,
        verdict TEXT NOT NULL,
        reasons TEXT NOT NULL,
        flagged INTEGER NOT NULL,
        asked_s REAL NOT NULL,
        finished_s REAL NOT NULL,
        leaves TEXT NOT NULL CHECK (leaves IN ('report', 'samples', 'clip')),
        sent_s REAL,  -- when the last that had to leave was acknowledged
        body TEXT  -- the check as JSON; forgotten with its evidence
    )
    """,
    "CREATE INDEX finished_checks ON checks (finished_s, kind, verdict)",
    "CREATE INDEX sent_checks ON checks (sent_s) WHERE body IS NOT NULL",
    """
    CREATE TABLE files (
        path TEXT PRIMARY KEY,
        check_id TEXT NOT NULL REFERENCES checks (check_id),
        kind TEXT NOT NULL,
        piece TEXT,  -- of a small file that may leave the box: what the check calls it
        size_bytes INTEGER NOT NULL
    )
    """,
    "CREATE INDEX files_of_check ON files (check_id)",
    """
    CREATE TABLE outbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL CHECK (kind IN ('check', 'clip', 'report')),
        name TEXT NOT NULL,  -- the id it is delivered under; a clip has its check's
        check_id TEXT REFERENCES checks (check_id),
        body TEXT,  -- of a report
        flagged INTEGER NOT NULL,
        created_s REAL NOT NULL,
        state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sending', 'acknowledged', 'refused')),
        attempts INTEGER NOT NULL DEFAULT 0,
        held_from_s REAL NOT NULL DEFAULT 0,  -- leased, or put off, within these two
        held_until_s REAL NOT NULL DEFAULT 0,
        upload_url TEXT,
        why TEXT NOT NULL DEFAULT '',
        acknowledged_s REAL,
        UNIQUE (kind, name)
    )
    """,
    "CREATE INDEX waiting ON outbox (kind, flagged DESC, id) WHERE state IN ('pending', 'sending')",
    "CREATE INDEX outbox_states ON outbox (kind, state)",
    "CREATE INDEX outbox_of_check ON outbox (check_id, kind, state)",
    """
    CREATE TABLE footfall (
        camera_id TEXT NOT NULL,
        hour_s INTEGER NOT NULL,
        visits INTEGER NOT NULL,
        most_at_once INTEGER NOT NULL,
        looks INTEGER NOT NULL,
        PRIMARY KEY (camera_id, hour_s)
    ) WITHOUT ROWID
    """,
    "CREATE TABLE fitness (camera_id TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID",
    """
    CREATE TABLE events (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        at_s REAL NOT NULL,
        kind TEXT NOT NULL,
        camera_id TEXT,
        detail TEXT NOT NULL
    )
    """,
    "CREATE TABLE drops (kind TEXT PRIMARY KEY, total INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE notes (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
)

STEPS: tuple[tuple[str, ...], ...] = (_FIRST,)
"""Statements that lead from version 0, an empty file, to 1, from 1 to 2, and so on."""
