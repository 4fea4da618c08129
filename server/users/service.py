"""Accounts: who may make and change which."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from renzheng.ids import new_id
from server.access import Subject
from server.audit_log.service import Actor, Deed, record
from server.context import Server
from server.errors import Conflict, NotFound, Unacceptable
from server.permissions import Role
from server.tables import User
from server.users import passwords, repository, throttle
from server.users.messages import NewUser, UserChange

_NO_SUCH_USER = "there is no such user"


def list_users(session: Session, subject: Subject, after: str, limit: int) -> Sequence[User]:
    """A page of the users of the subject's district."""
    return repository.page_of_users(session, subject, after, limit)


def find_user(session: Session, subject: Subject, user_id: str, *, to_change: bool = False) -> User:
    """One of them. Raises :class:`NotFound`."""
    user = repository.seen_user(session, subject, user_id, locked=to_change)
    if user is None:
        raise NotFound(_NO_SUCH_USER)
    return user


def own_account(session: Session, subject: Subject) -> User:
    """The subject's own. Raises :class:`NotFound` when it was deleted meanwhile."""
    user = repository.user_of_login(session, subject.login)
    if user is None:
        raise NotFound(_NO_SUCH_USER)
    return user


def create_user(session: Session, subject: Subject, new: NewUser, password_hash: str) -> User:
    """Make an account in the subject's district; its password must be changed at the first login.

    Raises :class:`Conflict` for a name that is taken and :class:`Unacceptable` for a district the subject does not see.
    """
    _require_district(session, subject, new.district_code)
    return add_user(
        session, subject.actor, new.login, new.display_name, new.role, new.district_code, password_hash, expired=True
    )


def add_user(
    session: Session,
    actor: Actor,
    login: str,
    display_name: str,
    role: Role,
    district_code: str | None,
    password_hash: str,
    *,
    expired: bool,
) -> User:
    """Make an account anywhere: for the command line. Raises as :func:`create_user`."""
    if repository.user_of_login(session, login) is not None:
        raise Conflict("this name is taken", "body.login")
    if district_code is not None and not repository.district_exists(session, district_code):
        raise Unacceptable("expected a district that the server knows", "body.district_code")
    now = datetime.now(UTC)
    user = User(
        id=new_id(),
        login=login,
        display_name=display_name,
        role=role,
        district_code=district_code,
        password_hash=password_hash,
        created_at=now,
        password_changed_at=now,
        password_expired=expired,
    )
    session.add(user)
    session.flush()
    _record(session, actor, "user_created", user, {"role": role.value})
    return user


def change_user(session: Session, subject: Subject, user_id: str, change: UserChange) -> User:
    """Change an account. Whoever gets another role or district, or is disabled, is logged out.

    Raises :class:`NotFound`, :class:`Conflict` for what an admin would do to themselves, and :class:`Unacceptable`
    for a district the subject does not see.
    """
    user = find_user(session, subject, user_id, to_change=True)
    asked = {name: getattr(change, name) for name in change.model_fields_set}
    for name in ("display_name", "role", "disabled"):
        if name in asked and asked[name] is None:
            raise Unacceptable("expected a value, or the field left out", f"body.{name}")
    if user.id == subject.user_id and asked.keys() - {"display_name"}:
        raise Conflict("another admin must change your role or district, or disable you")
    if "district_code" in asked:
        _require_district(session, subject, asked["district_code"])
    changed = _apply(user, asked)
    if changed.keys() - {"display_name"}:
        repository.end_sessions(session, user.id)
    if changed:
        _record(session, subject.actor, "user_changed", user, changed)
    return user


def _apply(user: User, asked: dict[str, Any]) -> dict[str, Any]:
    """What really changed, as the audit log may tell it: never the name."""
    told: dict[str, Any] = {}
    if "disabled" in asked and asked["disabled"] != (user.disabled_at is not None):
        user.disabled_at = datetime.now(UTC) if asked["disabled"] else None
        told["disabled"] = int(asked["disabled"])
    for name in asked.keys() - {"disabled"}:
        if getattr(user, name) != asked[name]:
            setattr(user, name, asked[name])
            told[name] = "changed" if name == "display_name" else str(asked[name] or "all")
    return told


def give_password(session: Session, server: Server, subject: Subject, user_id: str, password_hash: str) -> None:
    """Give somebody a password that they must change at once. Raises :class:`NotFound` and :class:`Conflict`."""
    user = find_user(session, subject, user_id, to_change=True)
    if user.id == subject.user_id:
        raise Conflict("your own password is changed with the old one, at /v1/me/password")
    set_password(session, server, subject.actor, user, password_hash, expired=True)


def set_password(
    session: Session, server: Server, actor: Actor, user: User, password_hash: str, *, expired: bool
) -> None:
    """Set a password: every session of the user ends, and tries at logging in count from nought again."""
    user.password_hash, user.password_expired, user.password_changed_at = password_hash, expired, datetime.now(UTC)
    repository.end_sessions(session, user.id)
    repository.forget_throttle(session, throttle.key_of(server, "login", user.login))
    _record(session, actor, "password_given" if expired else "password_changed", user, {})


def change_own_password(server: Server, subject: Subject, old: str, new: str, address: str) -> None:
    """Take another password. Tries at the old one count like tries at logging in.

    Raises :class:`Unacceptable` for a wrong old or a weak new password and :class:`server.errors.TooMany`.
    """
    passwords.require_good(new, subject.login, "body.new_password")
    now = datetime.now(UTC)
    with server.database.transaction() as session:
        tried = throttle.count_try(session, server, subject.login, address, now)
        user = repository.user_of_id(session, subject.user_id)
    compared = user.password_hash if user else None
    if not passwords.is_right(compared, old):
        raise Unacceptable("expected the password that is in use", "body.old_password")
    if passwords.is_right(compared, new):
        raise Unacceptable("expected another password than the one in use", "body.new_password")
    password_hash = passwords.hash_of(new)
    with server.database.transaction() as session:
        user = repository.user_of_id(session, subject.user_id)
        if user is None or user.password_hash != compared:
            raise Conflict("the password was changed at the same moment")
        throttle.forgive(session, tried, now)
        set_password(session, server, subject.actor, user, password_hash, expired=False)


def _require_district(session: Session, subject: Subject, district_code: str | None) -> None:
    known = district_code is None or repository.district_exists(session, district_code)
    if not known or not subject.sees(district_code):
        raise Unacceptable("expected a district of your own, or one below it", "body.district_code")


def _record(session: Session, actor: Actor, action: str, user: User, detail: dict[str, Any]) -> None:
    record(session, Deed(actor, action, "user", user.id, district_code=user.district_code, detail=detail))
