"""How a box becomes known: once for each token, the same again for a lost answer, and anew under a new token."""

from __future__ import annotations

import base64
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from edge_agent.uplink.device import EnrolmentFailed, enrol_device
from renzheng.clock import to_seconds
from renzheng.contracts.device import EnrolmentAnswer
from renzheng.contracts.report import AgentReport
from server.access import BoxSubject
from server.context import Server
from server.permissions import Role
from server.sites.reports import take_report
from server.tables import AuditEntry, Device, DeviceKey
from tests.server.conftest import CIXI, OUTSIDE, PHARMACY, YUYAO, House

KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))


def asked_for(house: House, place: str = PHARMACY) -> dict[str, Any]:
    """A device that an admin makes."""
    answer = house.user(Role.ADMIN, None).post(f"/v1/institutions/{place}/devices", json={"label": "柜台"})
    assert answer.status_code == 201
    told: dict[str, Any] = answer.json()
    return told


def enrol(house: House, token: str, key: bytes = KEY, **change: Any) -> httpx.Response:
    body = {"token": token, "public_key": base64.b64encode(key).decode(), "agent_version": "1.0.0"}
    answer: Any = house.anybody().post("/v1/devices/enroll", json=body | {"fixmedins_code": PHARMACY} | change)
    return answer  # type: ignore[no-any-return]


def enters(house: House, token: str) -> bool:
    """Whether a box gets in with its token."""
    client = house.anybody()
    client.headers["Authorization"] = f"Bearer {token}"
    return client.get("/v1/staff", params={"embedder_sha256": "0" * 64}).status_code != 401


def keys(server: Server) -> list[tuple[bytes, bool]]:
    """Public keys, oldest first, and whether each is in use."""
    with server.database.transaction(writes=False) as session:
        found = session.scalars(select(DeviceKey).order_by(DeviceKey.since)).all()
    return [(key.public_key, key.until is None) for key in found]


def heard_of(house: House, device_id: str) -> None:
    """The box sends a report."""
    now = datetime.now(UTC)
    told = AgentReport.model_validate(
        {
            "report_id": f"{device_id}-{to_seconds(now)}", "device_id": device_id, "fixmedins_code": PHARMACY,
            "agent_version": "1", "period_start": now, "period_end": now, "cameras": (), "checks_by_verdict": {},
            "outbox_waiting": 0, "evidence_bytes": 0, "evidence_budget_bytes": 0, "disk_free_bytes": 0,
        }
    )  # fmt: skip
    with house.server.database.transaction() as session:
        take_report(session, BoxSubject(device_id, PHARMACY, PHARMACY, YUYAO), told, now)


def test_a_box_is_enrolled_with_the_token_that_an_operator_was_given(house: House) -> None:
    device = asked_for(house)
    answer = enrol(house, device["enrolment_token"])
    assert answer.status_code == 201
    told = EnrolmentAnswer.model_validate(answer.json())
    assert told.device_id == device["device_id"]
    assert base64.b64decode(told.server_public_key) == house.server.keys.public_key
    assert enters(house, told.device_token)
    assert keys(house.server) == [(KEY, True)]
    with house.server.database.transaction(writes=False) as session:
        row = session.get_one(Device, told.device_id)
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "device_enrolled")).one()
    assert (entry.actor_kind, entry.actor_id, entry.district_code) == ("device", told.device_id, YUYAO)
    kept = repr([getattr(row, column.name) for column in Device.__table__.columns])
    for secret in (told.device_token, device["enrolment_token"]):
        assert secret not in kept


def test_the_same_token_with_the_same_key_is_answered_the_same_until_the_box_is_heard_of(house: House) -> None:
    device = asked_for(house)
    first, again = (enrol(house, device["enrolment_token"]) for _ in range(2))
    assert (again.status_code, again.json()) == (201, first.json())
    assert enrol(house, device["enrolment_token"], OTHER_KEY).status_code == 403
    assert enters(house, first.json()["device_token"])
    heard_of(house, device["device_id"])
    assert enrol(house, device["enrolment_token"]).status_code == 403
    assert enters(house, first.json()["device_token"])


def _known(_house: House, device: dict[str, Any]) -> dict[str, Any]:
    return {"token": "x" + device["enrolment_token"]}


