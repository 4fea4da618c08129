"""Taking turns: what must not be done by two at once, within one transaction."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from server.tables import JobLock

NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def make_lock_row(session: Session, name: str) -> None:
    """Have a row of that name in the table of locks; one that is there stays as it is."""
    dialect = session.get_bind().dialect.name
    insert = postgresql.insert(JobLock) if dialect == "postgresql" else sqlite.insert(JobLock)
    session.execute(insert.values(name=name, holder="", until=NEVER).on_conflict_do_nothing())


def take_turn(session: Session, name: str) -> None:
    """Wait until no other transaction has this turn; it is given up when this transaction ends.

    On SQLite whoever writes is alone anyway.
    """
    make_lock_row(session, name)
    session.scalars(select(JobLock.name).where(JobLock.name == name).with_for_update()).one()
