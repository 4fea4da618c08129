"""Who asks, and what they may: people by session cookie, boxes by bearer token.

An asker sees what lies in their district. What lies outside is *not found* (404); what their role does not allow is
*forbidden* (403). Requests of people that change something also carry the session's CSRF token.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVarTuple

from fastapi import Depends, Request
from sqlalchemy import Select, select, update
from sqlalchemy.orm import InstrumentedAttribute

from server.audit_log.service import Actor
from server.context import READING, Server, ServerOfRequest
from server.errors import Forbidden, NotLoggedIn
from server.permissions import PERMISSIONS, Permission, Role
from server.tables import Device, LoginSession

SESSION_COOKIE = "renzheng_session"
CSRF_HEADER = "X-CSRF-Token"
NOTE_USE_EVERY = timedelta(minutes=1)

Columns = TypeVarTuple("Columns")


def digest_of_token(token: str) -> str:
    """What is stored of a random token; tokens hold 256 bits at random, so a plain digest gives nothing away."""
    return hashlib.sha256(token.encode()).hexdigest()


def scope_of(district_code: str | None) -> str:
    """What all codes of a district and those below it begin with: 330200 holds 330281, 330281 itself alone."""
    code = district_code or ""
    while code.endswith("00"):
        code = code[:-2]
    return code


@dataclass(frozen=True)
class Subject:
    """A user who asks."""

    user_id: str
    login: str
    display_name: str
    role: Role
    district_code: str | None

    @property
    def actor(self) -> Actor:
        """For the audit log."""
        return Actor("user", self.user_id)

    @property
    def scope(self) -> str:
        """What district codes that this user sees begin with; empty sees all."""
        return scope_of(self.district_code)

    def may(self, permission: Permission) -> bool:
        """Whether the user's role allows it."""
        return permission in PERMISSIONS[self.role]

    def sees(self, district_code: str | None) -> bool:
        """Whether a thing in that district may be seen; what lies in no district is seen by those who see all."""
        return (district_code or "").startswith(self.scope)


@dataclass(frozen=True)
class BoxSubject:
    """A box that asks."""

    device_id: str
    institution_id: str
    fixmedins_code: str
    district_code: str

    @property
    def actor(self) -> Actor:
        """For the audit log."""
        return Actor("device", self.device_id)


def within(
    statement: Select[*Columns], district_code: InstrumentedAttribute[Any], subject: Subject
) -> Select[*Columns]:
    """The statement, for what the subject sees alone."""
    return statement.where(district_code.startswith(subject.scope, autoescape=True)) if subject.scope else statement


class Needs:
    """A dependency that gives the asking user, if they are logged in and may.

    Raises :class:`NotLoggedIn` and :class:`Forbidden`. ``permission`` is read by the test of all routes; ``None`` asks
    only that somebody is logged in.
    """

    def __init__(self, permission: Permission | None) -> None:
        self.permission = permission

    def __call__(self, request: Request, server: ServerOfRequest) -> Subject:
        """The user behind the request's cookie."""
        subject = _logged_in(request, server, with_expired_password=self.permission is None)
        if self.permission is not None and not subject.may(self.permission):
            raise Forbidden("your role does not allow this")
        return subject


def _logged_in(request: Request, server: Server, *, with_expired_password: bool) -> Subject:
    token = request.cookies.get(SESSION_COOKIE)
    if not token:
        raise NotLoggedIn("log in first")
    now = datetime.now(UTC)
    with server.database.transaction(writes=False) as session:
        login = session.get(LoginSession, digest_of_token(token))
    idle = timedelta(minutes=server.settings.session_idle_minutes)
    if login is None or login.expires_at <= now or login.used_at + idle <= now or login.user.disabled_at is not None:
        raise NotLoggedIn("the session has ended; log in again")
    if request.method not in READING:
        given = digest_of_token(request.headers.get(CSRF_HEADER, ""))
        if not hmac.compare_digest(given, login.csrf_digest):
            raise Forbidden(f"expected the session's token in {CSRF_HEADER}")
    if login.used_at + NOTE_USE_EVERY <= now:
        with server.database.transaction() as session:
            of_it = LoginSession.token_digest == login.token_digest
            session.execute(update(LoginSession).where(of_it).values(used_at=now))
    user = login.user
    if user.password_expired and not with_expired_password:
        raise Forbidden("somebody else set your password: change it first")
    return Subject(user.id, user.login, user.display_name, user.role, user.district_code)


def box_of(request: Request, server: ServerOfRequest) -> BoxSubject:
    """The box behind the request's token. Raises :class:`NotLoggedIn`."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise NotLoggedIn("expected the token of a box")
    with server.database.transaction(writes=False) as session:
        device = session.scalar(select(Device).where(Device.token_digest == digest_of_token(token.strip())))
    if device is None or device.revoked_at is not None:
        raise NotLoggedIn("the token of this box is not known, or was revoked")
    place = device.institution
    return BoxSubject(device.id, place.id, place.fixmedins_code, place.district_code)


Box = Annotated[BoxSubject, Depends(box_of)]
LoggedIn = Annotated[Subject, Depends(Needs(None))]
