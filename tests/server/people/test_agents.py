"""Approved agents by request."""

from __future__ import annotations

from typing import Any

from server.permissions import Role
from server.tables import AgentApproval
from tests.server.conftest import HANGZHOU, House
from tests.server.people.making import make_person, rows_of

APPROVAL = {"agent_psn_no": "p2", "relation": "女儿", "valid_from": "2026-01-01T00:00:00+08:00"}


def test_an_agent_is_approved_and_revoked(house: House) -> None:
    holder, agent = make_person(house.server), make_person(house.server, "p2")
    enroller = house.user(Role.ENROLLER)
    path = f"/v1/people/{holder}/agents"
    approved = enroller.post(path, json=APPROVAL)
    assert approved.status_code == 201
    assert approved.json() | {"id": ""} == {
        "id": "", "agent_id": agent, "relation": "女儿", "valid_from": "2025-12-31T16:00:00Z", "valid_to": None,
        "revoked_at": None,
    }  # fmt: skip
    revocation = f"{path}/{approved.json()['id']}/revocation"
    first = enroller.post(revocation).json()
    assert first["revoked_at"] is not None
    assert enroller.post(revocation).json() == first, "the second time nothing changes"
    assert house.user(Role.REVIEWER).get(path).json()["agents"] == [first]


def test_who_cannot_be_an_agent_is_told(sqlite_house: House) -> None:
    server = sqlite_house.server
    holder = make_person(server)
    make_person(server, "p2")
    make_person(server, "far", HANGZHOU)
    enroller = sqlite_house.user(Role.ENROLLER)
    wrong: list[tuple[dict[str, Any], int, str]] = [
        ({"agent_psn_no": "p1"}, 422, "agent_psn_no"),
        ({"agent_psn_no": "nobody"}, 404, "agent_psn_no"),
        ({"agent_psn_no": "far"}, 404, "agent_psn_no"),
        ({"valid_to": "2025-12-31T16:00:00Z"}, 422, "body.valid_to"),
        ({"valid_from": "2026-01-01T00:00:00"}, 422, "body.valid_from"),
        ({"relation": ""}, 422, "body.relation"),
    ]
    for change, status, field in wrong:
        answer = enroller.post(f"/v1/people/{holder}/agents", json=APPROVAL | change)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (status, field)
    assert rows_of(server, AgentApproval) == 0


def test_only_enrollers_of_the_district_approve_and_revoke(sqlite_house: House) -> None:
    holder = make_person(sqlite_house.server)
    make_person(sqlite_house.server, "p2")
    path = f"/v1/people/{holder}/agents"
    outsider, reader = sqlite_house.user(Role.ENROLLER, HANGZHOU), sqlite_house.user(Role.INSPECTOR)
    assert outsider.post(path, json=APPROVAL).status_code == 404
    assert outsider.get(path).status_code == 404
    assert reader.post(path, json=APPROVAL).status_code == 403
    revocation = f"{path}/{sqlite_house.user(Role.ENROLLER).post(path, json=APPROVAL).json()['id']}/revocation"
    assert outsider.post(revocation).status_code == 404
    assert reader.post(revocation).status_code == 403
    assert sqlite_house.user(Role.ENROLLER).post(f"{path}/{'0' * 32}/revocation").status_code == 404
    assert sqlite_house.user(Role.ENROLLER, login="colleague").post(revocation).status_code == 200
