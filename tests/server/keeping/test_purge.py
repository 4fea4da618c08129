"""What is over its time goes, with its bytes; what is held stays."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from renzheng.ids import new_id
from server.context import Server
from server.errors import Unavailable
from server.join import service as joining
from server.keeping.purge import run_purge
from server.permissions import Role
from server.tables import (
    BoxReport,
    Check,
    CheckPiece,
    Clip,
    DeletionCertificate,
    DeviceKey,
    InsuredPerson,
    LegalHold,
    Pairing,
    Settlement,
)
from tests.server.conftest import PHARMACY, YUYAO, House
from tests.server.join.rows import NOON, Paid, Seen, add_checks, add_settlements, make_box, make_import, outcome

LONG_AGO = datetime.now(UTC) - timedelta(days=31)


@pytest.fixture
def filled(server: Server) -> Server:
    """Four checks of which two are flagged, all with a piece and a clip, one joined; all arrived 31 days ago."""
    with server.database.transaction() as session:
        make_import(session)
        box = make_box(session)
        session.add(DeviceKey(key_id="key", device_id=box, public_key=b"k" * 32, since=NOON))
        add_settlements(session, Paid("c0", "p0"))
        add_checks(session, box, *[Seen(f"c{n}", f"p{n}") for n in range(4)])
        session.execute(update(Check).values(received_at=LONG_AGO))
        session.execute(update(Check).where(Check.delivery_id.in_(["c2", "c3"])).values(verdict="mismatch"))
        for check in session.scalars(select(Check)):
            piece, clip = f"pieces/{check.delivery_id}", f"clips/{check.delivery_id}"
            server.store.put(piece, b"face")
            server.store.put(clip, b"video")
            session.add(CheckPiece(id=new_id(), check_id=check.id, path="a", kind="sample", sha256="-", size_bytes=4,
                                   store_key=piece))  # fmt: skip
            session.add(Clip(id=new_id(), check_id=check.id, store_key=clip, sha256="-", size_bytes=5, manifest="{}",
                             key_id="key", signature="-", start=NOON, end=NOON, received_at=NOON))  # fmt: skip
        session.add(BoxReport(device_id=box, report_id="r", period_start=NOON, period_end=NOON, body={},
                              received_at=datetime.now(UTC) - timedelta(days=181)))  # fmt: skip
    joining.run_join(server)
    return server


def left(server: Server) -> tuple[list[str], list[str]]:
    """Checks, and keys of the store."""
    with server.database.transaction(writes=False) as session:
        return list(session.scalars(select(Check.delivery_id).order_by(Check.delivery_id))), sorted(server.store.keys())


def hold(server: Server, kind: str, object_id: str) -> None:
    """Place one."""
    with server.database.transaction() as session:
        session.add(LegalHold(id=new_id(), object_kind=kind, object_id=object_id, district_code=YUYAO, why="-",
                              placed_by="-", placed_at=NOON))  # fmt: skip


def test_a_dry_run_counts_and_deletes_nothing(filled: Server) -> None:
    before = left(filled)
    told = run_purge(filled, dry_run=True)
    assert told == {
        "unflagged_checks": {"checks": 2}, "flagged_checks": {"checks": 0}, "reports": {"reports": 1},
        "logins": {"logins": 0},
    }  # fmt: skip
    assert left(filled) == before


def test_what_is_over_its_time_goes_with_its_bytes_and_is_certified(filled: Server) -> None:
    told = run_purge(filled)
    assert told["unflagged_checks"] == {"checks": 2, "pieces": 2, "clips": 2}
    assert left(filled) == (["c2", "c3"], ["clips/c2", "clips/c3", "pieces/c2", "pieces/c3"])
    with filled.database.transaction(writes=False) as session:
        certificates = {one.kind: one.counts for one in session.scalars(select(DeletionCertificate))}
        assert session.scalars(select(func.count()).select_from(Pairing)).one() == 0
        assert outcome(session) == {"c0": ("check_expired",)}
    assert certificates == {"unflagged_checks": told["unflagged_checks"], "reports": {"reports": 1}}
    assert not any(run_purge(filled).values())


def test_what_was_flagged_is_kept_longer_and_goes_at_last(filled: Server) -> None:
    run_purge(filled, now=datetime.now(UTC) + timedelta(days=698))
    assert left(filled)[0] == ["c2", "c3"]
    run_purge(filled, now=datetime.now(UTC) + timedelta(days=700))
    assert left(filled) == ([], [])


@pytest.mark.parametrize("kind", ["check", "institution", "person", "settlement"])
def test_a_hold_keeps_what_is_under_it_until_it_is_released(filled: Server, kind: str) -> None:
    with filled.database.transaction() as session:
        session.add(InsuredPerson(id="person", psn_no="p0", district_code=YUYAO, psn_name_sealed=b"-",
                                  psn_name_index="-", created_at=NOON, updated_at=NOON))  # fmt: skip
        check = session.scalars(select(Check.id).where(Check.delivery_id == "c0")).one()
        settlement = session.scalars(select(Settlement.id)).one()
    ids = {"check": str(check), "institution": PHARMACY, "person": "person", "settlement": str(settlement)}
    hold(filled, kind, ids[kind])
    run_purge(filled)
    assert left(filled)[0] == (["c0", "c1", "c2", "c3"] if kind == "institution" else ["c0", "c2", "c3"])
    with filled.database.transaction() as session:
        session.execute(update(LegalHold).values(released_at=NOON))
    run_purge(filled)
    assert left(filled)[0] == ["c2", "c3"]


def test_a_store_that_fails_leaves_the_rows_for_the_next_run(filled: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_key: str) -> None:
        raise Unavailable("the store does not answer")

    with monkeypatch.context() as broken:
        broken.setattr(filled.store, "delete", fails)
        with pytest.raises(Unavailable):
            run_purge(filled)
    assert left(filled)[0] == ["c0", "c1", "c2", "c3"]
    run_purge(filled)
    assert left(filled)[0] == ["c2", "c3"]


def test_logins_that_ended_are_forgotten(sqlite_house: House) -> None:
    client = sqlite_house.user(Role.REVIEWER)
    assert run_purge(sqlite_house.server)["logins"] == {}
    assert client.get("/v1/me").status_code == 200
    told = run_purge(sqlite_house.server, now=datetime.now(UTC) + timedelta(hours=2))
    assert told["logins"] == {"logins": 1}
    assert client.get("/v1/me").status_code == 401


def test_a_check_that_is_flagged_while_a_purge_begins_is_kept(filled: Server) -> None:
    """The decision holds the row when the purge looks: what it looks for has changed when it gets there."""
    with ThreadPoolExecutor(1) as pool:
        with filled.database.transaction() as session:
            session.execute(update(Check).where(Check.delivery_id == "c0").values(verdict="mismatch"))
            purge = pool.submit(run_purge, filled)
            time.sleep(0.5)
        purge.result(30)
    assert left(filled) == (
        ["c0", "c2", "c3"],
        ["clips/c0", "clips/c2", "clips/c3", "pieces/c0", "pieces/c2", "pieces/c3"],
    )
