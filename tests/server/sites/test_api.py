"""Districts, institutions and what stands in them, over the API."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from renzheng.ids import new_id
from server.permissions import Role
from server.tables import (
    AuditEntry,
    Institution,
    Settlement,
    SettlementImport,
    SiteNotice,
    Stay,
    UnjoinedReason,
)
from tests.server.conftest import CIXI, HANGZHOU, NINGBO, OUTSIDE, PHARMACY, WARD, YUYAO, House
from tests.server.sites.box_reports import NOON, camera, enrolled, footfall, reading, report, take

FACTS: dict[str, Any] = {"fixmedins_name": "新药房", "fixmedins_type": "2"}
NEW = FACTS | {"fixmedins_code": "P33028200009", "district_code": CIXI}


def made(house: House, admin: TestClient, what: str, body: dict[str, Any], place: str = PHARMACY) -> dict[str, Any]:
    answer = admin.post(f"/v1/institutions/{place}/{what}", json=body)
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


def every_change(house: House) -> list[tuple[str, str, dict[str, Any], int]]:
    """Every route of this room that changes something: method, path, body, and what it answers."""
    admin = house.user(Role.ADMIN, None)
    camera_id = made(house, admin, "cameras", {"camera_id": "old", "label": ""})["id"]
    terminal_id = made(house, admin, "terminals", {"terminal_id": "old"})["id"]
    bed_id = made(house, admin, "beds", {"ward": "一病区", "bed_id": "old"})["id"]
    return [
        ("PUT", f"/v1/districts/{YUYAO}", {"name": "余姚"}, 200),
        ("POST", "/v1/institutions", NEW | {"district_code": YUYAO}, 201),
        ("PUT", f"/v1/institutions/{PHARMACY}", FACTS, 200),
        ("POST", f"/v1/institutions/{PHARMACY}/cameras", {"camera_id": "new", "label": "柜台"}, 201),
        ("PUT", f"/v1/cameras/{camera_id}", {"label": "门口"}, 200),
        ("POST", f"/v1/cameras/{camera_id}/release", {}, 200),
        ("POST", f"/v1/institutions/{PHARMACY}/terminals", {"terminal_id": "new", "camera_id": camera_id}, 201),
        ("PUT", f"/v1/terminals/{terminal_id}", {"camera_id": camera_id}, 200),
        ("POST", f"/v1/institutions/{PHARMACY}/beds", {"ward": "一病区", "bed_id": "new"}, 201),
        ("PUT", f"/v1/beds/{bed_id}", {"ward": "二病区", "camera_id": camera_id}, 200),
    ]


def test_sites_are_changed_by_those_who_keep_them_in_their_district_alone(house: House) -> None:
    changes = every_change(house)
    reader, outsider = house.user(Role.REVIEWER), house.user(Role.ADMIN, HANGZHOU)
    colleague, owner = house.user(Role.ADMIN, NINGBO), house.user(Role.ADMIN, YUYAO)
    for method, path, body, done in changes:
        asked = [client.request(method, path, json=body).status_code for client in (reader, outsider, owner)]
        assert asked == [403, 404, done], (method, path)
        taken = 409 if done == 201 else 200
        assert colleague.request(method, path, json=body).status_code == taken, (method, path)
    with reading(house.server) as session:
        deeds = session.scalars(
            select(AuditEntry.action).where(AuditEntry.actor_id == owner.headers["X-Test-User"])
        ).all()
        (place,) = session.scalars(select(Institution).where(Institution.fixmedins_code == NEW["fixmedins_code"]))
    assert len(deeds) == len(changes)
    assert place.district_code == YUYAO


def test_what_stands_outside_is_not_found_by_anybody(sqlite_house: House) -> None:
    reader = sqlite_house.user(Role.REVIEWER)
    for path in ("", "/cameras", "/terminals", "/beds", "/footfall?day=2026-11-20"):
        assert reader.get(f"/v1/institutions/{PHARMACY}{path}").status_code == 200, path
        assert reader.get(f"/v1/institutions/{OUTSIDE}{path}").status_code == 404, path


def test_districts_are_made_inside_ones_own_and_seen_there(house: House) -> None:
    admin = house.user(Role.ADMIN, NINGBO)
    assert admin.put("/v1/districts/330283", json={"name": " 奉化 "}).json() == {"code": "330283", "name": "奉化"}
    assert admin.put("/v1/districts/330100", json={"name": "杭州"}).status_code == 404
    assert [one["code"] for one in admin.get("/v1/districts").json()["districts"]] == [NINGBO, YUYAO, CIXI, "330283"]
    page = admin.get("/v1/districts", params={"after": YUYAO, "limit": 1}).json()["districts"]
    assert [one["code"] for one in page] == [CIXI]


def test_an_institution_is_entered_and_changed_and_found(house: House) -> None:
    admin = house.user(Role.ADMIN, NINGBO)
    hours = {"1": [["08:00", "12:00"], ["13:30", "24:00"]], "7": []}
    full = NEW | {"latitude": 30.2, "longitude": 121.3, "hours": hours, "closed_at": "2026-11-20 12:00:00"}
    entered = admin.post("/v1/institutions", json=full).json()
    assert entered["closed_at"] == "2026-11-20T04:00:00Z"
    assert (entered["hours"], entered["warnings"]) == (hours, [])
    assert admin.get(f"/v1/institutions/{entered['id']}").json() == entered
    changed = admin.put(f"/v1/institutions/{entered['id']}", json=FACTS | {"fixmedins_type": "1"}).json()
    left_out = {"latitude": None, "longitude": None, "hours": {}, "closed_at": None}
    assert changed == entered | {"fixmedins_type": "1"} | left_out

    def found(**asked: Any) -> list[str]:
        listed = admin.get("/v1/institutions", params=asked).json()["institutions"]
        return [one["fixmedins_code"] for one in listed]

    assert found() == [entered["fixmedins_code"], WARD, PHARMACY]
    assert found(district=CIXI) == found(text="新药") == found(text="P330282") == [entered["fixmedins_code"]]
    assert found(kind="1", after=entered["id"]) == [WARD]
    assert found(text="%") == []


def test_an_unusual_code_is_taken_with_a_warning(sqlite_house: House) -> None:
    admin = sqlite_house.user(Role.ADMIN, None)
    answer = admin.post("/v1/institutions", json=NEW | {"fixmedins_code": "诊所-7"})
    assert answer.status_code == 201
    assert "11 digits" in answer.json()["warnings"][0]["en"]


_WRONG = [
    ({"fixmedins_code": "a\u0000b"}, "body.fixmedins_code"),
    ({"fixmedins_code": " "}, "body.fixmedins_code"),
    ({"fixmedins_name": "x" * 201}, "body.fixmedins_name"),
    ({"fixmedins_type": "3"}, "body.fixmedins_type"),
    ({"district_code": "33028"}, "body.district_code"),
    ({"latitude": 91, "longitude": 0}, "body.latitude"),
    ({"latitude": 30}, "body.longitude"),
    ({"latitude": "NaN", "longitude": 1}, "body.latitude"),
    ({"hours": {"8": []}}, "body.hours.8.[key]"),
    ({"hours": {"1": [["8:00", "12:00"]]}}, "body.hours.1.0.0"),
    ({"hours": {"1": [["22:00", "06:00"]]}}, "body.hours.1"),
    ({"closed_at": "yesterday"}, "body.closed_at"),
    ({"closed_at": "9999-12-31T23:59:59-12:00"}, "body.closed_at"),
    ({"closed_at": "0001-01-01T00:00:00"}, "body.closed_at"),
    ({"owner": "x"}, "body.owner"),
]


@pytest.mark.parametrize(("change", "field"), _WRONG)
def test_what_is_wrong_with_an_institution_is_named(sqlite_house: House, change: dict[str, Any], field: str) -> None:
    answer = sqlite_house.user(Role.ADMIN, None).post("/v1/institutions", json=NEW | change)
    assert answer.status_code == 422
    assert [problem["field"] for problem in answer.json()["errors"]] == [field]


@pytest.mark.parametrize("path", [
    "/v1/institutions/a%00b", "/v1/institutions?text=%00", "/v1/institutions?limit=201", "/v1/notices?after=%25",
    f"/v1/institutions/{PHARMACY}/footfall?day=0001-01-01", f"/v1/institutions/{PHARMACY}/footfall",
])  # fmt: skip
def test_an_address_that_cannot_be_meant_is_refused(sqlite_house: House, path: str) -> None:
    assert sqlite_house.user(Role.ADMIN, None).get(path).status_code == 422


def test_terminals_and_beds_name_cameras_of_their_institution_alone(house: House) -> None:
    admin = house.user(Role.ADMIN, None)
    own = made(house, admin, "cameras", {"camera_id": "counter", "label": ""})["id"]
    others = made(house, admin, "cameras", {"camera_id": "counter", "label": ""}, OUTSIDE)["id"]
    terminal = made(house, admin, "terminals", {"terminal_id": "T1", "camera_id": own})
    bed = made(house, admin, "beds", {"ward": "一病区", "bed_id": "1", "camera_id": own})
    for camera_id in (others, "nothing"):
        wrong = [
            admin.post(f"/v1/institutions/{PHARMACY}/terminals", json={"terminal_id": "T2", "camera_id": camera_id}),
            admin.put(f"/v1/terminals/{terminal['id']}", json={"camera_id": camera_id}),
            admin.put(f"/v1/beds/{bed['id']}", json={"ward": "一病区", "camera_id": camera_id}),
        ]
        assert [(one.status_code, one.json()["errors"][0]["field"]) for one in wrong] == [(422, "body.camera_id")] * 3
    assert admin.get(f"/v1/institutions/{PHARMACY}/terminals").json()["terminals"] == [terminal]
    assert admin.put(f"/v1/beds/{bed['id']}", json={"ward": "二病区"}).json() == bed | {
        "ward": "二病区",
        "camera_id": None,
    }


def test_a_camera_that_was_taken_down_is_released_from_its_box(house: House) -> None:
    box, admin = enrolled(house), house.user(Role.ADMIN)
    take(house, box, report(box, camera(recorded_until=None)))
    (shown,) = admin.get(f"/v1/institutions/{PHARMACY}/cameras").json()["cameras"]
    assert (shown["device_id"], shown["state"]) == (box.device_id, "live")
    released = admin.post(f"/v1/cameras/{shown['id']}/release").json()
    assert (released["device_id"], released["state"]) == (None, None)
    with reading(house.server) as session:
        assert session.scalars(select(SiteNotice.ended_at)).one() is not None
    take(house, box, report(box, at=NOON.replace(minute=5)))
    assert admin.get("/v1/notices").json() == {"notices": []}


def test_footfall_is_of_a_day_of_shanghai(house: House) -> None:
    box = enrolled(house)
    hours = tuple(footfall(NOON.replace(day=day, hour=hour), 1, 10) for day, hour in ((19, 15), (19, 16), (20, 15)))
    take(house, box, report(box, camera(footfall=hours)))
    told = house.user(Role.REVIEWER).get(f"/v1/institutions/{PHARMACY}/footfall?day=2026-11-20").json()
    assert [hour["hour_start"] for hour in told["hours"]] == ["2026-11-19T16:00:00Z", "2026-11-20T15:00:00Z"]
    assert told["hours"][0]["visits"] == 1


def test_settlements_and_stays_that_came_before_their_institution_become_its_own(house: House) -> None:
    now, code = datetime.now(UTC), NEW["fixmedins_code"]
    with house.server.database.transaction() as session:
        imported = SettlementImport(
            id=new_id(), kind="settlements", file_name="a.csv", sha256="0" * 64, started_by="server", started_at=now
        )
        session.add(imported)
        session.flush()
        amounts = dict.fromkeys(("medfee_sumamt", "fund_pay_sumamt", "acct_pay", "acct_mulaid_pay", "psn_cash_pay"), 1)
        its = {"psn_no": "1", "import_id": imported.id, "content_digest": b"0" * 16}
        for setl_id, place in (("S1", code), ("S2", "P00000000000")):
            row = Settlement(setl_id=setl_id, fixmedins_code=place, setl_time=now, **amounts, **its)
            row.unjoined_reason = UnjoinedReason.UNKNOWN_INSTITUTION
            session.add(row)
        session.add(Stay(mdtrt_id="M1", fixmedins_code=code, begntime=now, **its))
    place_id = house.user(Role.ADMIN, None).post("/v1/institutions", json=NEW).json()["id"]
    with reading(house.server) as session:
        known, unknown = session.scalars(select(Settlement).order_by(Settlement.setl_id))
        stay = session.scalars(select(Stay)).one()
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "institution_made")).one()
    assert (known.institution_id, known.district_code, known.unjoined_reason) == (place_id, CIXI, "waiting")
    assert (unknown.institution_id, unknown.unjoined_reason) == (None, "unknown_institution")
    assert (stay.institution_id, stay.district_code, entry.detail) == (place_id, CIXI, {"adopted_rows": 2})
