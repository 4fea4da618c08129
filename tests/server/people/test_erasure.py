"""Erasure leaves nothing of a person: not in a table, not in the store, not in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from renzheng.contracts import BedCheck, BedVerdict, IdentityCheck, TrackRole, Verdict
from server.context import Server
from server.people import duplicates
from server.people.erasure import ERASED
from server.people.references import references_for
from server.permissions import Role
from server.tables import (
    AgentApproval,
    Base,
    BulkEnrolment,
    BulkRow,
    BulkState,
    Check,
    CheckPiece,
    Clip,
    DeletionCertificate,
    DeviceKey,
    FaceTemplate,
    InsuredPerson,
    LegalBasis,
    LegalHold,
    Purpose,
    Settlement,
    SettlementImport,
)
from tests.edge_agent.builders import NOON, a_sample, a_track
from tests.server.checks.making import bed, swipe
from tests.server.conftest import HANGZHOU, PHARMACY, WARD, YUYAO, House
from tests.server.people.making import CERTNO, EMBEDDER, entered, logged, make_approval, make_person, rows_of

NAME, PSN_NO, RELATIVE = "赵六六", "33028100000000000000000000007", "33028100000000000000000000008"
WHY = {"why": "申请 2026-12"}


def put_check(house: House, check: IdentityCheck | BedCheck, *paths: str, clip: bool = False) -> int:
    """A check with pieces of these paths, as the ingest would keep it; returns its id."""
    store, now = house.server.store, datetime.now(UTC)
    is_swipe = isinstance(check, IdentityCheck)
    name = check.swipe_id if isinstance(check, IdentityCheck) else check.check_id
    device = house.box(PHARMACY if is_swipe else WARD, public_key=name.encode().ljust(32, b"-"))
    with house.server.database.transaction() as session:
        row = Check(
            device_id=device.headers["X-Test-Device"], delivery_id=name, body_sha256="-", kind=check.kind,
            institution_id=PHARMACY if is_swipe else WARD, district_code=YUYAO, psn_no=check.psn_no, happened_at=NOON,
            clock_offset_s=0.0, verdict=check.verdict.value, reasons=[], score=None, clip_due=clip, finished_at=now,
            received_at=now, body=check.model_dump(mode="json"),
        )  # fmt: skip
        session.add(row)
        session.flush()
        for number, path in enumerate(paths):
            key = f"pieces/{name}/{number}"
            store.put(key, f"piece {path}".encode())
            session.add(
                CheckPiece(
                    id=f"{name}{number}", check_id=row.id, path=path, kind="sample", sha256="-", size_bytes=1,
                    store_key=key,
                )
            )  # fmt: skip
        if clip:
            key, signed_by = f"clips/{name}.mp4", session.scalars(_key_of(row.device_id)).one()
            store.put(key, b"a clip")
            session.add(
                Clip(
                    id=name, check_id=row.id, store_key=key, sha256="-", size_bytes=6, manifest="{}",
                    key_id=signed_by.key_id, signature="-", start=now, end=now, received_at=now,
                )
            )  # fmt: skip
        return row.id


def _key_of(device_id: str) -> Any:
    return select(DeviceKey).where(DeviceKey.device_id == device_id)


def everything_in(server: Server) -> Iterator[tuple[str, bytes]]:
    """Every value of every table as bytes, with where it is."""
    with server.database.transaction(writes=False) as session:
        for table in Base.metadata.sorted_tables:
            for row in session.execute(select(table)):
                for column, value in zip(table.columns, row, strict=True):
                    yield f"{table.name}.{column.name}", _bytes(value)


def _bytes(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    return (json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)).encode()


def places_of(server: Server, secret: bytes) -> set[str]:
    """Columns and objects in which some bytes are found."""
    found = {place for place, value in everything_in(server) if secret in value}
    keys = list(server.store.keys())
    return found | {key for key in keys if secret in server.store.get(key)}


def make_somebody(house: House, photos: Sequence[Path] = ()) -> str:
    """Somebody of whom there is something in every place that holds anything of anybody; returns the id."""
    server, enroller = house.server, house.user(Role.ENROLLER)
    person_id = entered(enroller, PSN_NO, psn_name=NAME)
    relative = make_person(server, RELATIVE, purposes=[Purpose.IDENTITY_CHECK])
    path = f"/v1/people/{person_id}/bases"
    for purpose in ("identity_check", "agent_check", "evidence"):
        assert enroller.post(path, json={"purpose": purpose, "basis": "consent", "version": "1"}).status_code == 201
    for photo in photos:
        answer = enroller.post(f"/v1/people/{person_id}/photos", files={"photo": photo.read_bytes()})
        assert answer.status_code == 201, answer.text
    make_approval(server, person_id, relative)
    make_approval(server, relative, person_id)
    put_check(
        house,
        swipe("own", psn_no=PSN_NO, tracks=(a_track(0),), samples=(a_sample(0, crop="f/0.jpg"),), still="s.jpg"),
        "f/0.jpg", "s.jpg", clip=True,
    )  # fmt: skip
    put_check(house, swipe("waits", Verdict.PENDING_REFERENCE, psn_no=PSN_NO, sealed_samples="x.bin"), "x.bin")
    put_check(house, bed("bed-9", BedVerdict.PENDING_REFERENCE, psn_no=PSN_NO, ipt_no="20260009"))
    agent_track = a_track(0, role=TrackRole.AGENT, agent_psn_no=PSN_NO)
    put_check(
        house,
        swipe(
            "relatives", Verdict.PROXY_MATCH, psn_no=RELATIVE, tracks=(agent_track,),
            samples=(a_sample(0, crop="f/a.jpg"),),
        ),
        "f/a.jpg", clip=True,
    )  # fmt: skip
    with server.database.transaction() as session:
        now = datetime.now(UTC)
        session.add(
            BulkEnrolment(
                id="bulk",
                digest="-",
                dry_run=False,
                state=BulkState.DONE,
                rows=1,
                photos_unused=0,
                started_by="user",
                started_at=now,
            )
        )
        session.flush()
        session.add(
            BulkRow(bulk_id="bulk", row=2, outcome="enrolled", person_id=person_id, photos_taken=2, problems=[])
        )
    return person_id


@pytest.mark.usefixtures("opened_pack")
def test_nothing_of_an_erased_person_is_found_anywhere(house: House, pictures: Path) -> None:
    person = make_somebody(house, [pictures / "amy" / f"amy{number}.png" for number in (1, 2)])
    server, keys = house.server, house.server.keys
    open_secrets = [NAME.encode(), CERTNO.encode(), b"1949-12-31"]
    with server.database.transaction(writes=False) as session:
        sealed = session.scalars(select(FaceTemplate.sealed)).all()
        row = session.get_one(InsuredPerson, person)
        stored_secrets = [
            PSN_NO.encode(), b"20260009",
            keys.blind_index("psn_name", NAME).encode(), keys.blind_index("certno", CERTNO).encode(),
            row.psn_name_sealed, row.certno_sealed or b"?", row.brdy_sealed or b"?", *sealed,
        ]  # fmt: skip
    assert len(list(server.store.keys())) == 2 + 2 + 1 + 1 + 2, "photos, pieces of three checks, clips"
    assert all(places_of(server, secret) for secret in stored_secrets)

    answer = house.user(Role.ENROLLER).post(f"/v1/people/{person}/erasure", json=WHY)
    assert answer.status_code == 200, answer.text
    assert answer.json()["counts"] == {
        "checks": 4, "pieces": 4, "clips": 2, "legal_bases": 3, "agent_approvals": 2, "templates": 2, "photos": 2,
        "credentials": 0,
    }  # fmt: skip

    for secret in open_secrets + stored_secrets:
        assert places_of(server, secret) == set(), secret
    assert list(server.store.keys()) == []
    named = {place for place, value in everything_in(server) if person.encode() in value}
    assert named == {"audit_log.object_id"}, "an id that leads nowhere"
    assert all(len(index) == 0 for index in duplicates._indexes(server).by_embedder.values())


def test_an_erased_person_is_nobody_to_a_check_and_may_be_entered_anew(sqlite_house: House) -> None:
    house, person = sqlite_house, make_somebody(sqlite_house)
    enroller = house.user(Role.ENROLLER)
    assert enroller.post(f"/v1/people/{person}/erasure", json=WHY).status_code == 200
    assert enroller.post(f"/v1/people/{person}/erasure", json=WHY).status_code == 404
    with house.server.database.transaction(writes=False) as session:
        at = datetime.now(UTC)
        assert references_for(session, house.server, PSN_NO, at, EMBEDDER, PHARMACY).holder is None
        relatives = references_for(session, house.server, RELATIVE, at, EMBEDDER, PHARMACY)
        assert (relatives.agents, relatives.agents_without_photo) == ((), 0)
    again = entered(enroller, PSN_NO, psn_name=NAME)
    assert enroller.get(f"/v1/people/{again}/photos").json()["photos"] == []


def test_checks_of_an_erased_person_stay_readable_without_whom_they_were_about(sqlite_house: House) -> None:
    house, person = sqlite_house, make_somebody(sqlite_house)
    assert house.user(Role.ENROLLER).post(f"/v1/people/{person}/erasure", json=WHY).status_code == 200
    with house.server.database.transaction(writes=False) as session:
        rows = {row.delivery_id: row for row in session.scalars(select(Check))}
    own = IdentityCheck.model_validate(rows["own"].body)
    assert (own.psn_no, own.verdict, own.samples[0].crop, own.still) == (ERASED, Verdict.MATCH, None, None)
    assert (rows["own"].psn_no, rows["own"].clip_due) == (None, False)
    relatives = IdentityCheck.model_validate(rows["relatives"].body)
    assert (relatives.psn_no, rows["relatives"].psn_no) == (RELATIVE, RELATIVE)
    assert [track.agent_psn_no for track in relatives.tracks] == [ERASED]
    assert (rows["waits"].verdict, rows["waits"].reasons) == ("not_enrolled", ["person_unknown"])
    assert IdentityCheck.model_validate(rows["waits"].decided).verdict is Verdict.NOT_ENROLLED
    assert rows["bed-9"].verdict == "not_assessable"
    assert BedCheck.model_validate(rows["bed-9"].decided).psn_no == ERASED


def test_an_erasure_leaves_a_certificate_that_only_the_number_finds(sqlite_house: House) -> None:
    house, person = sqlite_house, make_somebody(sqlite_house)
    enroller = house.user(Role.ENROLLER)
    told = enroller.post(f"/v1/people/{person}/erasure", json=WHY).json()
    with house.server.database.transaction(writes=False) as session:
        certificate = session.scalars(select(DeletionCertificate)).one()
    assert (certificate.id, certificate.kind, certificate.why) == (told["id"], "erasure", WHY["why"])
    assert certificate.subject_index == house.server.keys.blind_index("psn_no", PSN_NO)
    assert certificate.made_by == enroller.headers["X-Test-User"]
    (entry,) = logged(house.server, "person_erased")
    assert (entry.object_id, entry.detail["pieces"]) == (person, 4)


def test_the_file_of_the_database_holds_no_number_either(sqlite_house: House) -> None:
    server, enroller = sqlite_house.server, sqlite_house.user(Role.ENROLLER)
    person_id = entered(enroller, PSN_NO, psn_name=NAME)
    put_check(sqlite_house, swipe("own", psn_no=PSN_NO))
    assert enroller.post(f"/v1/people/{person_id}/erasure", json=WHY).status_code == 200
    with server.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    for path in Path(server.settings.data_dir).glob("renzheng.sqlite*"):
        assert PSN_NO.encode() not in path.read_bytes(), path.name


def settle(server: Server, psn_no: str) -> int:
    now = datetime.now(UTC)
    with server.database.transaction() as session:
        session.add(
            SettlementImport(
                id="import", kind="settlements", file_name="x.csv", sha256="-", started_by="user", started_at=now
            )
        )
        session.flush()
        settlement = Settlement(
            setl_id="S9", psn_no=psn_no, fixmedins_code=PHARMACY, institution_id=PHARMACY, district_code=YUYAO,
            setl_time=now, credential_sealed=b"a sealed number", credential_index="an index", medfee_sumamt=1,
            fund_pay_sumamt=1, acct_pay=0, acct_mulaid_pay=0, psn_cash_pay=0, import_id="import", content_digest=b"-",
        )  # fmt: skip
        session.add(settlement)
        session.flush()
        return settlement.id


def test_the_funds_accounts_keep_the_pools_number_and_lose_the_credential(house: House) -> None:
    enroller = house.user(Role.ENROLLER)
    person_id = entered(enroller, PSN_NO)
    settle(house.server, PSN_NO)
    told = enroller.post(f"/v1/people/{person_id}/erasure", json=WHY).json()
    assert told["counts"]["credentials"] == 1
    assert places_of(house.server, PSN_NO.encode()) == {"settlements.psn_no"}
    assert places_of(house.server, b"a sealed number") == places_of(house.server, b"an index") == set()


def test_what_a_legal_hold_keeps_is_not_erased(house: House) -> None:
    person = make_somebody(house)
    server, enroller = house.server, house.user(Role.ENROLLER)
    with server.database.transaction(writes=False) as session:
        checks = {row.delivery_id: str(row.id) for row in session.scalars(select(Check))}
    held = [
        ("person", person),
        ("check", checks["own"]),
        ("check", checks["relatives"]),
        ("institution", WARD),
        ("settlement", str(settle(server, PSN_NO))),
    ]
    before = sorted(server.store.keys())
    for number, (kind, object_id) in enumerate(held):
        with server.database.transaction() as session:
            session.add(
                LegalHold(
                    id=f"hold-{number}", object_kind=kind, object_id=object_id, why="立案", placed_by="user",
                    placed_at=datetime.now(UTC),
                )
            )  # fmt: skip
        answer = enroller.post(f"/v1/people/{person}/erasure", json=WHY)
        assert (answer.status_code, f"hold-{number}" in answer.json()["detail"]) == (409, True), kind
        with server.database.transaction() as session:
            session.get_one(LegalHold, f"hold-{number}").released_at = datetime.now(UTC)
    assert sorted(server.store.keys()) == before
    assert rows_of(server, LegalBasis) == 4
    assert rows_of(server, AgentApproval) == 2
    assert enroller.post(f"/v1/people/{person}/erasure", json=WHY).status_code == 200


def test_only_enrollers_of_the_district_erase(sqlite_house: House) -> None:
    person_id = make_person(sqlite_house.server)
    path = f"/v1/people/{person_id}/erasure"
    for client, status in (
        (sqlite_house.user(Role.ENROLLER, HANGZHOU), 404),
        (sqlite_house.user(Role.SENIOR_REVIEWER), 403),
        (sqlite_house.user(Role.ADMIN), 403),
        (sqlite_house.anybody(), 401),
    ):
        assert client.post(path, json=WHY).status_code == status
    assert sqlite_house.user(Role.ENROLLER).post(path, json={}).status_code == 422
    assert rows_of(sqlite_house.server, InsuredPerson) == 1
    assert sqlite_house.user(Role.ENROLLER, login="colleague").post(path, json=WHY).status_code == 200