def _too_old(house: House, device: dict[str, Any]) -> dict[str, Any]:
    with house.server.database.transaction() as session:
        row = session.get_one(Device, device["device_id"])
        assert row.enrol_token_until == datetime.fromisoformat(device["expires_at"])
        row.enrol_token_until = datetime.now(UTC)
    return {}


def _revoked(house: House, device: dict[str, Any]) -> dict[str, Any]:
    house.user(Role.ADMIN).post(f"/v1/devices/{device['device_id']}/revocation")
    return {}


def _replaced(house: House, device: dict[str, Any]) -> dict[str, Any]:
    house.user(Role.ADMIN).post(f"/v1/devices/{device['device_id']}/enrolment-tokens", json={})
    return {}


@pytest.mark.parametrize("how", [_known, _too_old, _revoked, _replaced])
def test_a_token_that_is_not_good_lets_nobody_in(
    sqlite_house: House, how: Callable[[House, dict[str, Any]], dict[str, Any]]
) -> None:
    device = asked_for(sqlite_house)
    answer = enrol(sqlite_house, **({"token": device["enrolment_token"]} | how(sqlite_house, device)))
    assert answer.status_code == 403
    assert device["enrolment_token"] not in answer.text
    assert keys(sqlite_house.server) == []


@pytest.mark.parametrize(("change", "field"), [
    ({"fixmedins_code": OUTSIDE}, "body.fixmedins_code"),
    ({"public_key": "not base64!"}, "body.public_key"),
    ({"public_key": "é"}, "body.public_key"),
    ({"public_key": base64.b64encode(KEY[:31]).decode()}, "body.public_key"),
    ({"token": ""}, "body.token"),
    ({"more": 1}, "body.more"),
])  # fmt: skip
def test_a_wrong_request_is_told_which_field_and_the_token_stays_good(
    sqlite_house: House, change: dict[str, Any], field: str
) -> None:
    device = asked_for(sqlite_house)
    wrong = enrol(sqlite_house, **({"token": device["enrolment_token"]} | change))
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, field)
    assert enrol(sqlite_house, device["enrolment_token"]).status_code == 201


