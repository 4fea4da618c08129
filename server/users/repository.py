"""Users, sessions and counted tries in the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from server.access import Subject, within
from server.tables import District, LoginSession, LoginThrottle, User


def seen_users(subject: Subject) -> Select[User]:
    """All users of the subject's district."""
    return within(select(User), User.district_code, subject)


def page_of_users(session: Session, subject: Subject, after: str, limit: int) -> Sequence[User]:
    """Users after an id, in the order of ids."""
    return session.scalars(seen_users(subject).where(User.id > after).order_by(User.id).limit(limit)).all()


def seen_user(session: Session, subject: Subject, user_id: str, *, locked: bool = False) -> User | None:
    """One user of the subject's district; locked until the transaction ends, if so asked."""
    found = seen_users(subject).where(User.id == user_id)
    return session.scalar(found.with_for_update() if locked else found)


def user_of_login(session: Session, login: str) -> User | None:
    """The user with a login name."""
    return session.scalar(select(User).where(User.login == login))


def user_of_id(session: Session, user_id: str) -> User | None:
    """The user with an id, locked until the transaction ends."""
    return session.get(User, user_id, with_for_update=True)


def district_exists(session: Session, code: str) -> bool:
    """Whether there is such a district."""
    return session.get(District, code) is not None


def end_sessions(session: Session, user_id: str) -> None:
    """Every session of a user ends."""
    session.execute(delete(LoginSession).where(LoginSession.user_id == user_id))


def end_session(session: Session, token_digest: str) -> None:
    """One session ends."""
    session.execute(delete(LoginSession).where(LoginSession.token_digest == token_digest))


def throttle(session: Session, key: str, now: datetime) -> LoginThrottle:
    """The counted tries of a key, locked until the transaction ends; made when there were none."""
    insert: Any = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    session.execute(insert(LoginThrottle).values(key=key, tried=0, last_at=now).on_conflict_do_nothing())
    return session.get_one(LoginThrottle, key, with_for_update=True, populate_existing=True)


def forget_throttle(session: Session, key: str) -> None:
    """The tries of a key are forgotten."""
    session.execute(delete(LoginThrottle).where(LoginThrottle.key == key))


def purge(session: Session, now: datetime, idle_before: datetime, tried_before: datetime) -> int:
    """Delete sessions that ended and tries that no longer count; how many."""
    over = delete(LoginSession).where(or_(LoginSession.expires_at <= now, LoginSession.used_at <= idle_before))
    old = delete(LoginThrottle).where(LoginThrottle.last_at <= tried_before)
    results: list[Any] = [session.execute(over), session.execute(old)]
    return sum(result.rowcount for result in results)
