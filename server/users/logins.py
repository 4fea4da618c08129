"""Logging in and out.

Comparing a password takes long, so a login is three steps: count the try, compare, and note how it ended. The first
and the last are transactions of their own; a try counts whatever becomes of the request.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from server.access import Subject, digest_of_token
from server.audit_log.service import SYSTEM, Actor, Deed, record
from server.context import Server
from server.errors import NotLoggedIn
from server.tables import LoginSession, User
from server.users import passwords, repository, throttle

_WRONG = "login or password is wrong, or the account is disabled"


@dataclass(frozen=True)
class Opened:
    """A session that was opened; the token is told this once."""

    token: str
    user: User
    lasts: timedelta


def csrf_token_of(token: str) -> str:
    """The CSRF token of a session: made of its token, which no script of any page can read."""
    return hashlib.sha256(f"csrf:{token}".encode()).hexdigest()


def log_in(server: Server, login: str, password: str, address: str) -> Opened:
    """Open a session. Raises :class:`NotLoggedIn`, the same for each cause, and :class:`server.errors.TooMany`."""
    name = login.strip().lower()
    now = datetime.now(UTC)
    with server.database.transaction() as session:
        tried = throttle.count_try(session, server, name, address, now)
        user = repository.user_of_login(session, name)
    right = passwords.is_right(user.password_hash if user else None, password)
    better_hash = passwords.hash_of(password) if user and right and passwords.is_outdated(user.password_hash) else None
    with server.database.transaction() as session:
        opened = None
        if user and right:
            opened = _open_session(session, server, user, better_hash)
        if opened is None:
            _note_failure(session, user)
        else:
            throttle.forgive(session, tried, now)
    if opened is None:
        raise NotLoggedIn(_WRONG)
    return opened


def _open_session(session: Session, server: Server, compared: User, better_hash: str | None) -> Opened | None:
    """``None`` when the account was disabled, or its password changed, while the password was compared."""
    user = repository.user_of_id(session, compared.id)
    if user is None or user.disabled_at is not None or user.password_hash != compared.password_hash:
        return None
    if better_hash is not None:
        user.password_hash = better_hash
    token, now, lasts = secrets.token_urlsafe(32), datetime.now(UTC), timedelta(hours=server.settings.session_hours)
    session.add(
        LoginSession(
            token_digest=digest_of_token(token),
            user_id=user.id,
            csrf_digest=digest_of_token(csrf_token_of(token)),
            created_at=now,
            used_at=now,
            expires_at=now + lasts,
        )
    )
    record(session, Deed(Actor("user", user.id), "logged_in", "user", user.id, district_code=user.district_code))
    return Opened(token, user, lasts)


def _note_failure(session: Session, user: User | None) -> None:
    """The name that was tried is not kept where nobody has it: it may be a password in the wrong field."""
    object_id, district_code = (user.id, user.district_code) if user else ("unknown", None)
    record(session, Deed(SYSTEM, "login_failed", "user", object_id, district_code=district_code))


def log_out(session: Session, subject: Subject, token: str) -> None:
    """End one session."""
    repository.end_session(session, digest_of_token(token))
    record(session, Deed(subject.actor, "logged_out", "user", subject.user_id, district_code=subject.district_code))


def purge(session: Session, server: Server, now: datetime) -> int:
    """Delete sessions that ended and tries that no longer count; how many. For the periodic jobs."""
    idle = timedelta(minutes=server.settings.session_idle_minutes)
    return repository.purge(session, now, now - idle, now - throttle.FORGOTTEN_AFTER)
