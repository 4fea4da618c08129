"""What the auditor sees of the log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from server.audit_log.service import SYSTEM, Actor, Deed, record
from server.permissions import Role
from tests.server.conftest import HANGZHOU, NINGBO, YUYAO, House

PATH = "/v1/audit-log"


@pytest.fixture
def told(house: House) -> tuple[House, str]:
    """A house in which things were done, and who did most of them."""
    user_id = house.user(Role.REVIEWER, YUYAO, login="wang.fang").headers["X-Test-User"]
    actor = Actor("user", user_id)
    with house.server.database.transaction() as session:
        for action, kind, object_id, district in (
            ("looked_at_photo", "person", "a", YUYAO),
            ("looked_at_photo", "person", "b", HANGZHOU),
            ("looked_at_number", "person", "a", YUYAO),
        ):
            record(session, Deed(actor, action, kind, object_id, "复核", district))
        record(session, Deed(SYSTEM, "purged", "checks", "-"))
    return house, user_id


def numbers(client: TestClient, **params: Any) -> list[int]:
    answer = client.get(PATH, params=params)
    assert answer.status_code == 200
    return [entry["number"] for entry in answer.json()["entries"]]


def test_an_auditor_sees_what_was_done_in_their_district(told: tuple[House, str]) -> None:
    for district, seen in ((YUYAO, [1, 3]), (NINGBO, [1, 3]), (HANGZHOU, [2]), (None, [1, 2, 3, 4])):
        assert numbers(told[0].user(Role.AUDITOR, district)) == seen


def test_an_entry_says_who_did_what_and_why(told: tuple[House, str]) -> None:
    house, user_id = told
    entry = house.user(Role.AUDITOR).get(PATH).json()["entries"][0]
    assert (entry["actor_id"], entry["actor_login"], entry["purpose"]) == (user_id, "wang.fang", "复核")


def test_entries_are_filtered_and_paged(told: tuple[House, str]) -> None:
    house, user_id = told
    auditor = house.user(Role.AUDITOR, None)
    assert numbers(auditor, actor_id=user_id) == [1, 2, 3]
    assert numbers(auditor, action="looked_at_photo") == [1, 2]
    assert numbers(auditor, object_kind="person", object_id="a") == [1, 3]
    assert numbers(auditor, limit=2) == [1, 2]
    assert numbers(auditor, limit=2, after=2) == [3, 4]
    assert numbers(auditor, limit=2, newest_first=True) == [4, 3]
    assert numbers(auditor, limit=2, newest_first=True, after=3) == [2, 1]


def test_entries_are_found_by_time_and_a_time_without_zone_is_chinas(told: tuple[House, str]) -> None:
    auditor = told[0].user(Role.AUDITOR, None)
    soon, before = (datetime.now(UTC) + timedelta(minutes=minutes) for minutes in (1, -1))
    assert numbers(auditor, since=before.isoformat(), until=soon.isoformat()) == [1, 2, 3, 4]
    assert numbers(auditor, since=soon.isoformat()) == numbers(auditor, until=before.isoformat()) == []
    china = (before + timedelta(hours=8)).replace(tzinfo=None)
    assert numbers(auditor, since=china.isoformat()) == [1, 2, 3, 4]
    assert numbers(auditor, until=china.isoformat()) == []


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.AUDITOR])
def test_nobody_but_an_auditor_sees_the_log(sqlite_house: House, role: Role) -> None:
    assert sqlite_house.user(role, None).get(PATH).status_code == 403


@pytest.mark.parametrize(
    "params",
    [{"after": -1}, {"after": 2**63}, {"limit": 0}, {"limit": 201}, {"since": "yesterday"}, {"action": "a\x00"}],
    ids=str,
)
def test_a_question_that_makes_no_sense_is_refused_by_field(sqlite_house: House, params: dict[str, Any]) -> None:
    answer = sqlite_house.user(Role.AUDITOR).get(PATH, params=params)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == f"query.{next(iter(params))}"
