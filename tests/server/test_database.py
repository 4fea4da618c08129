"""What becomes of a transaction that the database does not take."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from renzheng.ids import new_id
from server import database as database_module
from server.context import Server
from server.database import Database
from server.errors import Conflict, Unacceptable, Unavailable
from server.tables import District, Terminal
from tests.server.conftest import PHARMACY, YUYAO


def test_what_is_there_already_is_a_conflict(server: Server) -> None:
    with pytest.raises(Conflict), server.database.transaction() as session:
        session.add(District(code=YUYAO, name="余姚市"))


def test_a_reference_to_nothing_is_a_mistake_of_ours(server: Server) -> None:
    with pytest.raises(IntegrityError), server.database.transaction() as session:
        session.add(Terminal(id=new_id(), institution_id="nowhere", terminal_id="T1"))


@pytest.mark.parametrize("name", ["a\x00b", "a" * 65])
def test_a_value_that_postgresql_cannot_hold_is_not_a_failure(postgresql_url: str, name: str) -> None:
    database = Database(postgresql_url)
    with pytest.raises(Unacceptable), database.transaction() as session:
        session.add(Terminal(id=new_id(), institution_id=PHARMACY, terminal_id=name))
    database.close()


def test_a_database_that_has_no_connection_left_is_unavailable(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("POOL", 1), ("POOL_OVERFLOW", 0), ("POOL_WAIT_S", 0.1)):
        monkeypatch.setattr(database_module, name, value)
    database = Database(postgresql_url)
    with database.transaction(writes=False) as first:
        first.scalars(select(District)).all()
        with pytest.raises(Unavailable), database.transaction(writes=False) as second:
            second.scalars(select(District)).all()
    database.close()


def test_a_database_that_cannot_be_reached_is_unavailable() -> None:
    database = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")
    with pytest.raises(Unavailable), database.transaction(writes=False) as session:
        session.scalars(select(District)).all()
    database.close()


def test_nothing_of_a_transaction_is_kept_that_fails(server: Server) -> None:
    with pytest.raises(RuntimeError), server.database.transaction() as session:
        session.add(District(code="330283", name="奉化区"))
        session.flush()
        raise RuntimeError("as a test")
    with server.database.transaction(writes=False) as session:
        assert session.get(District, "330283") is None


def test_a_time_without_zone_is_a_mistake_of_ours(sqlite_server: Server) -> None:
    from server.tables import Institution

    with pytest.raises(Exception, match="aware"), sqlite_server.database.transaction() as session:
        session.get_one(Institution, PHARMACY).closed_at = datetime.now(UTC).replace(tzinfo=None)


def test_what_goes_wrong_is_told_without_the_values(server: Server) -> None:
    with server.database.transaction() as session, pytest.raises(DBAPIError) as told:
        session.execute(text("SELECT :psn_no FROM nowhere"), {"psn_no": "33028119491231002X"})
    assert "33028119491231002X" not in str(told.value)
