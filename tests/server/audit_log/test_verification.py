"""The audit log can only grow, and whatever was done to it behind the server's back is named by number."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from renzheng.cli import run
from server.audit_log.repository import BATCH
from server.audit_log.service import FIRST_DIGEST, SYSTEM, Deed, digest_of, record
from server.audit_log.verification import Head, Verified, verify_chain
from server.context import Server
from server.tables import AuditEntry
from tests.server.conftest import KEYS

ENTRIES = 7

_UNGUARDED = {
    "sqlite": [f"DROP TRIGGER IF EXISTS audit_log_no_{deed}" for deed in ("update", "delete", "replace")]
    + ["DROP TRIGGER IF EXISTS audit_head_forward"],
    "postgresql": ["ALTER TABLE audit_log DISABLE TRIGGER USER", "ALTER TABLE audit_head DISABLE TRIGGER USER"],
}


def write(server: Server, count: int = ENTRIES) -> None:
    """Entries, several of them in one transaction."""
    with server.database.transaction() as session:
        for number in range(count):
            record(session, Deed(SYSTEM, "tested", "person", f"P{number}", "试验", "330281", {"光": "亮", "n": number}))


def verified(server: Server, *noted: Head) -> Verified:
    with server.database.transaction(writes=False) as session:
        return verify_chain(session, noted)


def behind(server: Server, *statements: str) -> None:
    """What somebody does who owns the database."""
    with server.database.engine.begin() as connection:
        _unguard(connection)
        for statement in statements:
            connection.execute(text(statement))


def _unguard(connection: Connection) -> None:
    for statement in _UNGUARDED[connection.dialect.name]:
        connection.exec_driver_sql(statement)


def forge(server: Server, number: int, **changed: str) -> None:
    """An entry is changed, and given the digest that fits."""
    with Session(server.database.engine) as session:
        _unguard(session.connection())
        entry = session.get_one(AuditEntry, number)
        for name, value in changed.items():
            setattr(entry, name, value)
        entry.digest = digest_of(entry)
        session.commit()


def test_an_empty_log_is_whole(server: Server) -> None:
    assert verified(server) == Verified(0, Head(0, FIRST_DIGEST), [])


def test_what_the_server_wrote_is_whole(server: Server) -> None:
    write(server)
    write(server, 1)
    told = verified(server)
    assert (told.entries, told.head.number, told.findings) == (ENTRIES + 1, ENTRIES + 1, [])


def test_a_long_log_is_read_a_batch_at_a_time(sqlite_server: Server) -> None:
    write(sqlite_server, BATCH + 5)
    assert verified(sqlite_server).findings == []
    behind(sqlite_server, f"DELETE FROM audit_log WHERE number = {BATCH + 1}")
    assert [str(one) for one in verified(sqlite_server).findings] == [f"entry {BATCH + 1}: removed"]


_INSERTED = (
    "INSERT INTO audit_log SELECT {number}, at, actor_kind, actor_id, action, object_kind, object_id, purpose,"
    " district_code, detail, previous_digest, digest FROM audit_log WHERE number = 3"
)


@pytest.mark.parametrize(
    ("deed", "findings"),
    [
        (["UPDATE audit_log SET object_id = 'P9' WHERE number = 3"], ["entry 3: changed after it was written"]),
        (["UPDATE audit_log SET purpose = '' WHERE number = 1"], ["entry 1: changed after it was written"]),
        (["UPDATE audit_log SET detail = '{}' WHERE number = 7"], ["entry 7: changed after it was written"]),
        (["UPDATE audit_log SET digest = previous_digest WHERE number = 4"], ["entry 4: changed after it was written"]),
        (["DELETE FROM audit_log WHERE number = 1"], ["entry 1: removed"]),
        (["DELETE FROM audit_log WHERE number IN (3, 4, 5)"], ["entries 3 to 5: removed"]),
        (["DELETE FROM audit_log WHERE number = 7"], ["entry 7: cut off from the end"]),
        (["DELETE FROM audit_log WHERE number > 4"], ["entries 5 to 7: cut off from the end"]),
        (["DELETE FROM audit_log"], ["entries 1 to 7: cut off from the end"]),
        ([_INSERTED.format(number=8)], ["entry 8: put in by somebody else than the server"]),
        ([_INSERTED.format(number=0)], ["entry 0: put in by somebody else than the server"]),
        (
            ["DELETE FROM audit_log WHERE number = 2", "UPDATE audit_log SET action = 'x' WHERE number = 6"],
            ["entry 2: removed", "entry 6: changed after it was written"],
        ),
        (
            ["DELETE FROM audit_log WHERE number = 5", _INSERTED.format(number=5)],
            ["entry 5: changed after it was written"],
        ),
    ],
)
def test_what_was_done_is_named_by_number(sqlite_server: Server, deed: list[str], findings: list[str]) -> None:
    write(sqlite_server)
    behind(sqlite_server, *deed)
    assert [str(one) for one in verified(sqlite_server).findings] == findings


def test_several_deeds_are_all_named(server: Server) -> None:
    write(server, 12)
    behind(
        server,
        "UPDATE audit_log SET detail = '{}' WHERE number = 3",
        "DELETE FROM audit_log WHERE number IN (5, 6, 11, 12)",
        _INSERTED.format(number=14),
    )
    forge(server, 9, object_id="P9")
    assert [str(one) for one in verified(server).findings] == [
        "entry 3: changed after it was written",
        "entries 5 to 6: removed",
        "entry 9: changed after it was written",
        "entry 14: put in by somebody else than the server",
        "entries 11 to 12: cut off from the end",
    ]


@pytest.mark.parametrize("number", [1, 3, 7])
def test_a_change_with_a_digest_that_fits_is_still_named(sqlite_server: Server, number: int) -> None:
    write(sqlite_server)
    forge(sqlite_server, number, object_id="P9")
    assert [str(one) for one in verified(sqlite_server).findings] == [f"entry {number}: changed after it was written"]


def test_only_a_head_that_was_noted_elsewhere_shows_a_log_written_anew(server: Server) -> None:
    write(server)
    noted = verified(server).head
    write(server, 2)
    assert verified(server, noted).findings == []
    with Session(server.database.engine) as session:
        _unguard(session.connection())
        session.execute(text("DELETE FROM audit_log"))
        session.execute(text(f"UPDATE audit_head SET number = 0, digest = '{FIRST_DIGEST}'"))
        session.commit()
    write(server, ENTRIES + 2)
    assert verified(server).findings == []
    assert [str(one).split(":")[0] for one in verified(server, noted).findings] == [f"entry {ENTRIES}"]


def test_a_log_cut_together_with_its_head_is_shown_by_a_noted_head(server: Server) -> None:
    write(server)
    noted = verified(server).head
    behind(
        server,
        "DELETE FROM audit_log WHERE number > 4",
        "UPDATE audit_head SET number = 4, digest = (SELECT digest FROM audit_log WHERE number = 4)",
    )
    assert verified(server).findings == []
    assert [str(one) for one in verified(server, noted).findings] == ["entries 5 to 7: cut off from the end"]


_REFUSED = (
    "UPDATE audit_log SET purpose = '' WHERE number = 3",
    "DELETE FROM audit_log WHERE number = 3",
    "DELETE FROM audit_log",
    "UPDATE audit_head SET number = number",
    "UPDATE audit_head SET number = 2",
    "DELETE FROM audit_head",
)
_REFUSED_BY = {
    "sqlite": (_INSERTED.format(number=4).replace("INSERT", "INSERT OR REPLACE"),),
    "postgresql": ("TRUNCATE audit_log", "TRUNCATE audit_head"),
}


def test_the_log_is_only_added_to(server: Server) -> None:
    write(server)
    for statement in _REFUSED + _REFUSED_BY[server.database.engine.dialect.name]:
        with pytest.raises(DBAPIError, match="audit log"), server.database.engine.begin() as connection:
            connection.execute(text(statement))
        assert verified(server).findings == []


@pytest.mark.parametrize("value", [1.5, None, ["a"]])
def test_details_are_words_and_whole_numbers(sqlite_server: Server, value: object) -> None:
    with pytest.raises(TypeError, match="n"), sqlite_server.database.transaction() as session:
        record(session, Deed(SYSTEM, "tested", "person", "P1", detail={"n": value}))


def test_writers_at_once_make_one_chain(server: Server) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: write(server, 3), range(8)))
    told = verified(server)
    assert (told.entries, told.findings) == (24, [])


def test_the_command_names_the_entry_and_fails(
    sqlite_server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RENZHENG_SERVER_DATA_DIR", str(sqlite_server.settings.data_dir))
    monkeypatch.setenv("RENZHENG_SERVER_KEY_RING", KEYS.text())
    write(sqlite_server)
    assert run(["server", "verify-audit-log"]) == 0
    head = str(verified(sqlite_server).head)
    assert f"7 entries; head {head}" in capsys.readouterr().out
    assert run(["server", "verify-audit-log", "--noted", head]) == 0
    behind(sqlite_server, "UPDATE audit_log SET object_id = 'P9' WHERE number = 3")
    assert run(["server", "verify-audit-log"]) == 1
    assert "entry 3: changed after it was written" in capsys.readouterr().out
    assert run(["server", "verify-audit-log", "--noted", "7"]) == 2
    assert "--noted" in capsys.readouterr().err
