"""Enrolling photos of real faces, and taking them away again."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from renzheng.contracts import Reason
from renzheng.ids import new_id
from server.audit_log.service import SYSTEM
from server.context import Server
from server.errors import Conflict
from server.people.photos import EnrolledPhoto, PhotoDamaged, PhotoRefusedFor, enrol_photo, face_in, photo_bytes
from server.people.references import references_for
from server.people.removal import remove_orphans
from server.permissions import Role
from server.tables import EnrolmentPhoto, FaceTemplate, InsuredPerson, LegalHold, StaffMember
from tests.server.conftest import HANGZHOU, OUTSIDE, PHARMACY, House
from tests.server.people.making import logged, make_member, make_person, rows_of, unit
from vision.pack import VisionPack

pytestmark = pytest.mark.usefixtures("opened_pack")


def sent(client: TestClient, person_id: str, data: bytes, whose: str = "people") -> httpx.Response:
    answer: httpx.Response = client.post(f"/v1/{whose}/{person_id}/photos", files={"photo": ("1.png", data)})
    return answer


def enrolled(client: TestClient, person_id: str, data: bytes, whose: str = "people") -> dict[str, Any]:
    answer = sent(client, person_id, data, whose)
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_a_photo_is_enrolled_sealed_and_found_by_the_holders_next_check(
    house: House, pictures: Path, opened_pack: VisionPack
) -> None:
    person_id, data = make_person(house.server), (pictures / "amy" / "amy1.png").read_bytes()
    told = enrolled(house.user(Role.ENROLLER), person_id, data)
    assert told["is_new"]
    assert told["photo"]["quality"]["failed"] == []
    assert [template["pack"] for template in told["photo"]["templates"]] == ["opencv-zoo"]
    assert told["duplicates"] == {"searched": True, "people": [], "in_other_districts": 0}
    assert told["notice"] is None
    (key,) = house.server.store.keys()
    assert key == f"photos/{person_id}/{told['photo']['id']}"
    assert data[:64] not in house.server.store.get(key)
    with house.server.database.transaction(writes=False) as session:
        found = references_for(session, house.server, "p1", datetime.now(UTC), opened_pack.embedder_sha256, PHARMACY)
    face = face_in(house.server, (pictures / "amy" / "amy2.png").read_bytes())
    assert found.holder is not None
    assert not isinstance(face, PhotoRefusedFor)
    assert found.holder.templates[0] @ face.face.embedding > 0.6


def test_the_same_bytes_are_enrolled_once(house: House, pictures: Path) -> None:
    person_id, enroller = make_person(house.server), house.user(Role.ENROLLER)
    data = (pictures / "amy" / "amy1.png").read_bytes()
    first = enrolled(enroller, person_id, data)
    again = sent(enroller, person_id, data)
    assert (again.status_code, again.json()["is_new"]) == (200, False)
    assert again.json()["photo"] == first["photo"]
    assert (rows_of(house.server, EnrolmentPhoto), len(list(house.server.store.keys()))) == (1, 1)


def test_a_photo_that_fails_the_gate_is_refused_in_both_languages(sqlite_house: House, shared_dir: Path) -> None:
    person_id, enroller = make_person(sqlite_house.server), sqlite_house.user(Role.ENROLLER)
    several = (shared_dir / "faces" / "scenes" / "bbt4.jpg").read_bytes()
    for data, reason, zh in (
        (several, "several_faces", "照片中有多张人脸"),
        (b"", "unreadable", "文件无法读取"),
        (b"psn_no,psn_name\r\n", "not_a_picture", "不是图片文件"),
        (several[:2000], "unreadable", "文件无法读取"),
    ):
        answer = sent(enroller, person_id, data)
        assert answer.status_code == 422
        told = answer.json()
        assert (told["reasons"][0]["code"], told["reasons"][0]["zh"]) == (reason, zh)
        assert told["detail"] == told["reasons"][0]["en"]
        assert told["errors"][0]["field"] == "body.photo"
    assert rows_of(sqlite_house.server, EnrolmentPhoto) == len(list(sqlite_house.server.store.keys())) == 0


def test_a_photo_of_somebody_else_than_before_is_refused(sqlite_house: House, pictures: Path) -> None:
    person_id, enroller = make_person(sqlite_house.server), sqlite_house.user(Role.ENROLLER)
    wrong = enrolled(enroller, person_id, (pictures / "raj" / "raj1.png").read_bytes())["photo"]["id"]
    right = (pictures / "amy" / "amy5.png").read_bytes()
    assert sent(enroller, person_id, right).json()["reasons"][0]["code"] == "photo_differs"
    assert enroller.delete(f"/v1/photos/{wrong}").status_code == 204
    enrolled(enroller, person_id, right)
    enrolled(enroller, person_id, (pictures / "amy" / "amy1.png").read_bytes())
    assert rows_of(sqlite_house.server, FaceTemplate) == 2


def test_a_face_that_is_enrolled_under_another_number_is_told(house: House, pictures: Path) -> None:
    first = make_person(house.server, "p1")
    elsewhere = make_person(house.server, "far", HANGZHOU)
    second = make_person(house.server, "p2")
    enroller = house.user(Role.ENROLLER)
    enrolled(enroller, first, (pictures / "sheldon" / "sheldon2.png").read_bytes())
    enrolled(house.user(Role.ENROLLER, HANGZHOU), elsewhere, (pictures / "sheldon" / "sheldon3.png").read_bytes())
    told = enrolled(enroller, second, (pictures / "sheldon" / "sheldon5.png").read_bytes())
    (alike,) = told["duplicates"]["people"]
    assert (alike["person_id"], alike["psn_no"]) == (first, "p1")
    assert alike["cosine"] > 0.7
    assert told["duplicates"]["in_other_districts"] == 1
    assert [entry.detail["found"] for entry in logged(house.server, "duplicates_searched")] == [0, 1, 2]


def test_nothing_is_kept_of_a_face_that_no_basis_allows(sqlite_house: House, pictures: Path) -> None:
    data = (pictures / "amy" / "amy1.png").read_bytes()
    person_id = make_person(sqlite_house.server, purposes=())
    answer = sent(sqlite_house.user(Role.ENROLLER), person_id, data)
    assert (answer.status_code, "legal basis" in answer.json()["detail"]) == (409, True)
    with pytest.raises(Conflict), sqlite_house.server.database.transaction() as session:
        enrol_photo(session, sqlite_house.server, _person(session, person_id), data, SYSTEM)
    assert rows_of(sqlite_house.server, EnrolmentPhoto) == len(list(sqlite_house.server.store.keys())) == 0


def _person(session: Any, person_id: str) -> InsuredPerson:
    person = session.get(InsuredPerson, person_id)
    assert isinstance(person, InsuredPerson)
    return person


def test_a_photo_of_a_transaction_that_fails_is_taken_out_of_the_store(server: Server, pictures: Path) -> None:
    person_id, data = make_person(server), (pictures / "amy" / "amy1.png").read_bytes()
    with pytest.raises(RuntimeError, match="as a test"), server.database.transaction() as session:
        assert isinstance(enrol_photo(session, server, _person(session, person_id), data, SYSTEM), EnrolledPhoto)
        assert len(list(server.store.keys())) == 1
        with session.begin_nested():
            session.flush()
        raise RuntimeError("as a test")
    assert (rows_of(server, EnrolmentPhoto), list(server.store.keys())) == (0, [])
    with server.database.transaction() as session:
        enrol_photo(session, server, _person(session, person_id), data, SYSTEM)
    assert len(list(server.store.keys())) == 1


def test_what_a_killed_server_left_in_the_store_is_removed_after_a_day(sqlite_house: House, pictures: Path) -> None:
    server, now = sqlite_house.server, datetime.now(UTC)
    person_id = make_person(server)
    enrolled(sqlite_house.user(Role.ENROLLER), person_id, (pictures / "amy" / "amy1.png").read_bytes())
    (kept,) = server.store.keys()
    server.store.put(f"photos/{person_id}/{new_id()}", b"sealed")
    assert remove_orphans(server, now) == 0, "its transaction may still run"
    assert remove_orphans(server, now + timedelta(days=1, minutes=1)) == 1
    assert list(server.store.keys()) == [kept]


def test_a_photo_is_looked_at_with_a_purpose_and_as_it_was_given(sqlite_house: House, pictures: Path) -> None:
    person_id, data = make_person(sqlite_house.server), (pictures / "amy" / "amy1.png").read_bytes()
    photo_id = enrolled(sqlite_house.user(Role.ENROLLER), person_id, data)["photo"]["id"]
    path, reviewer = f"/v1/photos/{photo_id}", sqlite_house.user(Role.REVIEWER)
    assert reviewer.get(path).status_code == 422
    answer = reviewer.get(path, params={"purpose": "复核"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert hashlib.sha256(answer.content).digest() == hashlib.sha256(data).digest()
    assert "no-store" in answer.headers["cache-control"]
    (entry,) = logged(sqlite_house.server, "photo_seen")
    assert (entry.purpose, entry.object_id) == ("复核", photo_id)
    for client, status in (
        (sqlite_house.user(Role.INSPECTOR), 403),
        (sqlite_house.user(Role.ADMIN), 403),
        (sqlite_house.user(Role.REVIEWER, HANGZHOU), 404),
        (sqlite_house.anybody(), 401),
    ):
        assert client.get(path, params={"purpose": "x"}).status_code == status
    assert len(logged(sqlite_house.server, "photo_seen")) == 1


def test_a_photo_that_was_put_in_anothers_place_is_not_shown(sqlite_house: House, pictures: Path) -> None:
    enroller, server = sqlite_house.user(Role.ENROLLER), sqlite_house.server
    for psn_no, name in (("p1", "amy"), ("p2", "raj")):
        enrolled(enroller, make_person(server, psn_no), (pictures / name / f"{name}1.png").read_bytes())
    first, second = sorted(server.store.keys())
    server.store.put(first, server.store.get(second))
    with server.database.transaction(writes=False) as session:
        photo = session.scalars(select(EnrolmentPhoto).where(EnrolmentPhoto.store_key == first)).one()
    with pytest.raises(PhotoDamaged):
        photo_bytes(server, photo)
    path = f"/v1/photos/{photo.id}"
    assert sqlite_house.user(Role.REVIEWER).get(path, params={"purpose": "复核"}).status_code == 500
    assert logged(server, "photo_seen") == [], "nobody saw it"


def test_a_revoked_photo_is_compared_with_no_more_and_may_be_enrolled_anew(sqlite_house: House, pictures: Path) -> None:
    person_id, data = make_person(sqlite_house.server), (pictures / "amy" / "amy1.png").read_bytes()
    enroller = sqlite_house.user(Role.ENROLLER)
    photo_id = enrolled(enroller, person_id, data)["photo"]["id"]
    path = f"/v1/photos/{photo_id}/revocation"
    assert sqlite_house.user(Role.ENROLLER, HANGZHOU).post(path).status_code == 404
    assert sqlite_house.user(Role.REVIEWER).post(path).status_code == 403
    assert sqlite_house.user(Role.ENROLLER, login="colleague").post(path).json() == {"templates_revoked": 1}
    assert enroller.post(path).json() == {"templates_revoked": 0}
    listed = enroller.get(f"/v1/people/{person_id}/photos").json()["photos"]
    assert [template["revoked_at"] is None for template in listed[0]["templates"]] == [False]
    assert enrolled(enroller, person_id, data)["is_new"]


def test_a_photo_is_removed_with_its_templates_by_enrollers_of_the_district(
    sqlite_house: House, pictures: Path
) -> None:
    person_id, enroller = make_person(sqlite_house.server), sqlite_house.user(Role.ENROLLER)
    photo_id = enrolled(enroller, person_id, (pictures / "amy" / "amy1.png").read_bytes())["photo"]["id"]
    path = f"/v1/photos/{photo_id}"
    assert sqlite_house.user(Role.ENROLLER, HANGZHOU).delete(path).status_code == 404
    assert sqlite_house.user(Role.REVIEWER).delete(path).status_code == 403
    with sqlite_house.server.database.transaction() as session:
        session.add(
            LegalHold(
                id="hold", object_kind="person", object_id=person_id, why="立案", placed_by="user",
                placed_at=datetime.now(UTC),
            )
        )  # fmt: skip
    held = enroller.delete(path)
    assert (held.status_code, "hold" in held.json()["detail"]) == (409, True)
    with sqlite_house.server.database.transaction() as session:
        session.get_one(LegalHold, "hold").released_at = datetime.now(UTC)
    assert sqlite_house.user(Role.ENROLLER, login="colleague").delete(path).status_code == 204
    assert enroller.delete(path).status_code == 404
    assert rows_of(sqlite_house.server, FaceTemplate) == rows_of(sqlite_house.server, EnrolmentPhoto) == 0
    assert list(sqlite_house.server.store.keys()) == []


def test_only_enrollers_of_the_district_enrol(sqlite_house: House) -> None:
    person_id = make_person(sqlite_house.server)
    for client, status in (
        (sqlite_house.user(Role.ENROLLER, HANGZHOU), 404),
        (sqlite_house.user(Role.REVIEWER), 403),
        (sqlite_house.anybody(), 401),
    ):
        assert sent(client, person_id, b"x").status_code == status
    assert sqlite_house.user(Role.ENROLLER).post(f"/v1/people/{person_id}/photos").status_code == 422
    assert sqlite_house.user(Role.REVIEWER, HANGZHOU).get(f"/v1/people/{person_id}/photos").status_code == 404


def test_a_photo_that_is_too_large_is_refused_unread(sqlite_house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_house.server.settings, "photo_mb", 1)
    data = np.random.default_rng(0).bytes(1_000_001)
    answer = sent(sqlite_house.user(Role.ENROLLER), make_person(sqlite_house.server), data)
    assert (answer.status_code, "1 MB" in answer.json()["detail"]) == (413, True)


def test_staff_are_entered_enrolled_and_leave(house: House, pictures: Path) -> None:
    enroller, colleague = house.user(Role.ENROLLER), house.user(Role.ENROLLER, login="colleague")
    outsider, reader = house.user(Role.ENROLLER, HANGZHOU), house.user(Role.REVIEWER)
    path, fields = f"/v1/institutions/{PHARMACY}/staff", {"staff_no": "a1", "name": "李药师", "basis_version": "2026-1"}
    assert outsider.post(path, json=fields).status_code == 404
    assert reader.post(path, json=fields).status_code == 403
    assert enroller.post(f"/v1/institutions/{OUTSIDE}/staff", json=fields).status_code == 404
    added = enroller.post(path, json=fields)
    assert (added.status_code, "name" in added.json()) == (201, False)
    assert enroller.post(path, json=fields).status_code == 409
    staff_id, data = added.json()["id"], (pictures / "raj" / "raj1.png").read_bytes()
    assert sent(outsider, staff_id, data, "staff").status_code == 404
    assert sent(reader, staff_id, data, "staff").status_code == 403
    assert enrolled(enroller, staff_id, data, "staff")["duplicates"]["searched"] is False
    assert len(reader.get(f"/v1/staff/{staff_id}/photos").json()["photos"]) == 1
    departure = f"/v1/staff/{staff_id}/departure"
    assert outsider.post(departure).status_code == 404
    assert reader.post(departure).status_code == 403
    assert colleague.post(departure).json()["left_at"] is not None
    assert (rows_of(house.server, FaceTemplate), list(house.server.store.keys())) == (0, [])
    assert sent(enroller, staff_id, data, "staff").status_code == 409


def test_staff_are_listed_with_names_for_a_purpose(sqlite_house: House) -> None:
    make_member(sqlite_house.server, PHARMACY, "a1")
    path, reader = f"/v1/institutions/{PHARMACY}/staff", sqlite_house.user(Role.REVIEWER)
    assert reader.get(path).status_code == 422
    (member,) = reader.get(path, params={"purpose": "核对"}).json()["staff"]
    assert (member["name"], member["staff_no"]) == ("李药师", "a1")
    assert [entry.purpose for entry in logged(sqlite_house.server, "staff_seen")] == ["核对"]
    outsider = sqlite_house.user(Role.REVIEWER, HANGZHOU)
    assert outsider.get(path, params={"purpose": "x"}).status_code == 404


def test_a_hold_on_the_institution_keeps_the_faces_of_its_staff(sqlite_house: House) -> None:
    server, enroller = sqlite_house.server, sqlite_house.user(Role.ENROLLER)
    staff_id = make_member(server, PHARMACY, "a1", [unit(1)])
    with server.database.transaction() as session:
        hold = LegalHold(id="hold", object_kind="institution", object_id=PHARMACY, why="立案", placed_by="user",
                         placed_at=datetime.now(UTC))  # fmt: skip
        session.add(hold)
    assert enroller.post(f"/v1/staff/{staff_id}/erasure", json={"why": "申请 12"}).status_code == 409
    assert enroller.post(f"/v1/staff/{staff_id}/departure").status_code == 200
    with server.database.transaction(writes=False) as session:
        (template,) = session.scalars(select(FaceTemplate))
    assert template.revoked_at is not None
    assert rows_of(server, EnrolmentPhoto) == 1


def test_a_staff_member_is_erased(sqlite_house: House, pictures: Path) -> None:
    staff_id, enroller = make_member(sqlite_house.server, PHARMACY, "a1"), sqlite_house.user(Role.ENROLLER)
    enrolled(enroller, staff_id, (pictures / "raj" / "raj1.png").read_bytes(), "staff")
    path, why = f"/v1/staff/{staff_id}/erasure", {"why": "申请 12"}
    assert sqlite_house.user(Role.ENROLLER, HANGZHOU).post(path, json=why).status_code == 404
    assert sqlite_house.user(Role.REVIEWER).post(path, json=why).status_code == 403
    assert sqlite_house.user(Role.ENROLLER, login="colleague").post(path, json=why).json()["counts"] == {
        "photos": 1,
        "templates": 1,
    }
    assert (rows_of(sqlite_house.server, StaffMember), list(sqlite_house.server.store.keys())) == (0, [])


def test_reasons_of_the_gate_reach_the_caller(sqlite_server: Server) -> None:
    person_id = make_person(sqlite_server)
    with sqlite_server.database.transaction() as session:
        refused = enrol_photo(session, sqlite_server, _person(session, person_id), b"no picture", SYSTEM)
    assert refused == PhotoRefusedFor((Reason.NOT_A_PICTURE,))
