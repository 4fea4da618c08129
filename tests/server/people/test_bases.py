"""Legal bases, and what goes when they end."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from server.people.bases import age_on
from server.permissions import Role
from server.tables import EnrolmentPhoto, FaceTemplate, LegalBasis, LegalHold, Purpose
from tests.server.conftest import HANGZHOU, House
from tests.server.people.making import entered, logged, make_person, rows_of, unit

CONSENT = {"purpose": "identity_check", "basis": "consent", "version": "2026-1"}


def recorded(client: TestClient, person_id: str, **more: Any) -> str:
    answer = client.post(f"/v1/people/{person_id}/bases", json=CONSENT | more)
    assert answer.status_code == 201, answer.text
    basis_id: str = answer.json()["id"]
    return basis_id


def withdrawn(client: TestClient, person_id: str, basis_id: str) -> dict[str, Any]:
    answer = client.post(f"/v1/people/{person_id}/bases/{basis_id}/withdrawal")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def put_photo_bytes(house: House, person_id: str) -> str:
    """Bytes for the photo of a person who was put there without."""
    with house.server.database.transaction(writes=False) as session:
        key = session.scalars(select(EnrolmentPhoto.store_key).where(EnrolmentPhoto.person_id == person_id)).one()
    house.server.store.put(key, b"sealed")
    return key


def test_a_basis_is_recorded_with_purpose_version_and_time(sqlite_house: House) -> None:
    enroller = sqlite_house.user(Role.ENROLLER)
    person_id = entered(enroller)
    given_at = "2026-01-02T03:04:05Z"
    recorded(enroller, person_id, given_at=given_at)
    (basis,) = sqlite_house.user(Role.REVIEWER).get(f"/v1/people/{person_id}/bases").json()["bases"]
    assert (basis["purpose"], basis["basis"], basis["version"]) == ("identity_check", "consent", "2026-1")
    assert (basis["given_at"], basis["withdrawn_at"], basis["by_guardian"]) == (given_at, None, False)
    (entry,) = logged(sqlite_house.server, "basis_recorded")
    assert entry.detail == {"purpose": "identity_check", "basis": "consent"}


def test_what_a_basis_says_wrongly_is_named(sqlite_house: House) -> None:
    enroller = sqlite_house.user(Role.ENROLLER)
    person_id = entered(enroller)
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    for change, field in [
        ({"purpose": "marketing"}, "purpose"),
        ({"basis": "legitimate_interest"}, "basis"),
        ({"version": ""}, "version"),
        ({"given_at": "2026-01-02T03:04:05"}, "given_at"),
        ({"given_at": later}, "given_at"),
        ({"guardian_name": "李四"}, "guardian_relation"),
        ({"guardian_relation": "母亲"}, "guardian_name"),
    ]:
        answer = enroller.post(f"/v1/people/{person_id}/bases", json=CONSENT | change)
        assert answer.status_code == 422, change
        assert answer.json()["errors"][0]["field"].removeprefix("body.") == field
    assert rows_of(sqlite_house.server, LegalBasis) == 0


def test_under_14_years_a_guardian_consents(sqlite_house: House) -> None:
    enroller = sqlite_house.user(Role.ENROLLER)
    today = datetime.now(UTC).date()
    child = entered(enroller, certno=None, brdy=date(today.year - 13, 1, 1).isoformat())  # type: ignore[arg-type]
    alone = enroller.post(f"/v1/people/{child}/bases", json=CONSENT)
    assert (alone.status_code, alone.json()["errors"][0]["field"]) == (422, "guardian_name")
    recorded(enroller, child, guardian_name="李四", guardian_relation="母亲")
    recorded(enroller, child, basis="statutory_duty")
    with sqlite_house.server.database.transaction(writes=False) as session:
        basis = session.scalars(select(LegalBasis).where(LegalBasis.guardian_relation == "母亲")).one()
    assert basis.guardian_name_sealed is not None
    assert "李四".encode() not in basis.guardian_name_sealed
    assert "李四" not in enroller.get(f"/v1/people/{child}/bases").text


def test_whose_age_is_not_known_may_be_a_child(sqlite_house: House) -> None:
    enroller = sqlite_house.user(Role.ENROLLER)
    person_id = entered(enroller, certno=None)  # type: ignore[arg-type]
    answer = enroller.post(f"/v1/people/{person_id}/bases", json=CONSENT)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "guardian_name")


@pytest.mark.parametrize(
    ("born", "day", "years"),
    [
        (date(2012, 5, 6), date(2026, 5, 5), 13),
        (date(2012, 5, 6), date(2026, 5, 6), 14),
        (date(2012, 2, 29), date(2026, 2, 28), 13),
        (date(2012, 2, 29), date(2026, 3, 1), 14),
    ],
)
def test_age_is_counted_in_whole_years(born: date, day: date, years: int) -> None:
    assert age_on(born, day) == years


def test_withdrawal_of_the_only_basis_revokes_templates_and_removes_photos(house: House) -> None:
    person_id = make_person(house.server, purposes=(), vectors=[unit(1), unit(2)])
    enroller = house.user(Role.ENROLLER)
    with house.server.database.transaction(writes=False) as session:
        keys = list(session.scalars(select(EnrolmentPhoto.store_key)))
    for key in keys:
        house.server.store.put(key, b"sealed")
    told = withdrawn(enroller, person_id, recorded(enroller, person_id, basis="statutory_duty"))
    assert (told["templates_revoked"], told["photos_removed"]) == (2, 2)
    assert told["basis"]["withdrawn_at"] is not None
    assert rows_of(house.server, FaceTemplate) == rows_of(house.server, EnrolmentPhoto) == 0
    assert list(house.server.store.keys("photos/")) == []


def test_what_another_basis_allows_stays(sqlite_house: House) -> None:
    person_id = make_person(sqlite_house.server, purposes=[Purpose.AGENT_CHECK, Purpose.EVIDENCE], vectors=[unit(1)])
    enroller = sqlite_house.user(Role.ENROLLER)
    told = withdrawn(enroller, person_id, recorded(enroller, person_id, basis="statutory_duty"))
    assert (told["templates_revoked"], told["photos_removed"]) == (0, 0), "agent checks are still allowed"
    bases = {basis["purpose"]: basis["id"] for basis in enroller.get(f"/v1/people/{person_id}/bases").json()["bases"]}
    told = withdrawn(enroller, person_id, bases["agent_check"])
    assert (told["templates_revoked"], told["photos_removed"]) == (1, 0), "the photo is evidence"
    again = withdrawn(enroller, person_id, bases["agent_check"])
    assert (again["basis"], again["templates_revoked"]) == (told["basis"], 0)


def test_under_a_legal_hold_photos_stay_and_templates_are_revoked_all_the_same(sqlite_house: House) -> None:
    person_id = make_person(sqlite_house.server, purposes=(), vectors=[unit(1)])
    key = put_photo_bytes(sqlite_house, person_id)
    with sqlite_house.server.database.transaction() as session:
        session.add(
            LegalHold(
                id="hold", object_kind="person", object_id=person_id, why="立案", placed_by="user",
                placed_at=datetime.now(UTC),
            )
        )  # fmt: skip
    enroller = sqlite_house.user(Role.ENROLLER)
    told = withdrawn(enroller, person_id, recorded(enroller, person_id, basis="statutory_duty"))
    assert (told["templates_revoked"], told["photos_removed"]) == (1, 0)
    assert sqlite_house.server.store.get(key) == b"sealed"


def test_only_enrollers_of_the_district_record_and_withdraw(sqlite_house: House) -> None:
    owner, colleague = sqlite_house.user(Role.ENROLLER), sqlite_house.user(Role.ENROLLER, login="colleague")
    outsider, reader = sqlite_house.user(Role.ENROLLER, HANGZHOU), sqlite_house.user(Role.REVIEWER)
    person_id = entered(owner)
    path = f"/v1/people/{person_id}/bases"
    assert outsider.post(path, json=CONSENT).status_code == 404
    assert reader.post(path, json=CONSENT).status_code == 403
    assert outsider.get(path).status_code == 404
    withdrawal = f"{path}/{recorded(owner, person_id)}/withdrawal"
    assert outsider.post(withdrawal).status_code == 404
    assert reader.post(withdrawal).status_code == 403
    assert owner.post(f"{path}/{'0' * 32}/withdrawal").status_code == 404
    assert logged(sqlite_house.server, "basis_withdrawn") == []
    assert colleague.post(withdrawal).status_code == 200
