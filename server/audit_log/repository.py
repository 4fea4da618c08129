"""Entries of the audit log in the database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from server.access import Subject, within
from server.tables import AuditEntry, AuditHead, User

BATCH = 2000


def page_of_entries(
    session: Session, subject: Subject, wanted: dict[str, Any], since: datetime | None, until: datetime | None,
    after: int, limit: int, *, newest_first: bool,
) -> Sequence[AuditEntry]:  # fmt: skip
    """Entries of the subject's district whose columns have the wanted values, after a number in their order."""
    statement: Select[AuditEntry] = within(select(AuditEntry), AuditEntry.district_code, subject)
    statement = statement.filter_by(**wanted)
    if since is not None:
        statement = statement.where(AuditEntry.at >= since)
    if until is not None:
        statement = statement.where(AuditEntry.at < until)
    if newest_first:
        older = statement.where(AuditEntry.number < after) if after else statement
        return session.scalars(older.order_by(AuditEntry.number.desc()).limit(limit)).all()
    return session.scalars(statement.where(AuditEntry.number > after).order_by(AuditEntry.number).limit(limit)).all()


def logins_of(session: Session, user_ids: Iterable[str]) -> dict[str, str]:
    """Login names by the ids of users."""
    found = session.execute(select(User.id, User.login).where(User.id.in_(set(user_ids))))
    return {row.id: row.login for row in found}


def head(session: Session) -> AuditHead | None:
    """Where the chain ends."""
    return session.scalar(select(AuditHead))


def all_entries(session: Session) -> Iterator[AuditEntry]:
    """Every entry in the order of numbers, a batch at a time."""
    statement = select(AuditEntry).order_by(AuditEntry.number)
    for entry in session.scalars(statement.execution_options(yield_per=BATCH)):
        yield entry
        session.expunge(entry)
