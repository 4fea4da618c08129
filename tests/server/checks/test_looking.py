"""What people see of checks: their district's, and faces only for a purpose that is logged."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from renzheng.contracts import Verdict
from server.permissions import Role
from server.tables import AuditEntry
from tests.edge_agent.builders import NOON
from tests.server.checks.making import (
    FACE,
    bed,
    delivery,
    flagged,
    pending_delivery,
    post,
    swipe,
    the_check,
    the_pieces,
)
from tests.server.conftest import HANGZHOU, NINGBO, OUTSIDE, PHARMACY, WARD, House
from tests.server.people.making import make_person, unit


@pytest.fixture
def filled(sqlite_house: House) -> House:
    """Three swipes and a bed of Yuyao, and a swipe of Hangzhou."""
    fill(sqlite_house)
    return sqlite_house


def fill(house: House) -> None:
    later = NOON + timedelta(hours=1)
    post(house.box(), flagged("S1"), delivery(swipe("S2", psn_no="p2")), delivery(swipe("S3", swiped_at=later)))
    post(house.box(WARD), delivery(bed()))
    post(house.box(OUTSIDE), delivery(swipe("S4", fixmedins_code=OUTSIDE)))


def names(house: House, role: Role = Role.REVIEWER, district: str | None = NINGBO, **asked: object) -> list[str]:
    answer = house.user(role, district).get("/v1/checks", params={k: str(v) for k, v in asked.items()})
    assert answer.status_code == 200, answer.text
    return [one["delivery_id"] for one in answer.json()["checks"]]


def test_everybody_sees_the_checks_of_their_district_those_that_came_last_first(house: House) -> None:
    fill(house)
    assert names(house) == ["bed-1", "S3", "S2", "S1"]
    assert names(house, district=HANGZHOU) == ["S4"]
    assert names(house, district=None) == ["S4", "bed-1", "S3", "S2", "S1"]


def test_a_list_can_be_narrowed(house: House) -> None:
    fill(house)
    person = make_person(house.server, "p2")
    for asked, expected in (
        ({"verdict": "mismatch"}, ["S1"]),
        ({"kind": "bed"}, ["bed-1"]),
        ({"institution_id": PHARMACY}, ["S3", "S2", "S1"]),
        ({"setl_id": "S2"}, ["S2"]),
        ({"person_id": person}, ["S2"]),
        ({"since": "2026-05-01 12:30:00"}, ["S3"]),
        ({"until": "2026-05-01T04:30:00Z", "kind": "swipe"}, ["S2", "S1"]),
        ({"institution_id": OUTSIDE}, []),
    ):
        assert names(house, **asked) == expected, asked


def test_a_list_comes_in_pages(filled: House) -> None:
    reviewer, seen, after = filled.user(Role.REVIEWER), [], None
    for _ in range(3):
        page = reviewer.get("/v1/checks", params={"limit": 2} | ({"after": after} if after else {})).json()
        seen += [one["delivery_id"] for one in page["checks"]]
        after = page["next_after"]
        if after is None:
            break
    assert seen == ["bed-1", "S3", "S2", "S1"]


@pytest.mark.parametrize(
    "asked",
    [
        {"limit": 0},
        {"limit": 201},
        {"after": 0},
        {"after": 2**63},
        {"since": "today"},
        {"since": "0001-01-01T00:00:00+08:00"},
        {"setl_id": "a\0"},
        {"verdict": "v" * 65},
    ],
)
def test_a_question_that_makes_no_sense_is_refused(asked: dict[str, object], filled: House) -> None:
    answer = filled.user(Role.REVIEWER).get("/v1/checks", params={k: str(v) for k, v in asked.items()})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, f"query.{next(iter(asked))}")


def test_a_person_of_another_district_is_not_found(filled: House) -> None:
    person = make_person(filled.server, "p2", HANGZHOU)
    assert filled.user(Role.REVIEWER).get("/v1/checks", params={"person_id": person}).status_code == 404


def test_a_check_is_shown_as_it_came_and_as_it_was_decided(house: House) -> None:
    make_person(house.server, "p1", vectors=[unit(1)])
    post(house.box(), pending_delivery([unit(1)] * 4))
    shown = house.user(Role.REVIEWER).get(f"/v1/checks/{the_check(house.server).id}").json()
    assert (shown["verdict"], shown["body"]["verdict"], shown["decided"]["verdict"]) == (
        "match", "pending_reference", "match",
    )  # fmt: skip
    assert [one["kind"] for one in shown["pieces"]] == ["sample"] * 4
    assert shown["clip"] is None


def test_sealed_samples_are_shown_to_nobody(filled: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.checks.pending.decide_these", lambda server, ids: 0)
    post(filled.box(), pending_delivery([unit(1)] * 4, "S9"))
    check, sealed = the_check(filled.server, "S9"), the_pieces(filled.server, "S9")["S9/samples.sealed"]
    reviewer = filled.user(Role.REVIEWER)
    assert check.verdict == Verdict.PENDING_REFERENCE
    assert sealed.id not in [one["id"] for one in reviewer.get(f"/v1/checks/{check.id}").json()["pieces"]]
    asked = reviewer.get(f"/v1/checks/{check.id}/pieces/{sealed.id}", params={"purpose": "curious"})
    assert asked.status_code == 404


def test_a_face_is_shown_for_a_purpose_and_the_look_is_logged(house: House) -> None:
    fill(house)
    check, face = the_check(house.server), the_pieces(house.server)["S1/0.jpg"]
    url = f"/v1/checks/{check.id}/pieces/{face.id}"
    reviewer = house.user(Role.REVIEWER)
    assert reviewer.get(url).status_code == 422
    answer = reviewer.get(url, params={"purpose": "疑点复核"})
    assert (answer.status_code, answer.content) == (200, FACE)
    assert (answer.headers["Content-Type"], answer.headers["Cache-Control"]) == ("image/jpeg", "no-store")
    with house.server.database.transaction(writes=False) as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "looked_at_picture")).one()
    assert (entry.actor_id, entry.object_id, entry.purpose) == (
        reviewer.headers["X-Test-User"], str(check.id), "疑点复核",
    )  # fmt: skip


def test_who_may_not_see_it_does_not(filled: House) -> None:
    check, face = the_check(filled.server), the_pieces(filled.server)["S1/0.jpg"]
    other = the_check(filled.server, "S2")
    for role, district, expected in (
        (Role.REVIEWER, HANGZHOU, 404),
        (Role.ADMIN, None, 403),
        (Role.AUDITOR, None, 403),
        (Role.INSPECTOR, None, 403),
    ):
        client = filled.user(role, district)
        for url in (f"/v1/checks/{check.id}", f"/v1/checks/{check.id}/pieces/{face.id}?purpose=x"):
            assert client.get(url).status_code == expected, (role, url)
    assert filled.anybody().get("/v1/checks").status_code == 401
    reviewer = filled.user(Role.REVIEWER)
    assert reviewer.get(f"/v1/checks/{other.id}/pieces/{face.id}?purpose=x").status_code == 404
    assert reviewer.get(f"/v1/checks/{2**63 - 1}").status_code == 404
    assert reviewer.get(f"/v1/checks/{2**63}").status_code == 422


def test_a_picture_that_was_damaged_in_the_store_is_no_picture(filled: House) -> None:
    check, face = the_check(filled.server), the_pieces(filled.server)["S1/0.jpg"]
    filled.server.store.put(face.store_key, b"something else")
    answer = filled.user(Role.REVIEWER).get(f"/v1/checks/{check.id}/pieces/{face.id}?purpose=x")
    assert (answer.status_code, FACE in answer.content) == (500, False)
