"""``renzheng server create-user`` and ``set-password``: the first admin, and the one who forgot."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from renzheng.errors import BadInput
from server.audit_log.service import SYSTEM
from server.context import Server
from server.errors import NotFound
from server.permissions import Role
from server.settings import server_settings
from server.users import passwords, repository, service
from server.users.messages import LOGIN_PATTERN

PasswordFile = Annotated[
    Path | None,
    typer.Option(help="file whose first line is the password, - for standard input; without it you are asked"),
]


def add_commands(app: typer.Typer) -> None:
    """Have the commands of this room in ``renzheng server``."""
    app.command("create-user")(create_user)
    app.command("set-password")(set_password)


def create_user(
    login: Annotated[str, typer.Argument(help="name to log in with: a-z, 0-9, dot, dash, underscore")],
    role: Annotated[Role, typer.Option(help="what their post is")],
    name: Annotated[str, typer.Option(help="name that others see; without it the login")] = "",
    district: Annotated[str | None, typer.Option(help="six digits; without it they see all districts")] = None,
    password_file: PasswordFile = None,
) -> None:
    """Make a user, such as the first admin. 创建用户"""
    if not re.fullmatch(LOGIN_PATTERN, login):
        raise BadInput(f"LOGIN: expected 2 to 64 of a-z, 0-9, dot, dash and underscore, found {login!r}")
    password = _password(password_file, login)
    server = Server.opened(server_settings())
    try:
        password_hash = passwords.hash_of(password)
        with server.database.transaction() as session:
            service.add_user(session, SYSTEM, login, name or login, role, district, password_hash, expired=False)
    finally:
        server.close()
    print(f"{login}: made, {role.value} of {district or 'all districts'}")


def set_password(
    login: Annotated[str, typer.Argument(help="whose password")], password_file: PasswordFile = None
) -> None:
    """Set a user's password and end their sessions. 重设密码"""
    password = _password(password_file, login)
    server = Server.opened(server_settings())
    try:
        password_hash = passwords.hash_of(password)
        with server.database.transaction() as session:
            user = repository.user_of_login(session, login)
            if user is None:
                raise NotFound(f"there is no user {login}")
            service.set_password(session, server, SYSTEM, user, password_hash, expired=False)
    finally:
        server.close()
    print(f"{login}: has another password; all sessions have ended")


def _password(path: Path | None, login: str) -> str:
    """Asked without showing it. Raises :class:`BadInput` for a file that cannot be read."""
    if path is None:
        password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    elif str(path) == "-":
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = _first_line(path)
    passwords.require_good(password, login, "password")
    return password


def _first_line(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: the password cannot be read: {error}") from error
    return lines[0] if lines else ""
