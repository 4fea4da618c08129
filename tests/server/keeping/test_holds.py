"""Legal holds over HTTP, and certificates."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from server.keeping.purge import run_purge
from server.permissions import Role
from server.tables import AuditEntry
from tests.server.conftest import HANGZHOU, OUTSIDE, PHARMACY, YUYAO, House

HOLD = {"object_kind": "institution", "object_id": PHARMACY, "why": "案件 2026-11"}


def test_a_hold_is_placed_listed_and_released_by_a_colleague(house: House) -> None:
    officer, colleague = house.user(Role.CASE_OFFICER), house.user(Role.SENIOR_REVIEWER)
    placed = officer.post("/v1/legal-holds", json=HOLD)
    assert (placed.status_code, placed.json()["district_code"]) == (201, YUYAO)
    assert placed.json()["placed_by"] == officer.headers["X-Test-User"]
    hold_id = placed.json()["id"]
    assert [one["id"] for one in colleague.get("/v1/legal-holds").json()["holds"]] == [hold_id]
    released = colleague.post(f"/v1/legal-holds/{hold_id}/release")
    assert (released.status_code, released.json()["released_by"]) == (200, colleague.headers["X-Test-User"])
    assert officer.get("/v1/legal-holds").json()["holds"] == []
    assert len(officer.get("/v1/legal-holds", params={"in_force": False}).json()["holds"]) == 1
    assert colleague.post(f"/v1/legal-holds/{hold_id}/release").status_code == 409
    with house.server.database.transaction(writes=False) as session:
        told = session.scalars(select(AuditEntry.action).where(AuditEntry.object_id == hold_id)).all()
    assert told == ["hold_placed", "hold_released"]


def test_holds_of_another_district_are_not_found(house: House) -> None:
    outsider = house.user(Role.CASE_OFFICER, HANGZHOU)
    assert outsider.post("/v1/legal-holds", json=HOLD).status_code == 404
    hold_id = house.user(Role.CASE_OFFICER).post("/v1/legal-holds", json=HOLD).json()["id"]
    assert outsider.post(f"/v1/legal-holds/{hold_id}/release").status_code == 404
    assert outsider.get("/v1/legal-holds", params={"in_force": False}).json()["holds"] == []
    assert outsider.post("/v1/legal-holds", json=HOLD | {"object_id": OUTSIDE}).status_code == 201


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.ENROLLER, Role.INSPECTOR, Role.AUDITOR, Role.ADMIN])
def test_who_may_not_hold_may_not(sqlite_house: House, role: Role) -> None:
    user = sqlite_house.user(role)
    assert user.post("/v1/legal-holds", json=HOLD).status_code == 403
    assert user.get("/v1/legal-holds").status_code == 403


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"object_kind": "camera"}, 422),
        ({"object_id": ""}, 422),
        ({"object_id": "x" * 65}, 422),
        ({"why": "  "}, 422),
        ({"why": "x" * 301}, 422),
        ({"more": 1}, 422),
        ({"object_kind": "check", "object_id": "nothing"}, 404),
        ({"object_kind": "check", "object_id": "9" * 40}, 404),
        ({"object_kind": "settlement", "object_id": "1"}, 404),
        ({"object_kind": "person", "object_id": "f" * 32}, 404),
    ],
)
def test_a_hold_on_nothing_is_refused(sqlite_house: House, change: dict[str, object], status: int) -> None:
    assert sqlite_house.user(Role.CASE_OFFICER).post("/v1/legal-holds", json=HOLD | change).status_code == status


def test_pages_of_holds_follow_each_other(sqlite_house: House) -> None:
    officer = sqlite_house.user(Role.CASE_OFFICER)
    ids = [officer.post("/v1/legal-holds", json=HOLD).json()["id"] for _ in range(3)]
    first = officer.get("/v1/legal-holds", params={"limit": 2}).json()["holds"]
    rest = officer.get("/v1/legal-holds", params={"after": first[-1]["id"]}).json()["holds"]
    assert [one["id"] for one in first + rest] == ids


def test_the_auditor_of_all_districts_sees_what_was_purged(sqlite_house: House) -> None:
    from datetime import UTC, datetime, timedelta

    sqlite_house.user(Role.ADMIN)
    run_purge(sqlite_house.server, now=datetime.now(UTC) + timedelta(hours=2))
    seen = sqlite_house.user(Role.AUDITOR, None).get("/v1/deletion-certificates").json()["certificates"]
    assert [(one["kind"], one["counts"]) for one in seen] == [("logins", {"logins": 1})]
    assert sqlite_house.user(Role.AUDITOR).get("/v1/deletion-certificates").json()["certificates"] == []
    assert sqlite_house.user(Role.ADMIN).get("/v1/deletion-certificates").status_code == 403
