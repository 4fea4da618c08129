"""What a box could not decide is decided here, by the rule of the box, and only what the verdict needs is kept."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from renzheng.contracts import BedVerdict, IdentityCheck, Reason, Verdict
from renzheng.ids import new_id
from server.audit_log.service import SYSTEM
from server.checks import pending as module
from server.checks.pending import TRY_AGAIN_AFTER, decide_check, decide_waiting
from server.context import Server
from server.errors import Unavailable
from server.key_ring import KeyRing
from server.people.erasure import erase_person
from server.people.service import person_of
from server.tables import AuditEntry, FaceTemplate, LegalHold, Purpose, StaffMember
from tests.edge_agent.builders import NOON
from tests.server.checks.making import (
    bed,
    delivery,
    pending,
    pending_delivery,
    piece,
    post,
    swipe,
    the_check,
    the_pieces,
)
from tests.server.conftest import KEYS, PHARMACY, WARD, YUYAO, House
from tests.server.people.making import make_approval, make_member, make_person, near, unit
from vision.recompute import recompute

HOLDER, STRANGER = unit(1), unit(2)


def seen(vector: Any = HOLDER) -> list[Any]:
    """The same face four times, well enough."""
    return [near(vector, 0.9, seed) for seed in (11, 12, 13, 14)]


def sent(house: House, *given: Any, **told: Any) -> TestClient:
    """A box whose pending check came, and was decided after the answer."""
    box = house.box()
    assert post(box, pending_delivery(*given, **told)).json()["refused"] == []
    return box


def test_a_pending_check_is_decided_once_it_came(house: House) -> None:
    make_person(house.server, "p1", vectors=[HOLDER])
    sent(house, seen())
    check = the_check(house.server)
    assert (check.verdict, check.decided is not None, check.decided_at is not None) == ("match", True, True)
    assert check.decided is not None
    assert check.score == check.decided["score"]
    assert check.score is not None and check.score > 0.8
    assert check.reasons == check.decided["reasons"] == [Reason.INDEPENDENT_SAMPLES]
    assert check.body["verdict"] == "pending_reference"


def test_samples_are_deleted_once_they_served_and_pictures_that_the_verdict_does_not_need(house: House) -> None:
    make_person(house.server, "p1", vectors=[HOLDER])
    sent(house, seen())
    assert set(the_pieces(house.server)) == {f"S1/{number}.jpg" for number in range(4)}
    assert len(list(house.server.store.keys())) == 4


def test_of_a_stranger_still_and_faces_stay(sqlite_house: House) -> None:
    make_person(sqlite_house.server, "p1", vectors=[HOLDER])
    sent(sqlite_house, seen(STRANGER))
    assert the_check(sqlite_house.server).verdict == Verdict.MISMATCH
    assert {piece.kind for piece in the_pieces(sqlite_house.server).values()} == {"sample", "still"}


def test_an_agent_and_staff_are_known(sqlite_house: House) -> None:
    server = sqlite_house.server
    holder = make_person(server, "p1", vectors=[HOLDER])
    agent = make_person(server, "p2", purposes=(Purpose.AGENT_CHECK,), vectors=[unit(5)])
    make_approval(server, holder, agent, datetime(2026, 1, 1, tzinfo=UTC))
    make_member(server, "P33028100001", "W1", [unit(6)])
    sent(sqlite_house, seen(unit(5)), "S1")
    sent(sqlite_house, seen(unit(6)), "S2")
    assert the_check(server, "S1").verdict == Verdict.PROXY_MATCH
    assert the_check(server, "S2").verdict == Verdict.STAFF_ONLY


def test_an_agent_who_is_erased_before_the_decision_is_no_stranger(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = make_person(house.server, "p1", vectors=[HOLDER])
    agent = make_person(house.server, "p2", purposes=(Purpose.AGENT_CHECK,), vectors=[STRANGER])
    make_approval(house.server, holder, agent, datetime(2026, 1, 1, tzinfo=UTC))
    server = undecided(house, seen(STRANGER), monkeypatch=monkeypatch)
    with server.database.transaction() as session:
        erase_person(session, server, person_of(session, agent, ""), "申请 1", SYSTEM)
    assert decide_waiting(server, 10) == 0
    check = the_check(server)
    assert (check.verdict, check.reasons) == (Verdict.NOT_ASSESSABLE, [Reason.AGENT_WITHOUT_PHOTO])
    assert IdentityCheck.model_validate(check.decided).verdict is Verdict.NOT_ASSESSABLE
    assert list(server.store.keys()) == []


@pytest.mark.parametrize("gone", ["left since", "another embedder"])
def test_nobody_is_accused_where_a_clerk_of_that_time_cannot_be_compared(sqlite_house: House, gone: str) -> None:
    server = sqlite_house.server
    make_person(server, "p1", vectors=[HOLDER])
    make_member(server, "P33028100001", "W1", [] if gone == "left since" else [STRANGER])
    with server.database.transaction() as session:
        session.execute(update(StaffMember).values(left_at=datetime.now(UTC) if gone == "left since" else None))
        session.execute(update(FaceTemplate).where(FaceTemplate.staff_id.is_not(None)).values(embedder_sha256="f" * 64))
    sent(sqlite_house, seen(STRANGER), "S1")
    sent(sqlite_house, seen(), "S2")
    check = the_check(server, "S1")
    assert (check.verdict, check.reasons) == (Verdict.NOT_ASSESSABLE, [Reason.STAFF_OR_CUSTOMER_UNCLEAR])
    assert recompute(IdentityCheck.model_validate(check.decided)).verdict is Verdict.NOT_ASSESSABLE
    assert the_check(server, "S2").verdict == Verdict.MATCH


def test_a_clerk_who_left_before_keeps_nobody_from_being_accused(sqlite_house: House) -> None:
    server = sqlite_house.server
    make_person(server, "p1", vectors=[HOLDER])
    make_member(server, "P33028100001", "W1")
    with server.database.transaction() as session:
        session.execute(update(StaffMember).values(left_at=NOON - timedelta(days=1)))
    sent(sqlite_house, seen(STRANGER))
    assert the_check(server).verdict == Verdict.MISMATCH


def test_a_decision_deletes_nothing_that_is_held(house: House) -> None:
    make_person(house.server, "p1", vectors=[HOLDER])
    with house.server.database.transaction() as session:
        session.add(LegalHold(id=new_id(), object_kind="institution", object_id=PHARMACY, district_code=YUYAO, why="-",
                              placed_by="-", placed_at=NOON))  # fmt: skip
    sent(house, seen())
    assert the_check(house.server).verdict == Verdict.MATCH
    assert len(the_pieces(house.server)) == len(list(house.server.store.keys())) == 6


def test_who_is_not_enrolled_is_said_to_be_so(sqlite_house: House) -> None:
    sent(sqlite_house, seen())
    assert the_check(sqlite_house.server).verdict == Verdict.NOT_ENROLLED


def test_a_bed_is_decided_too(sqlite_house: House) -> None:
    server = sqlite_house.server
    make_person(server, "p1", vectors=[HOLDER])
    sealed, told = pending(seen(), "bed-1")
    check = bed(
        verdict=BedVerdict.PENDING_REFERENCE,
        samples=tuple(face.sample for face in told.faces),
        sealed_samples="bed-1/samples.sealed",
    )
    box = sqlite_house.box(WARD)
    assert post(box, delivery(check, piece("bed-1/samples.sealed", sealed))).json()["refused"] == []
    assert the_check(server, "bed-1").verdict == BedVerdict.PRESENT


def test_the_decision_is_in_the_audit_log(sqlite_house: House) -> None:
    make_person(sqlite_house.server, "p1", vectors=[HOLDER])
    sent(sqlite_house, seen())
    with sqlite_house.server.database.transaction(writes=False) as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "decided")).one()
    assert (entry.actor_kind, entry.object_id) == ("system", str(the_check(sqlite_house.server).id))
    assert entry.detail == {"verdict": "match", "pictures_deleted": 1}


def undecided(house: House, *given: Any, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A pending check whose first decision failed."""

    def fail(*_given: object) -> None:
        raise Unavailable("as a test")

    with monkeypatch.context() as patch:
        patch.setattr(module, "references_for", fail)
        sent(house, *(given or (seen(),)))
    assert the_check(house.server).verdict == Verdict.PENDING_REFERENCE
    return house.server


