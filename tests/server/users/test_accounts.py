"""Who may make, see and change which accounts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from server.access import SESSION_COOKIE
from server.permissions import Role
from server.tables import AuditEntry, User
from tests.server.conftest import CIXI, HANGZHOU, NINGBO, YUYAO, House
from tests.server.users.test_logins import PASSWORD, add_user, log_in

pytestmark = pytest.mark.usefixtures("cheap_hashes")

NEW = {
    "login": "li.na",
    "display_name": "李娜",
    "role": "reviewer",
    "district_code": YUYAO,
    "password": "swordfish and chips",
}


def make(admin: TestClient, **changed: Any) -> Any:
    """The answer to a new user."""
    return admin.post("/v1/users", json=NEW | changed)


def deeds(house: House) -> list[AuditEntry]:
    with house.server.database.transaction(writes=False) as session:
        return list(session.scalars(select(AuditEntry).order_by(AuditEntry.number)))


def test_an_admin_makes_a_user_who_must_change_the_password_before_anything_else(house: House) -> None:
    answer = make(house.user(Role.ADMIN, NINGBO), role="admin")
    assert answer.status_code == 201
    assert answer.json()["password_expired"] is True
    client = house.anybody()
    assert log_in(client, "li.na", NEW["password"]) == 200
    assert client.get("/v1/users").status_code == 403
    changed = client.put("/v1/me/password", json={"old_password": NEW["password"], "new_password": PASSWORD})
    assert changed.status_code == 204
    assert client.get("/v1/me").status_code == 401
    assert log_in(client, "li.na", PASSWORD) == 200
    assert client.get("/v1/users").status_code == 200


def test_the_log_tells_of_accounts_without_names_and_passwords(sqlite_house: House) -> None:
    admin = sqlite_house.user(Role.ADMIN)
    user_id = make(admin).json()["id"]
    admin.patch(f"/v1/users/{user_id}", json={"display_name": "另一个名字", "role": "enroller", "disabled": True})
    admin.put(f"/v1/users/{user_id}/password", json={"password": "another swordfish"})
    told = deeds(sqlite_house)
    assert [(one.action, one.actor_id, one.object_id, one.district_code) for one in told] == [
        (action, admin.headers["X-Test-User"], user_id, YUYAO)
        for action in ("user_created", "user_changed", "password_given")
    ]
    assert told[1].detail == {"display_name": "changed", "role": "enroller", "disabled": 1}


@pytest.mark.parametrize(
    ("own", "asked", "status"),
    [
        (YUYAO, YUYAO, 201),
        (NINGBO, YUYAO, 201),
        (NINGBO, NINGBO, 201),
        (None, None, 201),
        (YUYAO, CIXI, 422),
        (YUYAO, NINGBO, 422),
        (NINGBO, HANGZHOU, 422),
        (NINGBO, None, 422),
        (None, "999999", 422),
    ],
)
def test_an_admin_makes_users_of_their_own_district_alone(
    sqlite_house: House, own: str | None, asked: str | None, status: int
) -> None:
    answer = make(sqlite_house.user(Role.ADMIN, own), district_code=asked)
    assert answer.status_code == status
    if status == 422:
        assert answer.json()["errors"][0]["field"] == "body.district_code"


def test_users_of_other_districts_are_not_found(house: House) -> None:
    admin = house.user(Role.ADMIN, YUYAO)
    for district in (HANGZHOU, NINGBO, None):
        path = f"/v1/users/{house.user(Role.REVIEWER, district).headers['X-Test-User']}"
        answers = (
            admin.get(path),
            admin.patch(path, json={"disabled": True}),
            admin.put(f"{path}/password", json={"password": "another swordfish"}),
        )
        assert [answer.status_code for answer in answers] == [404] * 3
    assert deeds(house) == []


def test_nobody_is_moved_out_of_the_admins_district(sqlite_house: House) -> None:
    admin = sqlite_house.user(Role.ADMIN, NINGBO)
    path = f"/v1/users/{sqlite_house.user(Role.REVIEWER, YUYAO).headers['X-Test-User']}"
    assert admin.patch(path, json={"district_code": CIXI}).json()["district_code"] == CIXI
    for district in (HANGZHOU, None):
        assert admin.patch(path, json={"district_code": district}).status_code == 422
    assert admin.get(path).json()["district_code"] == CIXI


def test_users_are_listed_in_pages_within_the_district(sqlite_house: House) -> None:
    admin = sqlite_house.user(Role.ADMIN, YUYAO)
    ids = {admin.headers["X-Test-User"]}
    ids |= {sqlite_house.user(Role.REVIEWER, YUYAO).headers["X-Test-User"] for _ in range(4)}
    sqlite_house.user(Role.REVIEWER, HANGZHOU)
    found: list[str] = []
    while page := admin.get("/v1/users", params={"after": found[-1] if found else "", "limit": 2}).json()["users"]:
        assert len(page) <= 2
        found += [one["id"] for one in page]
    assert found == sorted(ids)


def test_no_answer_holds_a_password_or_its_hash(sqlite_house: House) -> None:
    admin = sqlite_house.user(Role.ADMIN)
    answers = [make(admin).text, admin.get("/v1/users").text]
    assert not any("argon2" in text or NEW["password"] in text for text in answers)


@pytest.mark.parametrize(
    ("role", "status"), [(role, 201 if role is Role.ADMIN else 403) for role in Role], ids=lambda one: str(one)
)
def test_only_an_admin_keeps_accounts(sqlite_house: House, role: Role, status: int) -> None:
    assert make(sqlite_house.user(role)).status_code == status


@pytest.mark.parametrize(
    "change", [{"role": "enroller"}, {"district_code": CIXI}, {"disabled": True}], ids=lambda one: next(iter(one))
)
def test_who_gets_another_role_or_district_or_is_disabled_is_logged_out(
    sqlite_house: House, change: dict[str, Any]
) -> None:
    user_id, client = add_user(sqlite_house.server), sqlite_house.anybody()
    assert log_in(client) == 200
    admin = sqlite_house.user(Role.ADMIN, NINGBO)
    assert admin.patch(f"/v1/users/{user_id}", json={"display_name": "新名"}).status_code == 200
    assert client.get("/v1/me").status_code == 200
    assert admin.patch(f"/v1/users/{user_id}", json=change).status_code == 200
    assert client.get("/v1/me").status_code == 401
    assert log_in(client) == (401 if "disabled" in change else 200)


def test_who_is_enabled_again_may_log_in_again(sqlite_house: House) -> None:
    user_id, admin = add_user(sqlite_house.server), sqlite_house.user(Role.ADMIN)
    for disabled, status in ((True, 401), (False, 200)):
        admin.patch(f"/v1/users/{user_id}", json={"disabled": disabled})
        assert log_in(sqlite_house.anybody()) == status


@pytest.mark.parametrize("change", [{"role": "auditor"}, {"district_code": None}, {"disabled": True}])
def test_admins_do_not_change_their_own_post(sqlite_house: House, change: dict[str, Any]) -> None:
    admin = sqlite_house.user(Role.ADMIN, None)
    path = f"/v1/users/{admin.headers['X-Test-User']}"
    assert admin.patch(path, json=change).status_code == 409
    assert admin.put(f"{path}/password", json={"password": "another swordfish"}).status_code == 409
    assert admin.patch(path, json={"display_name": "新名"}).status_code == 200


def test_another_admin_changes_what_one_admin_may_not(sqlite_house: House) -> None:
    one, other = sqlite_house.user(Role.ADMIN), sqlite_house.user(Role.ADMIN)
    assert one.patch(f"/v1/users/{other.headers['X-Test-User']}", json={"disabled": True}).status_code == 200
    assert other.get("/v1/me").status_code == 401


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("login", "Li Na"),
        ("login", "a"),
        ("login", "li\x00na"),
        ("login", 7),
        ("display_name", ""),
        ("display_name", "  "),
        ("display_name", "李\x00娜"),
        ("display_name", "李" * 65),
        ("role", "king"),
        ("district_code", "33"),
        ("district_code", "３３０２８１"),
        ("password", "short"),
        ("password", "aaaaaaaaaaaaaaaa"),
        ("password", "LI.NA has a swordfish"),
        ("password", "x" * 129),
        ("password", None),
        ("more", "of it"),
    ],
)
def test_a_user_that_makes_no_sense_is_refused_by_field_and_nothing_told_back(
    sqlite_house: House, field: str, value: Any
) -> None:
    answer = make(sqlite_house.user(Role.ADMIN), **{field: value})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == f"body.{field}"
    assert field == "login" or not isinstance(value, str) or len(value) < 3 or value not in answer.text
    assert deeds(sqlite_house) == []


@pytest.mark.parametrize("field", ["display_name", "role", "disabled"])
def test_a_change_to_nothing_is_refused(sqlite_house: House, field: str) -> None:
    admin = sqlite_house.user(Role.ADMIN)
    path = f"/v1/users/{sqlite_house.user(Role.REVIEWER).headers['X-Test-User']}"
    answer = admin.patch(path, json={field: None})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, f"body.{field}")


def test_a_name_that_is_taken_is_a_conflict_also_outside_the_district(sqlite_house: House) -> None:
    sqlite_house.user(Role.REVIEWER, HANGZHOU, login="li.na")
    answer = make(sqlite_house.user(Role.ADMIN, YUYAO))
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (409, "body.login")


def test_of_two_users_made_at_once_under_one_name_one_is_refused(house: House) -> None:
    from concurrent.futures import ThreadPoolExecutor

    admins = [house.user(Role.ADMIN) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(pool.map(lambda admin: make(admin).status_code, admins))
    assert statuses == [201, 409, 409, 409]


def test_ones_own_password_is_changed_with_the_old_one_and_all_sessions_end(sqlite_house: House) -> None:
    add_user(sqlite_house.server)
    one, other = sqlite_house.anybody(), sqlite_house.anybody()
    log_in(one)
    log_in(other)
    new = "staple battery horse"
    wrong = one.put("/v1/me/password", json={"old_password": "wrong", "new_password": new})
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "body.old_password")
    same = one.put("/v1/me/password", json={"old_password": PASSWORD, "new_password": PASSWORD})
    assert (same.status_code, same.json()["errors"][0]["field"]) == (422, "body.new_password")
    assert one.put("/v1/me/password", json={"old_password": PASSWORD, "new_password": new}).status_code == 204
    assert [client.get("/v1/me").status_code for client in (one, other)] == [401, 401]
    assert (log_in(one), log_in(one, password=new)) == (401, 200)


def test_the_old_password_cannot_be_guessed_without_end(sqlite_house: House) -> None:
    add_user(sqlite_house.server)
    client = sqlite_house.anybody()
    log_in(client)
    asked = {"old_password": "wrong", "new_password": "staple battery horse"}
    assert [client.put("/v1/me/password", json=asked).status_code for _ in range(6)] == [422] * 5 + [429]


def test_a_given_password_ends_sessions_and_the_waiting_for_tries(house: House) -> None:
    user_id, client = add_user(house.server), house.anybody()
    log_in(client)
    for _ in range(6):
        log_in(house.anybody(), password="wrong")
    admin = house.user(Role.ADMIN)
    given = admin.put(f"/v1/users/{user_id}/password", json={"password": "staple battery horse"})
    assert given.status_code == 204
    assert client.get("/v1/me").status_code == 401
    assert log_in(client, password="staple battery horse") == 200
    assert client.get("/v1/me").json()["password_expired"] is True


def test_an_account_that_is_gone_is_not_logged_in(sqlite_house: House) -> None:
    client = sqlite_house.user(Role.REVIEWER)
    assert client.cookies[SESSION_COOKIE]
    with sqlite_house.server.database.transaction() as session:
        session.execute(update(User).values(disabled_at=datetime.now(UTC)))
    assert client.get("/v1/me").status_code == 401
