"""The file under the store: private, upgraded step by step, moved aside when damaged, never opened when too new."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from edge_agent.outbox import schema
from edge_agent.outbox.database import Database, StoreDamaged, StoreFailed, damaged_files
from edge_agent.outbox.store import Store
from renzheng.errors import BadInput
from tests.edge_agent.outbox.builders import NOON_S, a_swipe, finish


def test_it_is_for_its_owner_alone(tmp_path: Path) -> None:
    with Store(tmp_path / "box" / "agent.sqlite") as store:
        store.accept(a_swipe(), "http", NOON_S, clock_doubt=False)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "box").iterdir()}
    assert modes == {"agent.sqlite": 0o600, "agent.sqlite-wal": 0o600, "agent.sqlite-shm": 0o600}
    assert stat.S_IMODE((tmp_path / "box").stat().st_mode) == 0o700


def test_every_commit_is_synced_to_the_disk(tmp_path: Path) -> None:
    with closing(Database(tmp_path / "agent.sqlite")) as database:
        assert database.value("PRAGMA journal_mode") == "wal"
        with database.transaction(durable=False):
            assert database.value("PRAGMA synchronous") == 1
        with database.transaction():
            assert database.value("PRAGMA synchronous") == 2


def test_a_failed_transaction_leaves_nothing_and_the_next_goes_on(tmp_path: Path) -> None:
    with closing(Database(tmp_path / "agent.sqlite")) as database:
        with pytest.raises(RuntimeError), database.transaction() as write:
            write.execute("INSERT INTO notes VALUES ('a', '1')")
            raise RuntimeError
        with pytest.raises(sqlite3.IntegrityError), database.transaction() as write:
            write.execute("INSERT INTO notes VALUES ('b', NULL)")
        with database.transaction() as write:
            write.execute("INSERT INTO notes VALUES ('c', '1')")
        assert [row["key"] for row in database.rows("SELECT key FROM notes")] == ["c"]


def test_an_older_schema_is_brought_up_with_what_it_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "agent.sqlite"
    with Store(path) as store:
        finish(store)
    step = ("ALTER TABLE notes ADD COLUMN extra TEXT", "UPDATE swipes SET source = 'upgraded'")
    monkeypatch.setattr(schema, "STEPS", (*schema.STEPS, step))

    with Store(path) as store:
        record = store.find("S1")
        assert record is not None
        assert record.source == "upgraded"
        assert store.database.value("PRAGMA user_version") == len(schema.STEPS)


def test_a_step_that_fails_leaves_the_schema_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "agent.sqlite"
    with Store(path) as store:
        finish(store)
    known = schema.STEPS
    with monkeypatch.context() as broken:
        broken.setattr(schema, "STEPS", (*known, ("ALTER TABLE notes ADD COLUMN extra TEXT", "nonsense")))
        with pytest.raises(sqlite3.OperationalError):
            Store(path)
    with Store(path) as store:
        assert store.find("S1") is not None
        assert store.database.value("PRAGMA user_version") == len(known)


def test_a_store_of_a_newer_agent_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "agent.sqlite"
    Store(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(BadInput, match=r"agent\.sqlite: was written by a newer agent \(schema 99; this one knows 1\)"):
        Store(path)


def garbage(path: Path) -> None:
    path.write_bytes(b"not a database at all" * 500)


def a_torn_page(path: Path) -> None:
    with path.open("rb+") as stream:
        stream.seek(4096)
        stream.write(b"\xa5" * 8192)


def cut_off(path: Path) -> None:
    with path.open("rb+") as stream:
        stream.truncate(path.stat().st_size // 2)


@pytest.mark.parametrize("damage", [garbage, a_torn_page, cut_off])
def test_a_damaged_store_is_moved_aside_and_the_box_goes_on(tmp_path: Path, damage: object) -> None:
    path = tmp_path / "agent.sqlite"
    with Store(path) as store:
        finish(store)
        assert store.moved_aside is None
    damage(path)  # type: ignore[operator]
    spoilt = path.read_bytes()

    with Store(path) as store:
        assert store.moved_aside == tmp_path / "agent.sqlite.damaged-1"
        assert store.moved_aside.read_bytes() == spoilt
        assert store.find("S1") is None
        assert store.accept(a_swipe(), "http", NOON_S, clock_doubt=False).state == "new"
    garbage(path)
    Store(path).close()
    assert [file.name for file in damaged_files(path)] == ["agent.sqlite.damaged-1", "agent.sqlite.damaged-2"]
    with Store(path) as store:
        assert store.moved_aside is None


def test_damage_while_it_runs_is_told_as_such(tmp_path: Path) -> None:
    path = tmp_path / "agent.sqlite"
    with Store(path) as store:
        finish(store)
    with Store(path) as store:
        store.database.rows("PRAGMA shrink_memory")  # what lies in memory is sound
        with path.open("rb+") as stream:
            stream.seek(4096)
            stream.write(b"\xa5" * (path.stat().st_size - 4096))
        with pytest.raises(StoreDamaged, match="the database is damaged"):
            store.find("S1")


def test_a_folder_in_its_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "agent.sqlite").mkdir()
    with pytest.raises((StoreFailed, OSError)):
        Store(tmp_path / "agent.sqlite")


def test_a_second_writer_is_told_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store(tmp_path / "agent.sqlite") as store, closing(sqlite3.connect(store.database.path)) as other:
        store.database._connection.execute("PRAGMA busy_timeout = 10")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreFailed, match="the database cannot be used: database is locked"):
            store.accept(a_swipe(), "http", NOON_S, clock_doubt=False)
        other.rollback()
        assert store.accept(a_swipe(), "http", NOON_S, clock_doubt=False).state == "new"
