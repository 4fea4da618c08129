"""Entering, changing and finding people by request."""

from __future__ import annotations

from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import inspect, select

from server.permissions import Role
from server.tables import InsuredPerson
from tests.server.conftest import CIXI, HANGZHOU, NINGBO, YUYAO, House
from tests.server.people.making import CERTNO, body, entered, logged, rows_of, the_person

OTHER_CERTNO = "330281198003070015"


def seen(client: TestClient, person_id: str) -> dict[str, Any]:
    answer = client.get(f"/v1/people/{person_id}", params={"purpose": "核对"})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_a_person_is_entered_under_the_platforms_names_and_read_back(house: House) -> None:
    enroller = house.user(Role.ENROLLER)
    person_id = entered(enroller, gend="2", insutype="310", psn_type="11")
    told = seen(enroller, person_id)
    assert (told["psn_name"], told["certno"], told["gend"], told["insutype"]) == ("张三丰", CERTNO, "2", "310")
    assert told["brdy"] == "1949-12-31", "as the identity number has it"
    assert told["may_be_used_for"] == []


def test_neither_name_nor_identity_number_nor_birth_date_lies_open_in_the_database(house: House) -> None:
    entered(house.user(Role.ENROLLER))
    with house.server.database.transaction(writes=False) as session:
        row = session.scalars(select(InsuredPerson)).one()
        columns = [getattr(row, column.key) for column in inspect(InsuredPerson).columns]
    stored = b"\0".join(value if isinstance(value, bytes) else str(value).encode() for value in columns)
    for secret in ("张三丰", "1949-12-31", CERTNO):
        assert secret.encode() not in stored


def test_whoever_looks_at_a_person_says_why_and_is_logged(sqlite_house: House) -> None:
    person_id = entered(sqlite_house.user(Role.ENROLLER))
    reviewer = sqlite_house.user(Role.REVIEWER)
    assert reviewer.get(f"/v1/people/{person_id}").status_code == 422
    assert reviewer.get(f"/v1/people/{person_id}", params={"purpose": ""}).status_code == 422
    assert logged(sqlite_house.server, "person_seen") == []
    seen(reviewer, person_id)
    (entry,) = logged(sqlite_house.server, "person_seen")
    assert (entry.purpose, entry.object_id, entry.actor_id) == ("核对", person_id, reviewer.headers["X-Test-User"])


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"psn_no": ""}, "psn_no"),
    ({"psn_no": "p 1"}, "psn_no"),
    ({"psn_no": 7}, "psn_no"),
    ({"psn_name": "  "}, "psn_name"),
    ({"psn_name": "张" * 51}, "psn_name"),
    ({"psn_name": "张\u0000三"}, "psn_name"),
    ({"certno": "110105194912310021"}, "certno"),
    ({"certno": "X" * 18}, "certno"),
    ({"gend": "1"}, "gend"),
    ({"gend": "男"}, "gend"),
    ({"brdy": "1949-12-30"}, "brdy"),
    ({"brdy": "31.12.1949"}, "brdy"),
    ({"certno": None, "brdy": "2999-01-01"}, "brdy"),
    ({"insuplc_admdvs": "33028"}, "insuplc_admdvs"),
    ({"insutype": "1234567"}, "insutype"),
    ({"surname": "张"}, "surname"),
]


def test_a_field_that_is_wrong_is_named_and_its_value_is_not(sqlite_house: House) -> None:
    enroller = sqlite_house.user(Role.ENROLLER)
    for change, field in WRONG:
        answer = enroller.post("/v1/people", json=body() | change)
        assert answer.status_code == 422, field
        assert [error["field"] for error in answer.json()["errors"]] == [f"body.{field}"]
        value = change[field]
        assert not (isinstance(value, str) and len(value) > 8 and value.strip() and value in answer.text)
    assert rows_of(sqlite_house.server, InsuredPerson) == 0


def test_a_passport_is_no_identity_card(sqlite_house: House) -> None:
    enroller = sqlite_house.user(Role.ENROLLER)
    person_id = entered(enroller, psn_cert_type="03", certno="e12345678", gend="1", brdy="1990-02-03")
    assert seen(enroller, person_id)["certno"] == "E12345678"


