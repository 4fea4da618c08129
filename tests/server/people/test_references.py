"""Whom a holder's checks are compared with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import select

from server.context import Server
from server.errors import NotFound
from server.people.references import day_of, references_for
from server.tables import AgentApproval, FaceTemplate, LegalBasis, Purpose, StaffMember
from tests.server.conftest import CIXI, HANGZHOU, OUTSIDE, PHARMACY, WARD
from tests.server.people.making import EMBEDDER, make_approval, make_member, make_person, unit
from vision.people import References

NOW = datetime.now(UTC)
AGENT = (Purpose.AGENT_CHECK,)


def asked(
    server: Server, psn_no: str = "p1", at: datetime = NOW, embedder: str = EMBEDDER, place: str = PHARMACY
) -> References:
    with server.database.transaction(writes=False) as session:
        return references_for(session, server, psn_no, at, embedder, place)


def test_a_holder_is_compared_with_every_template_of_the_model(server: Server) -> None:
    make_person(server, vectors=[unit(1), unit(2)])
    holder = asked(server).holder
    assert holder is not None
    assert holder.person_id == "p1"
    np.testing.assert_array_equal(holder.templates, np.stack([unit(1), unit(2)]))


def test_of_another_model_there_is_none(sqlite_server: Server) -> None:
    make_person(sqlite_server, vectors=[unit(1)])
    holder = asked(sqlite_server, embedder="f" * 64).holder
    assert holder is not None
    assert len(holder.templates) == 0


def test_who_is_unknown_or_insured_in_another_prefecture_is_nobody(server: Server) -> None:
    make_person(server, "near", CIXI, vectors=[unit(1)])
    make_person(server, "far", HANGZHOU, vectors=[unit(2)])
    assert asked(server, "nobody").holder is None
    assert asked(server, "near").holder is not None, "another district of the same prefecture"
    assert asked(server, "far").holder is None
    assert asked(server, "far", place=OUTSIDE).holder is not None
    with pytest.raises(NotFound):
        asked(server, "near", place="nowhere")


def test_without_a_basis_in_force_for_identity_checks_a_holder_is_nobody(server: Server) -> None:
    make_person(server, "no-basis", purposes=(), vectors=[unit(1)])
    make_person(server, "agent-only", purposes=AGENT, vectors=[unit(2)])
    make_person(server, "withdrawn", vectors=[unit(3)])
    with server.database.transaction() as session:
        for basis in session.scalars(select(LegalBasis).where(LegalBasis.purpose == Purpose.IDENTITY_CHECK)):
            basis.withdrawn_at = datetime.now(UTC)
    for psn_no in ("no-basis", "agent-only", "withdrawn"):
        assert asked(server, psn_no).holder is None


def test_a_revoked_template_is_used_no_more(sqlite_server: Server) -> None:
    make_person(sqlite_server, vectors=[unit(1), unit(2)])
    with sqlite_server.database.transaction() as session:
        first = session.scalars(select(FaceTemplate).order_by(FaceTemplate.id)).first()
        assert first is not None
        first.revoked_at = NOW
    holder = asked(sqlite_server).holder
    assert holder is not None
    assert len(holder.templates) == 1


def test_agents_are_compared_with_who_agreed_to_it_and_counted_who_did_not(server: Server) -> None:
    holder = make_person(server, vectors=[unit(1)])
    for psn_no, purposes, vectors in (
        ("agreed", AGENT, [unit(2)]),
        ("own-card-only", (Purpose.IDENTITY_CHECK,), [unit(3)]),
        ("no-photo", AGENT, []),
    ):
        make_approval(server, holder, make_person(server, psn_no, purposes=purposes, vectors=vectors))
    make_person(server, "stranger", purposes=AGENT, vectors=[unit(4)])
    found = asked(server)
    assert [agent.person_id for agent in found.agents] == ["agreed"]
    assert found.agents_without_photo == 2


def test_an_agent_of_another_prefecture_is_counted_only(sqlite_server: Server) -> None:
    holder = make_person(sqlite_server, vectors=[unit(1)])
    make_approval(sqlite_server, holder, make_person(sqlite_server, "far", HANGZHOU, purposes=AGENT, vectors=[unit(2)]))
    found = asked(sqlite_server)
    assert (found.agents, found.agents_without_photo) == ((), 1)


def test_an_agent_approved_twice_is_one_agent(sqlite_server: Server) -> None:
    holder = make_person(sqlite_server, vectors=[unit(1)])
    agent = make_person(sqlite_server, "p2", purposes=AGENT, vectors=[unit(2)])
    make_approval(sqlite_server, holder, agent)
    make_approval(sqlite_server, holder, agent)
    found = asked(sqlite_server)
    assert (len(found.agents), found.agents_without_photo) == (1, 0)


DAY, NEXT_DAY = day_of(NOW)
HOUR = timedelta(hours=1)


PERIODS = [
    (DAY - 9 * HOUR, None, None, True),
    (DAY - 9 * HOUR, DAY, None, False),
    (DAY - 9 * HOUR, DAY + HOUR, None, True),
    (NEXT_DAY - HOUR, None, None, True),
    (NEXT_DAY, None, None, False),
    (DAY - 9 * HOUR, None, DAY - HOUR, False),
    (DAY - 9 * HOUR, None, DAY + HOUR, True),
    (DAY + 2 * HOUR, None, DAY + HOUR, False),
]


def test_an_approval_counts_on_every_day_on_which_it_holds(server: Server) -> None:
    holder = make_person(server, vectors=[unit(1)])
    make_approval(server, holder, make_person(server, "p2", purposes=AGENT, vectors=[unit(2)]))
    for valid_from, valid_to, revoked_at, holds in PERIODS:
        with server.database.transaction() as session:
            approval = session.scalars(select(AgentApproval)).one()
            approval.valid_from, approval.valid_to, approval.revoked_at = valid_from, valid_to, revoked_at
        assert bool(asked(server).agents) is holds, (valid_from, valid_to, revoked_at)


def test_a_day_is_one_of_shanghai() -> None:
    assert day_of(datetime(2026, 5, 1, 15, 59, tzinfo=UTC))[0] == datetime(2026, 4, 30, 16, tzinfo=UTC)
    assert day_of(datetime(2026, 5, 1, 16, 0, tzinfo=UTC))[0] == datetime(2026, 5, 1, 16, tzinfo=UTC)


def test_staff_are_those_who_work_at_the_institution_now(server: Server) -> None:
    make_member(server, PHARMACY, "b2", [unit(1), unit(2)])
    make_member(server, PHARMACY, "a1", [unit(3)])
    make_member(server, PHARMACY, "no-photo")
    make_member(server, WARD, "elsewhere", [unit(4)])
    gone = make_member(server, PHARMACY, "gone", [unit(5)])
    with server.database.transaction() as session:
        member = session.get(StaffMember, gone)
        assert member is not None
        member.left_at = NOW
    found = asked(server, "nobody").staff
    assert [(person.person_id, len(person.templates)) for person in found] == [("a1", 1), ("b2", 2)]
