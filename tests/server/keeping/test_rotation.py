"""New keys, and everything sealed anew."""

from __future__ import annotations

import re
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import LargeBinary, select

from renzheng.errors import BadInput
from renzheng.ids import new_id
from server.audit_log.service import SYSTEM
from server.context import Server
from server.keeping.rotation import COLUMNS, OBJECTS, add_keys, reseal
from server.key_ring import KeyRing
from server.people.erasure import erase_person
from server.people.service import person_of
from server.tables import Base, EnrolmentPhoto, FaceTemplate, InsuredPerson, Settlement
from tests.server.conftest import KEYS, YUYAO
from tests.server.join.rows import NOON, Paid, add_settlements, make_import
from tests.server.people.making import make_person, unit

ROOT = Path(__file__).resolve().parents[3]


def test_keys_are_added_to_the_file_and_old_ones_kept(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(KEYS.text())
    ring = add_keys(path)
    assert KeyRing.read(path.read_text()) == ring
    assert (ring.current, ring.sealing[1], ring.index_key) == (2, KEYS.sealing[1], KEYS.index_key)
    assert len(ring.receiving) == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["", "{}", "no keys"])
def test_a_file_that_is_no_ring_stays_as_it_is(tmp_path: Path, text: str) -> None:
    path = tmp_path / "keys"
    path.write_text(text)
    with pytest.raises(BadInput):
        add_keys(path)
    assert path.read_text() == text


def test_every_sealed_column_is_known() -> None:
    sealed = {
        (table.name, column.name)
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, LargeBinary) and "sealed" in column.name
    }
    assert {(one.table, one.column) for one in COLUMNS} == sealed


def test_every_place_that_seals_an_object_is_known() -> None:
    puts = [
        path
        for path in (ROOT / "server").rglob("*.py")
        if re.search(r"store\.put\([^)]*keys\.seal", path.read_text(encoding="utf-8"))
    ]
    assert len(puts) == len(OBJECTS)


def test_everything_is_sealed_anew_and_reads_as_before_without_the_old_key(server: Server) -> None:
    photo_id, template_id = new_id(), new_id()
    seal = server.keys.seal_text
    with server.database.transaction() as session:
        make_import(session)
        session.add(
            InsuredPerson(
                id="person", psn_no="p", district_code=YUYAO, psn_name_index="-", created_at=NOON, updated_at=NOON,
                psn_name_sealed=seal("王小明", "insured_persons.psn_name_sealed:person"),
            )
        )  # fmt: skip
        session.flush()
        session.add(EnrolmentPhoto(id=photo_id, person_id="person", store_key="photos/1", sha256_index="-", quality={},
                                   created_at=NOON, created_by="-"))  # fmt: skip
        session.flush()
        template = seal("t", f"face_templates.sealed:{template_id}")
        session.add(FaceTemplate(id=template_id, person_id="person", photo_id=photo_id, pack="-", embedder_sha256="-",
                                 sealed=template, created_at=NOON))  # fmt: skip
        add_settlements(session, Paid("S1"), Paid("S2"))
        session.query(Settlement).filter_by(setl_id="S1").update(
            {"credential_sealed": seal("card", "settlements.credential_sealed:S1")}
        )
    context = f"enrolment_photos.store_key:{photo_id}"
    server.store.put("photos/1", server.keys.seal(b"photo", context))
    newer = Server(server.settings, server.database, KEYS.with_new_keys(), server.store)
    told = reseal(newer)
    assert {name: count for name, count in told.items() if count} == {
        "insured_persons.psn_name_sealed": 1,
        "face_templates.sealed": 1,
        "settlements.credential_sealed": 1,
        "enrolment_photos": 1,
    }
    assert not any(reseal(newer).values())
    alone = KeyRing({2: newer.keys.sealing[2]}, newer.keys.receiving, newer.keys.index_key)
    with server.database.transaction(writes=False) as session:
        person = session.get_one(InsuredPerson, "person")
        assert alone.open_text(person.psn_name_sealed, "insured_persons.psn_name_sealed:person") == "王小明"
        settlement = session.query(Settlement).filter_by(setl_id="S1").one()
        assert alone.open_text(settlement.credential_sealed or b"", "settlements.credential_sealed:S1") == "card"
    assert alone.open(server.store.get("photos/1"), context) == b"photo"


def test_an_object_that_is_erased_while_it_is_sealed_anew_does_not_come_back(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    person_id = make_person(server, vectors=[unit(1)])
    with server.database.transaction(writes=False) as session:
        photo = session.scalars(select(EnrolmentPhoto)).one()
    server.store.put(photo.store_key, KEYS.seal(b"photo", f"enrolment_photos.store_key:{photo.id}"))
    reading, get = threading.Event(), server.store.get

    def slowly(key: str) -> bytes:
        data = get(key)
        reading.set()
        time.sleep(0.5)
        return data

    monkeypatch.setattr(server.store, "get", slowly)
    newer = Server(server.settings, server.database, KEYS.with_new_keys(), server.store)
    with ThreadPoolExecutor(1) as pool:
        sealing = pool.submit(reseal, newer)
        assert reading.wait(20)
        with server.database.transaction() as session:
            erase_person(session, newer, person_of(session, person_id, ""), "申请 1", SYSTEM)
        sealing.result(30)
    assert list(server.store.keys()) == []