def test_what_is_no_json_or_another_shape_is_refused(sqlite_house: House) -> None:
    enroller = sqlite_house.user(Role.ENROLLER)
    for content in (b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe"):
        answer = enroller.post("/v1/people", content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code in (400, 422), content
    assert rows_of(sqlite_house.server, InsuredPerson) == 0


def test_person_number_and_identity_number_are_in_use_once(house: House) -> None:
    enroller = house.user(Role.ENROLLER)
    entered(enroller)
    again = enroller.post("/v1/people", json=body(certno=OTHER_CERTNO))
    assert (again.status_code, again.json()["errors"][0]["field"]) == (409, "psn_no")
    other = enroller.post("/v1/people", json=body("p2"))
    assert (other.status_code, other.json()["errors"][0]["field"]) == (409, "certno")
    assert rows_of(house.server, InsuredPerson) == 1


def test_a_person_is_changed_whole(house: House) -> None:
    enroller = house.user(Role.ENROLLER)
    person_id = entered(enroller, gend="2")
    changed = body(psn_name="张三", insuplc_admdvs=YUYAO, certno=OTHER_CERTNO)
    assert enroller.put(f"/v1/people/{person_id}", json=changed).status_code == 200
    told = seen(enroller, person_id)
    assert (told["psn_name"], told["certno"], told["gend"]) == ("张三", OTHER_CERTNO, None)
    assert enroller.put(f"/v1/people/{person_id}", json=changed).status_code == 200
    assert len(logged(house.server, "person_updated")) == 1, "the second time nothing changed"
    entered(enroller, "p2")
    taken = enroller.put(f"/v1/people/{person_id}", json=body())
    assert (taken.status_code, taken.json()["errors"][0]["field"]) == (409, "certno")
    renumbered = enroller.put(f"/v1/people/{person_id}", json=changed | {"psn_no": "p3"})
    assert (renumbered.status_code, renumbered.json()["errors"][0]["field"]) == (409, "psn_no")


def test_a_person_may_move_to_a_district_that_is_seen_and_to_no_other(sqlite_house: House) -> None:
    yuyao, ningbo = sqlite_house.user(Role.ENROLLER), sqlite_house.user(Role.ENROLLER, NINGBO)
    person_id = entered(yuyao)
    moved = body(insuplc_admdvs=CIXI)
    assert yuyao.put(f"/v1/people/{person_id}", json=moved).status_code == 404
    assert the_person(sqlite_house.server).district_code == YUYAO
    assert ningbo.put(f"/v1/people/{person_id}", json=moved).status_code == 200
    assert yuyao.put(f"/v1/people/{person_id}", json=body()).status_code == 404, "now they are elsewhere"


def test_only_enrollers_of_the_district_enter_and_change_people(sqlite_house: House) -> None:
    owner, colleague = sqlite_house.user(Role.ENROLLER), sqlite_house.user(Role.ENROLLER, login="colleague")
    readers = [sqlite_house.user(role) for role in (Role.REVIEWER, Role.INSPECTOR, Role.ADMIN, Role.AUDITOR)]
    outsider = sqlite_house.user(Role.ENROLLER, HANGZHOU)
    for reader in readers:
        assert reader.post("/v1/people", json=body()).status_code == 403
    assert outsider.post("/v1/people", json=body()).status_code == 404
    assert sqlite_house.anybody().post("/v1/people", json=body()).status_code == 401
    path = f"/v1/people/{entered(owner)}"
    assert colleague.put(path, json=body(psn_name="李四")).status_code == 200
    for reader in readers:
        assert reader.put(path, json=body()).status_code == 403
    assert outsider.put(path, json=body()).status_code == 404
    taken = outsider.post("/v1/people", json=body(insuplc_admdvs=HANGZHOU))
    assert taken.status_code == 409, "a number is somebody's in the whole country"
    assert seen(owner, path.rpartition("/")[2])["psn_name"] == "李四"


def test_admins_and_auditors_see_no_people(sqlite_house: House) -> None:
    person_id = entered(sqlite_house.user(Role.ENROLLER))
    for role in (Role.ADMIN, Role.AUDITOR):
        client = sqlite_house.user(role)
        assert client.get("/v1/people").status_code == 403
        assert client.get(f"/v1/people/{person_id}", params={"purpose": "x"}).status_code == 403
        assert client.post("/v1/people/search", json={"psn_no": "p1", "purpose": "x"}).status_code == 403


def test_people_are_listed_by_pages_within_the_district(house: House) -> None:
    enroller = house.user(Role.ENROLLER)
    numbers = [f"p{number}" for number in range(5)]
    for number in numbers:
        assert enroller.post("/v1/people", json=body(number, certno=None)).status_code == 201  # type: ignore[arg-type]
    first = enroller.get("/v1/people", params={"limit": 3}).json()
    rest = enroller.get("/v1/people", params={"limit": 3, "after": first["next_after"]}).json()
    assert [person["psn_no"] for page in (first, rest) for person in page["people"]] == numbers
    assert rest["next_after"] is None
    assert "psn_name" not in first["people"][0]
    assert house.user(Role.ENROLLER, HANGZHOU).get("/v1/people").json()["people"] == []
    assert enroller.get("/v1/people", params={"limit": 201}).status_code == 422


def test_a_person_is_found_by_an_exact_value(house: House) -> None:
    enroller = house.user(Role.ENROLLER)
    person_id = entered(enroller)
    entered(enroller, "p2", psn_name="张三", certno=OTHER_CERTNO)

    def found(client: TestClient, by: dict[str, str]) -> list[str]:
        answer = client.post("/v1/people/search", json={**by, "purpose": "来电"})
        assert answer.status_code == 200
        return [person["id"] for person in answer.json()["people"]]

    reviewer, outsider = house.user(Role.REVIEWER), house.user(Role.REVIEWER, HANGZHOU)
    for by in ({"psn_no": "p1"}, {"certno": CERTNO}, {"certno": CERTNO.lower()}, {"psn_name": " 张三丰 "}):
        assert found(reviewer, by) == [person_id], by
        assert found(outsider, by) == [], by
    entries = logged(house.server, "people_searched")
    assert [(entry.purpose, entry.detail["found"]) for entry in entries] == [("来电", 1), ("来电", 0)] * 4
    assert all(secret not in str(entry.detail) for entry in entries for secret in ("张三丰", CERTNO))


def test_a_search_is_for_exactly_one_value(sqlite_house: House) -> None:
    client = sqlite_house.user(Role.REVIEWER)
    for asked in ({}, {"psn_no": "p1", "certno": CERTNO}, {"psn_nam": "张"}):
        assert client.post("/v1/people/search", json={**asked, "purpose": "x"}).status_code == 422
    assert client.post("/v1/people/search", json={"psn_no": "p1"}).status_code == 422


def test_an_id_that_is_nobodys_is_not_found_or_no_id(sqlite_house: House) -> None:
    client = sqlite_house.user(Role.ENROLLER)
    for person_id, status in (("%00", 422), ("'", 422), ("a" * 65, 422), ("nobody", 404)):
        path = f"/v1/people/{person_id}"
        assert client.get(path, params={"purpose": "x"}).status_code == status
        assert client.put(path, json=body()).status_code == status
        assert client.get(f"{path}/bases").status_code == status