def test_what_could_not_be_decided_at_once_is_by_the_next_run(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    server = undecided(house, monkeypatch=monkeypatch)
    make_person(server, "p1", vectors=[HOLDER])
    assert decide_waiting(server, 10) == 1
    assert the_check(server).verdict == Verdict.MATCH
    assert decide_waiting(server, 10) == 0


def test_a_check_is_decided_once(sqlite_house: House) -> None:
    make_person(sqlite_house.server, "p1", vectors=[HOLDER])
    sent(sqlite_house, seen())
    assert decide_check(sqlite_house.server, the_check(sqlite_house.server).id) is False


def test_samples_under_a_key_that_is_missing_wait_until_it_is_back(
    sqlite_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = undecided(sqlite_house, monkeypatch=monkeypatch)
    make_person(server, "p1", vectors=[HOLDER])
    without = KeyRing(KEYS.sealing, KeyRing.made().receiving, KEYS.index_key)
    lost = Server(server.settings, server.database, without, server.store)
    assert decide_waiting(lost, 10) == 0
    check = the_check(server)
    assert (check.verdict, check.decided) == (Verdict.PENDING_REFERENCE, None)
    assert check.decided_at is not None
    assert decide_waiting(server, 10) == 0  # not tried over and over
    assert decide_waiting(server, 10, datetime.now(UTC) + TRY_AGAIN_AFTER + timedelta(minutes=1)) == 1
    assert the_check(server).verdict == Verdict.MATCH


def test_samples_sealed_for_a_former_key_are_opened(sqlite_house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    server = undecided(sqlite_house, monkeypatch=monkeypatch)
    make_person(server, "p1", vectors=[HOLDER])
    rotated = Server(server.settings, server.database, KEYS.with_new_keys(), server.store)
    assert decide_waiting(rotated, 10) == 1


def test_without_samples_nothing_can_be_said(sqlite_house: House) -> None:
    check = swipe(verdict=Verdict.PENDING_REFERENCE, reasons=(Reason.REFERENCE_UNREACHABLE,))
    post(sqlite_house.box(), delivery(check))
    kept = the_check(sqlite_house.server)
    assert (kept.verdict, kept.reasons) == (Verdict.NOT_ASSESSABLE, [Reason.REFERENCE_UNREACHABLE])


@pytest.mark.parametrize(
    "change",
    [
        {"embedder_sha256": "f" * 64},
        {"faces": ()},
        {"face": {"embedding": "?"}},
        {"face": {"embedding": base64.b64encode(b"\0\0\0\0" * 7).decode()}},
    ],
    ids=["another model", "no faces", "no base64", "another length"],
)
def test_samples_that_no_box_of_ours_makes_hurt_nobody_else(
    change: dict[str, Any], sqlite_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    from renzheng.contracts import PendingSamples
    from vision.pending import seal_pending

    make_person(sqlite_house.server, "p1", vectors=[HOLDER])
    _, told = pending(seen(), "S1")
    if "face" in change:
        change = {"faces": tuple(face.model_copy(update=change["face"]) for face in told.faces)}
    damaged: PendingSamples = told.model_copy(update=change)
    given = pending_delivery(seen())
    sealed = piece("S1/samples.sealed", seal_pending(damaged, KEYS.public_key))
    given = given.model_copy(update={"pieces": (sealed, *given.pieces[1:])})
    box = sqlite_house.box()
    answer = post(box, given, pending_delivery(seen(), "S2"))
    assert answer.json()["accepted"] == ["S1", "S2"]
    assert the_check(sqlite_house.server, "S1").verdict == Verdict.PENDING_REFERENCE
    assert the_check(sqlite_house.server, "S2").verdict == Verdict.MATCH


def test_samples_of_another_check_decide_nothing(sqlite_house: House) -> None:
    make_person(sqlite_house.server, "p1", vectors=[HOLDER])
    others, _ = pending(seen(), "S9")
    given = pending_delivery(seen())
    given = given.model_copy(update={"pieces": (piece("S1/samples.sealed", others), *given.pieces[1:])})
    post(sqlite_house.box(), given)
    assert the_check(sqlite_house.server).verdict == Verdict.PENDING_REFERENCE