def test_a_box_that_is_enrolled_anew_has_a_new_token_and_its_old_key_verifies_old_clips(house: House) -> None:
    device, admin = asked_for(house), house.user(Role.ADMIN)
    old = enrol(house, device["enrolment_token"]).json()
    new_token = admin.post(f"/v1/devices/{device['device_id']}/enrolment-tokens", json={"valid_hours": 1}).json()
    left = datetime.fromisoformat(new_token["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=59) < left <= timedelta(hours=1)
    assert enters(house, old["device_token"])
    new = enrol(house, new_token["enrolment_token"], OTHER_KEY).json()
    assert new["device_id"] == old["device_id"]
    assert (enters(house, old["device_token"]), enters(house, new["device_token"])) == (False, True)
    assert keys(house.server) == [(KEY, False), (OTHER_KEY, True)]
    told = admin.get(f"/v1/devices/{device['device_id']}").json()["keys"]
    assert [key["until"] is None for key in told] == [False, True]
    back = admin.post(f"/v1/devices/{device['device_id']}/enrolment-tokens", json={}).json()["enrolment_token"]
    assert enrol(house, back, KEY).status_code == 201
    assert keys(house.server) == [(KEY, True), (OTHER_KEY, False)]


def test_a_key_is_of_one_device_alone(house: House) -> None:
    first, second = asked_for(house), asked_for(house)
    enrol(house, first["enrolment_token"])
    answer = enrol(house, second["enrolment_token"])
    assert answer.status_code == 403
    assert first["device_id"] in answer.json()["detail"]
    assert enrol(house, second["enrolment_token"], OTHER_KEY).status_code == 201


def test_many_who_come_with_one_token_at_once_are_one_box(house: House) -> None:
    token = asked_for(house)["enrolment_token"]
    with ThreadPoolExecutor(8, "box") as boxes:
        answers = list(boxes.map(lambda number: enrol(house, token, bytes([number]) * 32), [1, 2, 3, 4] * 2))
    let_in = [answer.json() for answer in answers if answer.status_code == 201]
    assert sorted({answer.status_code for answer in answers}) == [201, 403]
    assert len(let_in) == 2
    assert let_in[0] == let_in[1]
    assert len(keys(house.server)) == 1


def test_the_agents_own_enrolment_is_understood(sqlite_house: House, tmp_path: Path, monkeypatch: Any) -> None:
    client = sqlite_house.anybody()

    class Line:
        def __init__(self, **_options: Any) -> None:
            pass

        def __enter__(self) -> Any:
            return client

        def __exit__(self, *_error: object) -> None:
            pass

    monkeypatch.setattr("edge_agent.uplink.device.httpx.Client", Line)
    device = asked_for(sqlite_house)
    identity = enrol_device("http://127.0.0.1", device["enrolment_token"], tmp_path / "device", fixmedins_code=PHARMACY)
    assert identity.device_id == device["device_id"]
    assert identity.token is not None and enters(sqlite_house, identity.token)
    assert keys(sqlite_house.server) == [(identity.signing.public, True)]
    with pytest.raises(EnrolmentFailed, match="403"):
        enrol_device("http://127.0.0.1", "another", tmp_path / "device", fixmedins_code=PHARMACY)


def test_devices_are_kept_by_those_who_keep_sites_in_their_district(house: House) -> None:
    device_id = asked_for(house)["device_id"]
    changes = [
        ("POST", f"/v1/institutions/{PHARMACY}/devices", {"label": "门口"}, 201),
        ("PUT", f"/v1/devices/{device_id}", {"label": "门口"}, 200),
        ("POST", f"/v1/devices/{device_id}/enrolment-tokens", {}, 201),
        ("POST", f"/v1/devices/{device_id}/revocation", None, 200),
    ]
    reader, outsider = house.user(Role.SENIOR_REVIEWER), house.user(Role.ADMIN, CIXI)
    colleague, owner = house.user(Role.ADMIN, None), house.user(Role.ADMIN, YUYAO)
    for method, path, body, done in changes:
        asked = [client.request(method, path, json=body).status_code for client in (reader, outsider, owner, colleague)]
        assert asked == [403, 404, done, done], path
    for path in (f"/v1/devices/{device_id}", f"/v1/devices/{device_id}/reports"):
        assert [one.get(path).status_code for one in (reader, outsider)] == [200, 404]
    assert (len(reader.get("/v1/devices").json()["devices"]), outsider.get("/v1/devices").json()) == (
        3,
        {"devices": []},
    )


def test_a_revoked_box_is_shut_out_at_once_until_it_is_enrolled_anew(house: House) -> None:
    device, admin = asked_for(house), house.user(Role.ADMIN)
    path = f"/v1/devices/{device['device_id']}"
    assert admin.get(path).json()["state"] == "awaited"
    old = enrol(house, device["enrolment_token"]).json()["device_token"]
    assert admin.get(path).json()["state"] == "enrolled"
    revoked = admin.post(f"{path}/revocation").json()
    assert revoked["state"] == "revoked"
    assert admin.post(f"{path}/revocation").json() == revoked
    assert not enters(house, old)
    assert keys(house.server) == [(KEY, False)]
    token = admin.post(f"{path}/enrolment-tokens", json={}).json()["enrolment_token"]
    assert admin.get(path).json()["state"] == "revoked"
    new = enrol(house, token).json()["device_token"]
    assert (enters(house, old), enters(house, new)) == (False, True)
    assert keys(house.server) == [(KEY, True)]


def test_reports_are_listed_newest_first_page_by_page(house: House) -> None:
    device = asked_for(house)
    enrol(house, device["enrolment_token"])
    for _ in range(3):
        heard_of(house, device["device_id"])
    reader, path = house.user(Role.AUDITOR), f"/v1/devices/{device['device_id']}/reports"
    every = reader.get(path).json()["reports"]
    assert [one["report"]["report_id"] for one in every] == sorted((one["report_id"] for one in every), reverse=True)
    assert len(every) == 3
    assert reader.get(path, params={"limit": 1}).json()["reports"] == every[:1]
    assert reader.get(path, params={"after": every[0]["report_id"]}).json()["reports"] == every[1:]
    listed = reader.get("/v1/devices", params={"institution": PHARMACY}).json()["devices"]
    assert [one["agent_version"] for one in listed] == ["1"]
