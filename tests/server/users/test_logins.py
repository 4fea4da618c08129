"""Logging in and out, and how often it may be tried."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from renzheng.ids import new_id
from server.access import CSRF_HEADER, SESSION_COOKIE, digest_of_token
from server.app import create_app
from server.context import Server
from server.permissions import Role
from server.tables import AuditEntry, LoginSession, LoginThrottle, User
from server.users import logins, passwords, throttle
from tests.server.conftest import YUYAO, House, opened

pytestmark = pytest.mark.usefixtures("cheap_hashes")

PASSWORD = "correct horse battery"


def add_user(server: Server, login: str = "wang.fang", **changed: Any) -> str:
    """A user with :data:`PASSWORD`; their id."""
    now = datetime.now(UTC)
    usual = {
        "id": new_id(), "login": login, "display_name": "王芳", "role": Role.REVIEWER, "district_code": YUYAO,
        "password_hash": passwords.hash_of(PASSWORD), "created_at": now, "password_changed_at": now,
    }  # fmt: skip
    user = User(**(usual | changed))
    with server.database.transaction() as session:
        session.add(user)
    return user.id


def log_in(client: TestClient, login: str = "wang.fang", password: str = PASSWORD) -> int:
    """The status that a try at logging in gets; what changes something may be asked after it was successful."""
    answer = client.post("/v1/login", json={"login": login, "password": password})
    if answer.status_code == 200:
        client.headers[CSRF_HEADER] = answer.json()["csrf_token"]
    return answer.status_code


def actions(server: Server) -> list[tuple[str, str, str]]:
    """What the audit log says: action, actor, object."""
    with server.database.transaction(writes=False) as session:
        found = session.scalars(select(AuditEntry).order_by(AuditEntry.number)).all()
    return [(entry.action, entry.actor_id, entry.object_id) for entry in found]


def test_a_login_opens_a_session_and_a_logout_ends_it(house: House) -> None:
    user_id = add_user(house.server)
    client = house.anybody()
    assert log_in(client) == 200
    me = client.get("/v1/me").json()
    assert (me["id"], me["login"], me["role"], me["district_code"]) == (user_id, "wang.fang", "reviewer", YUYAO)
    assert me["csrf_token"] == client.headers[CSRF_HEADER]
    assert "see_faces" in me["permissions"]
    token = client.cookies[SESSION_COOKIE]
    assert client.post("/v1/logout").status_code == 204
    assert SESSION_COOKIE not in client.cookies
    client.cookies.set(SESSION_COOKIE, token)
    assert client.get("/v1/me").status_code == 401
    assert actions(house.server) == [("logged_in", user_id, user_id), ("logged_out", user_id, user_id)]


def test_the_cookie_is_for_the_server_alone(sqlite_house: House) -> None:
    add_user(sqlite_house.server)
    told = sqlite_house.anybody().post("/v1/login", json={"login": "wang.fang", "password": PASSWORD})
    words = told.headers["set-cookie"].lower()
    assert "httponly" in words
    assert "samesite=lax" in words
    assert "secure" not in words  # the tests' server speaks HTTP


def test_over_https_the_cookie_is_secure(sqlite_server: Server) -> None:
    add_user(sqlite_server)
    settings = sqlite_server.settings.model_copy(update={"cookie_secure": True})
    app = create_app(Server(settings, sqlite_server.database, sqlite_server.keys, sqlite_server.store))
    told = TestClient(app).post("/v1/login", json={"login": "wang.fang", "password": PASSWORD})
    assert "secure" in told.headers["set-cookie"].lower()
    assert "max-age" in told.headers["strict-transport-security"]


def test_what_is_stored_opens_no_session(sqlite_house: House) -> None:
    add_user(sqlite_house.server)
    client = sqlite_house.anybody()
    log_in(client)
    with sqlite_house.server.database.transaction(writes=False) as session:
        row = session.scalars(select(LoginSession)).one()
    assert row.token_digest == digest_of_token(client.cookies[SESSION_COOKIE])
    assert client.headers[CSRF_HEADER] not in (row.token_digest, row.csrf_digest)


def test_a_name_is_the_same_with_capitals_and_blanks(sqlite_house: House) -> None:
    add_user(sqlite_house.server)
    assert log_in(sqlite_house.anybody(), " Wang.Fang ") == 200


def test_a_wrong_password_an_unknown_name_and_a_disabled_account_are_answered_the_same(sqlite_house: House) -> None:
    user_id = add_user(sqlite_house.server)
    add_user(sqlite_house.server, "gone", disabled_at=datetime.now(UTC))
    tries = (("wang.fang", "wrong"), ("nobody", PASSWORD), ("gone", PASSWORD))
    answers = [sqlite_house.anybody().post("/v1/login", json={"login": a, "password": b}) for a, b in tries]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1
    assert [one[2] for one in actions(sqlite_house.server)][:2] == [user_id, "unknown"]


def test_neither_password_nor_an_unknown_name_is_told_back_or_kept(sqlite_house: House) -> None:
    client = sqlite_house.anybody()
    answer = client.post("/v1/login", json={"login": "my-secret-word", "password": "another-secret" * 20})
    assert answer.status_code == 422
    assert "secret" not in answer.text
    log_in(client, "my-secret-word", "another-secret")
    folder = sqlite_house.server.settings.data_dir
    assert not any(b"secret" in path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("name", ["wang.fang", "nobody"])
def test_after_five_wrong_passwords_a_name_has_to_wait_whether_somebody_has_it_or_not(
    sqlite_house: House, name: str
) -> None:
    add_user(sqlite_house.server)
    assert [log_in(sqlite_house.anybody(), name, "wrong") for _ in range(6)] == [401] * 5 + [429]
    waiting = sqlite_house.anybody().post("/v1/login", json={"login": name, "password": PASSWORD})
    assert waiting.status_code == 429
    assert 0 < int(waiting.headers["retry-after"]) <= 60


def test_another_server_on_the_same_database_knows_of_the_tries(house: House, database_url: str) -> None:
    add_user(house.server)
    other = opened(database_url, house.server.settings.data_dir)
    second = House(other, create_app(other))
    assert [log_in(one.anybody(), password="wrong") for one in (house, second) * 3] == [401] * 5 + [429]
    other.close()


def test_waiting_ends_and_a_right_password_counts_from_nought(sqlite_house: House) -> None:
    add_user(sqlite_house.server)
    for _ in range(5):
        log_in(sqlite_house.anybody(), password="wrong")
    with sqlite_house.server.database.transaction() as session:
        session.execute(update(LoginThrottle).values(closed_until=datetime.now(UTC)))
    assert log_in(sqlite_house.anybody()) == 200
    assert [log_in(sqlite_house.anybody(), password="wrong") for _ in range(5)] == [401] * 5


def test_a_pause_doubles_up_to_a_quarter_of_an_hour(sqlite_server: Server) -> None:
    now, pauses = datetime.now(UTC), []
    for _ in range(12):
        with sqlite_server.database.transaction() as session:
            tried = throttle.count_try(session, sqlite_server, "name", "10.0.0.1", now)
            closed_until = session.get_one(LoginThrottle, tried.of_login).closed_until
        pauses.append(int((closed_until - now).total_seconds() / 60) if closed_until else 0)
        now = closed_until or now
    assert pauses == [0, 0, 0, 0, 1, 2, 4, 8, 15, 15, 15, 15]


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("10.0.0.1", "10.0.0.1", True),
        ("10.0.0.1", "10.0.0.2", False),
        ("2001:db8::1", "2001:db8::ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("odd", "odd", True),
    ],
)
def test_an_address_cannot_try_everybodys_password(sqlite_server: Server, first: str, second: str, same: bool) -> None:
    now = datetime.now(UTC)
    statuses = []
    for number in range(throttle.FREE_OF_AN_ADDRESS + 1):
        address = first if number < throttle.FREE_OF_AN_ADDRESS else second
        try:
            with sqlite_server.database.transaction() as session:
                throttle.count_try(session, sqlite_server, f"name-{number}", address, now)
            statuses.append(True)
        except throttle.TooMany:
            statuses.append(False)
    assert statuses == [True] * throttle.FREE_OF_AN_ADDRESS + [not same]


def test_an_address_with_one_good_account_cannot_try_the_others_for_ever(sqlite_server: Server) -> None:
    now = datetime.now(UTC)
    allowed = 0
    with pytest.raises(throttle.TooMany):
        for number in range(200):
            with sqlite_server.database.transaction() as session:
                throttle.count_try(session, sqlite_server, f"name-{number}", "10.0.0.1", now)
            with sqlite_server.database.transaction() as session:
                tried = throttle.count_try(session, sqlite_server, "own", "10.0.0.1", now)
                throttle.forgive(session, tried, now)
            allowed += 1
    assert allowed <= throttle.FREE_OF_AN_ADDRESS


def test_tries_are_forgotten_after_an_hour(sqlite_server: Server) -> None:
    now = datetime.now(UTC)
    for minutes in (0, 0, 0, 0, 61, 61, 61, 61):
        with sqlite_server.database.transaction() as session:
            throttle.count_try(session, sqlite_server, "name", "10.0.0.1", now + timedelta(minutes=minutes))


def test_many_tries_at_one_moment_are_all_counted(house: House) -> None:
    from concurrent.futures import ThreadPoolExecutor

    add_user(house.server)
    with ThreadPoolExecutor(12) as pool:
        statuses = list(pool.map(lambda _: log_in(house.anybody(), password="wrong"), range(12)))
    assert (statuses.count(401), statuses.count(429)) == (5, 7)


def test_a_hash_of_lower_cost_is_made_anew_at_the_next_login(
    sqlite_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    from argon2 import PasswordHasher

    user_id = add_user(sqlite_house.server)
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=2, memory_cost=64, parallelism=1))
    assert log_in(sqlite_house.anybody()) == 200
    with sqlite_house.server.database.transaction(writes=False) as session:
        assert "t=2" in session.get_one(User, user_id).password_hash
    assert log_in(sqlite_house.anybody()) == 200


def test_an_account_disabled_while_its_password_is_compared_is_not_let_in(
    sqlite_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id = add_user(sqlite_house.server)
    compare = passwords.is_right

    def slow(password_hash: str | None, password: str) -> bool:
        with sqlite_house.server.database.transaction() as session:
            session.get_one(User, user_id).disabled_at = datetime.now(UTC)
        return compare(password_hash, password)

    monkeypatch.setattr(passwords, "is_right", slow)
    assert log_in(sqlite_house.anybody()) == 401


def test_sessions_that_ended_and_old_tries_are_deleted(house: House) -> None:
    now = datetime.now(UTC)
    fresh, ended, unused = (house.user(Role.REVIEWER) for _ in range(3))
    with house.server.database.transaction() as session:
        for client, change in ((ended, {"expires_at": now}), (unused, {"used_at": now - timedelta(hours=1)})):
            of_client = LoginSession.user_id == client.headers["X-Test-User"]
            session.execute(update(LoginSession).where(of_client).values(**change))
        throttle.count_try(session, house.server, "name", "10.0.0.1", now - timedelta(hours=2))
    with house.server.database.transaction() as session:
        assert logins.purge(session, house.server, now) == 4
        assert session.scalars(select(LoginSession.user_id)).all() == [fresh.headers["X-Test-User"]]
        assert session.scalars(select(LoginThrottle)).all() == []
