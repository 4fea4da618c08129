"""Templates on their way to boxes, as docs/contracts/uplink.md has it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
from fastapi.testclient import TestClient

from edge_agent.uplink.references import check_answer, person_of
from renzheng.contracts import StaffAnswer, TemplateAnswer, TemplateQuestion
from server.permissions import Role
from server.tables import Purpose
from tests.server.conftest import HANGZHOU, OUTSIDE, PHARMACY, House
from tests.server.people.making import EMBEDDER, logged, make_approval, make_member, make_person, unit

NOW = datetime.now(UTC)


def asked(box: TestClient, psn_no: str = "p1", at: datetime = NOW) -> TemplateAnswer:
    question = TemplateQuestion(psn_no=psn_no, at=at, embedder_sha256=EMBEDDER)
    answer = box.post("/v1/templates", content=question.model_dump_json(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 200, answer.text
    return TemplateAnswer.model_validate_json(answer.text)


def test_a_box_gets_what_it_can_compare_with_for_a_short_time(house: House) -> None:
    holder = make_person(house.server, vectors=[unit(1)])
    agent = make_person(house.server, "p2", purposes=[Purpose.AGENT_CHECK], vectors=[unit(2)])
    make_approval(house.server, holder, agent, NOW - timedelta(days=1), NOW + timedelta(days=1))
    make_approval(house.server, holder, make_person(house.server, "p3", purposes=()), NOW - timedelta(days=1))
    answer = asked(house.box())
    check_answer(answer, EMBEDDER, 128)
    assert answer.holder is not None
    np.testing.assert_array_equal(person_of(answer.holder, EMBEDDER, 128).templates, unit(1)[None])
    agents = {one.person.person_id: one for one in answer.agents}
    assert {number: len(one.person.templates) for number, one in agents.items()} == {"p2": 1, "p3": 0}
    assert agents["p2"].valid_to == NOW + timedelta(days=1)
    minutes = house.server.settings.template_minutes
    assert abs(answer.expires_at - datetime.now(UTC) - timedelta(minutes=minutes)) < timedelta(minutes=1)


def test_every_template_that_leaves_is_logged_with_its_purpose_and_no_number(house: House) -> None:
    holder = make_person(house.server, vectors=[unit(1)])
    agent = make_person(house.server, "p2", purposes=[Purpose.AGENT_CHECK], vectors=[unit(2)])
    make_approval(house.server, holder, agent)
    box = house.box()
    asked(box)
    asked(box, "nobody-here")
    entries = logged(house.server, "templates_served", "template_not_served")
    assert [(entry.action, entry.object_id, entry.purpose) for entry in entries] == [
        ("templates_served", holder, "identity_check"),
        ("templates_served", agent, "agent_check"),
        ("template_not_served", PHARMACY, "identity_check"),
    ]
    assert {(entry.actor_kind, entry.actor_id) for entry in entries} == {("device", box.headers["X-Test-Device"])}
    assert "nobody-here" not in str([entry.detail for entry in entries])


def test_a_box_is_served_for_its_own_prefecture_alone(sqlite_house: House) -> None:
    make_person(sqlite_house.server, vectors=[unit(1)])
    make_person(sqlite_house.server, "far", HANGZHOU, vectors=[unit(2)])
    assert asked(sqlite_house.box()).holder is not None
    assert asked(sqlite_house.box(), "far").holder is None
    assert asked(sqlite_house.box(OUTSIDE)).holder is None
    assert asked(sqlite_house.box(OUTSIDE), "far").holder is not None


def test_a_box_gets_the_staff_of_its_institution(house: House) -> None:
    make_member(house.server, PHARMACY, "a1", [unit(1)])
    make_member(house.server, OUTSIDE, "b1", [unit(2)])
    answer = house.box().get("/v1/staff", params={"embedder_sha256": EMBEDDER})
    assert answer.status_code == 200
    staff = StaffAnswer.model_validate_json(answer.text)
    check_answer(staff, EMBEDDER, 128)
    assert [person.person_id for person in staff.staff] == ["a1"]
    assert len(logged(house.server, "staff_templates_served")) == 1


def test_a_question_that_is_none_is_refused(sqlite_house: House) -> None:
    question = {"psn_no": "p1", "at": NOW.isoformat(), "embedder_sha256": EMBEDDER}
    box = sqlite_house.box()
    wrong: list[dict[str, object]] = [
        {"psn_no": ""},
        {"psn_no": "x" * 65},
        {"at": "yesterday"},
        {"embedder_sha256": 7},
        {"contract_version": 2},
        {"more": 1},
    ]
    for change in wrong:
        assert box.post("/v1/templates", json=question | change).status_code == 422, change


def test_a_number_that_no_database_can_hold_is_nobodys(house: House) -> None:
    question = {"psn_no": "a\u0000b", "at": NOW.isoformat(), "embedder_sha256": EMBEDDER}
    answer = house.box().post("/v1/templates", json=question)
    assert answer.status_code == 422 or answer.json()["holder"] is None


def test_people_do_not_ask_as_boxes_nor_boxes_as_people(sqlite_house: House) -> None:
    question = {"psn_no": "p1", "at": NOW.isoformat(), "embedder_sha256": EMBEDDER}
    for client in (sqlite_house.anybody(), sqlite_house.user(Role.ENROLLER)):
        assert client.post("/v1/templates", json=question).status_code == 401
        assert client.get("/v1/staff", params={"embedder_sha256": EMBEDDER}).status_code == 401
    box = sqlite_house.box()
    assert box.get("/v1/people").status_code == 401
    assert box.get("/v1/staff").status_code == 422
    assert box.get("/v1/staff", params={"embedder_sha256": "'"}).status_code == 422
