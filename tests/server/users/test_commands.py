"""``renzheng server create-user`` and ``set-password`` as a person meets them."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from sqlalchemy import select

from renzheng.cli import run
from server.app import create_app
from server.context import Server
from server.tables import AuditEntry, User
from tests.server.conftest import KEYS, YUYAO, House
from tests.server.users.test_logins import PASSWORD, add_user, log_in

pytestmark = pytest.mark.usefixtures("cheap_hashes")


@pytest.fixture
def environment(sqlite_server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Settings of the server in the environment, as its command reads them."""
    monkeypatch.setenv("RENZHENG_SERVER_DATA_DIR", str(sqlite_server.settings.data_dir))
    monkeypatch.setenv("RENZHENG_SERVER_KEY_RING", KEYS.text())
    return sqlite_server


def test_the_first_admin_is_made_on_the_command_line(
    environment: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    assert run(["server", "create-user", "root", "--role", "admin", "--password-file", "-"]) == 0
    assert capsys.readouterr().out == "root: made, admin of all districts\n"
    client = House(environment, create_app(environment)).anybody()
    assert log_in(client, "root") == 200
    assert client.get("/v1/users").status_code == 200
    with environment.database.transaction(writes=False) as session:
        first = session.scalars(select(AuditEntry).order_by(AuditEntry.number)).first()
    assert first is not None
    assert (first.actor_kind, first.action) == ("system", "user_created")


@pytest.mark.parametrize(
    ("words", "password", "expected"),
    [
        (["Root User", "--role", "admin"], PASSWORD, "LOGIN"),
        (["root", "--role", "admin"], "short", "12 characters"),
        (["root", "--role", "admin", "--district", "999999"], PASSWORD, "district"),
        (["taken", "--role", "admin"], PASSWORD, "taken"),
    ],
)
def test_what_makes_no_sense_is_named_and_nobody_is_made(
    environment: Server,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    password: str,
    expected: str,
) -> None:
    add_user(environment, "taken")
    path = tmp_path / "password"
    path.write_text(password, encoding="utf-8")
    assert run(["server", "create-user", *words, "--password-file", str(path)]) == 2
    told = capsys.readouterr().err
    assert expected in told
    assert "Traceback" not in told
    with environment.database.transaction(writes=False) as session:
        assert session.scalars(select(User.login)).all() == ["taken"]


def test_a_password_file_that_is_not_there_is_named(environment: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["server", "create-user", "root", "--role", "admin", "--password-file", "nowhere"]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_a_forgotten_password_is_set_and_ends_sessions(environment: Server, tmp_path: Path) -> None:
    add_user(environment, district_code=YUYAO)
    client = House(environment, create_app(environment)).anybody()
    log_in(client)
    path = tmp_path / "password"
    path.write_text("staple battery horse\r\n", encoding="utf-8")
    assert run(["server", "set-password", "wang.fang", "--password-file", str(path)]) == 0
    assert client.get("/v1/me").status_code == 401
    assert (log_in(client), log_in(client, password="staple battery horse")) == (401, 200)
    assert run(["server", "set-password", "nobody", "--password-file", str(path)]) == 2
