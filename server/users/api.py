"""Logging in, and the accounts of those who may."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from server.access import SESSION_COOKIE, LoggedIn, Needs, Subject
from server.context import ServerOfRequest, Transaction
from server.permissions import PERMISSIONS, Permission
from server.problems import Problem
from server.tables import User
from server.users import logins, passwords, service
from server.users.messages import Credentials, Me, NewPassword, NewUser, OwnPassword, UserAnswer, UserChange, UserPage

router = APIRouter(tags=["users"])

Keeper = Annotated[Subject, Depends(Needs(Permission.EDIT_USERS))]
UserId = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]

_NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"model": Problem, "description": "no such user in your district"}}
_CONFLICT: dict[int | str, dict[str, Any]] = {409: {"model": Problem, "description": "it contradicts what is there"}}
_TOO_MANY: dict[int | str, dict[str, Any]] = {
    429: {"model": Problem, "description": "too many tries: wait for as long as Retry-After says"}
}


@router.post(
    "/v1/login",
    summary="Log in",
    responses={401: {"model": Problem, "description": "login or password is wrong"}, **_TOO_MANY},
)
def log_in(asked: Credentials, request: Request, response: Response, server: ServerOfRequest) -> Me:
    """Opens a session: the cookie is the session, and ``csrf_token`` goes with every request that changes something.

    After five wrong passwords a name waits a minute, then twice as long each time, up to a quarter of an hour. Names
    that nobody has are answered the same.
    """
    opened = logins.log_in(server, asked.login, asked.password.get_secret_value(), _address(request))
    response.set_cookie(
        SESSION_COOKIE,
        opened.token,
        max_age=int(opened.lasts.total_seconds()),
        httponly=True,
        secure=server.settings.cookie_secure,
        samesite="lax",
    )
    return _me(opened.user, opened.token)


@router.post("/v1/logout", summary="Log out", status_code=204)
def log_out(request: Request, response: Response, subject: LoggedIn, session: Transaction) -> None:
    """Ends this session, here and on the server."""
    logins.log_out(session, subject, request.cookies[SESSION_COOKIE])
    response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="lax")


@router.get("/v1/me", summary="Who am I")
def me(request: Request, subject: LoggedIn, session: Transaction) -> Me:
    """Who is logged in, what they may, and the CSRF token of the session."""
    return _me(service.own_account(session, subject), request.cookies[SESSION_COOKIE])


@router.put("/v1/me/password", summary="Change your password", status_code=204, responses=_CONFLICT | _TOO_MANY)
def change_own_password(asked: OwnPassword, request: Request, subject: LoggedIn, server: ServerOfRequest) -> None:
    """Takes another password. Every session of yours ends, this one too: log in anew."""
    old, new = asked.old_password.get_secret_value(), asked.new_password.get_secret_value()
    service.change_own_password(server, subject, old, new, _address(request))


@router.get("/v1/users", summary="List users")
def list_users(
    subject: Keeper,
    session: Transaction,
    after: Annotated[str, Query(description="id of the last user of the page before", pattern="^[0-9a-f]{0,32}$")] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> UserPage:
    """The accounts of your district, in the order of their ids."""
    return UserPage(users=[_answer(user) for user in service.list_users(session, subject, after, limit)])


@router.post("/v1/users", summary="Make a user", status_code=201, responses=_CONFLICT)
def create_user(asked: NewUser, subject: Keeper, session: Transaction) -> UserAnswer:
    """Makes an account in your district. Its password has to be changed at the first login."""
    return _answer(
        service.create_user(session, subject, asked, _hash_of(asked.password.get_secret_value(), asked.login))
    )


@router.get("/v1/users/{user_id}", summary="See a user", responses=_NOT_FOUND)
def see_user(user_id: UserId, subject: Keeper, session: Transaction) -> UserAnswer:
    """One account of your district."""
    return _answer(service.find_user(session, subject, user_id))


@router.patch("/v1/users/{user_id}", summary="Change a user", responses=_NOT_FOUND | _CONFLICT)
def change_user(user_id: UserId, asked: UserChange, subject: Keeper, session: Transaction) -> UserAnswer:
    """Changes what is given. Whoever gets another role or district, or is disabled, is logged out at once."""
    return _answer(service.change_user(session, subject, user_id, asked))


@router.put(
    "/v1/users/{user_id}/password", summary="Give a user a password", status_code=204, responses=_NOT_FOUND | _CONFLICT
)
def give_password(
    user_id: UserId, asked: NewPassword, subject: Keeper, session: Transaction, server: ServerOfRequest
) -> None:
    """Gives somebody a password that they must change at once. Their sessions end, and so does waiting after tries."""
    password_hash = _hash_of(asked.password.get_secret_value(), user_id)
    service.give_password(session, server, subject, user_id, password_hash)


def _hash_of(password: str, login: str) -> str:
    """Made before the transaction touches the database: it takes too long to hold a lock meanwhile."""
    passwords.require_good(password, login, "body.password")
    return passwords.hash_of(password)


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"


def _me(user: User, token: str) -> Me:
    return Me(
        id=user.id,
        login=user.login,
        display_name=user.display_name,
        role=user.role,
        district_code=user.district_code,
        permissions=sorted(PERMISSIONS[user.role]),
        password_expired=user.password_expired,
        csrf_token=logins.csrf_token_of(token),
    )


def _answer(user: User) -> UserAnswer:
    return UserAnswer(
        id=user.id,
        login=user.login,
        display_name=user.display_name,
        role=user.role,
        district_code=user.district_code,
        created_at=user.created_at,
        disabled_at=user.disabled_at,
        password_changed_at=user.password_changed_at,
        password_expired=user.password_expired,
    )
