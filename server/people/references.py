"""Whom a holder's checks are compared with, as the server's own decisions and the boxes see it.

Templates are used for the purpose that a legal basis in force names: a holder's for identity checks, an agent's for
agent checks. An institution sees people of its own prefecture alone (the first four digits of the district): the
pools of a prefecture settle at one another's institutions, those of others do not send templates abroad.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby

import numpy as np
from sqlalchemy.orm import Session

from renzheng.clock import SHANGHAI, as_utc
from server.context import Server
from server.errors import NotFound
from server.people import repository
from server.people.templates import open_templates
from server.tables import AgentApproval, InsuredPerson, Purpose
from vision.people import Person, References
from vision.types import FloatArray

PREFECTURE_DIGITS = 4


@dataclass(frozen=True)
class Comparable:
    """A person with the templates that may be used, M × D unit rows."""

    person: InsuredPerson
    templates: FloatArray


@dataclass(frozen=True)
class ApprovedAgent:
    """An agent whose approval holds, from when to when; M = 0 where no template may be used or there is none."""

    agent: Comparable
    valid_from: datetime
    valid_to: datetime | None


def references_for(
    session: Session, server: Server, psn_no: str, at: datetime, embedder_sha256: str, institution_id: str
) -> References:
    """The people that a check of ``psn_no`` at an institution at that time is compared with.

    ``holder`` is ``None`` where :func:`holder_for` gives none; they are ``stale`` where a clerk of that time cannot be
    compared, who would be a stranger. Raises :class:`NotFound` for an institution that is not
    there. Writes no audit log: whoever decides with them does.
    """
    holder = holder_for(session, server, psn_no, embedder_sha256, institution_id)
    agents = agents_for(session, server, holder.person, at, embedder_sha256, institution_id) if holder else []
    people = {one.agent.person.psn_no: one.agent for one in agents}
    usable = tuple(Person(number, agent.templates) for number, agent in people.items() if len(agent.templates))
    return References(
        Person(psn_no, holder.templates) if holder else None,
        agents=usable,
        staff=staff_of(session, server, institution_id, embedder_sha256),
        agents_without_photo=len(people) - len(usable),
        stale=repository.has_staff_unseen(session, institution_id, embedder_sha256, at),
    )


def holder_for(
    session: Session, server: Server, psn_no: str, embedder_sha256: str, institution_id: str
) -> Comparable | None:
    """The holder; ``None`` where the number is not known, belongs to another prefecture, or no basis is in force."""
    person = repository.person_numbered(session, psn_no)
    if person is None or not _may_use(session, person, Purpose.IDENTITY_CHECK, institution_id):
        return None
    return _comparable(session, server, person, embedder_sha256)


def agents_for(
    session: Session, server: Server, holder: InsuredPerson, at: datetime, embedder_sha256: str, institution_id: str
) -> list[ApprovedAgent]:
    """Agents of a holder whose approval holds at some time of the day (Asia/Shanghai) of ``at``."""
    start, end = day_of(at)
    agents = []
    for approval, person in repository.agents_between(session, holder.id, start, end):
        agent = Comparable(person, _NO_TEMPLATES)
        if _may_use(session, person, Purpose.AGENT_CHECK, institution_id):
            agent = _comparable(session, server, person, embedder_sha256)
        agents.append(ApprovedAgent(agent, approval.valid_from, _end_of(approval)))
    return agents


def staff_of(session: Session, server: Server, institution_id: str, embedder_sha256: str) -> tuple[Person, ...]:
    """Everybody who works at an institution and has a template."""
    rows = repository.staff_templates(session, institution_id, embedder_sha256)
    return tuple(
        Person(staff_no, open_templates(server.keys, [template for _, template in group]))
        for staff_no, group in groupby(rows, key=lambda row: row[0].staff_no)
    )


def day_of(at: datetime) -> tuple[datetime, datetime]:
    """First moment of the day (Asia/Shanghai), and of the next."""
    start = as_utc(at).astimezone(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0)
    return start, start + timedelta(days=1)


_NO_TEMPLATES = np.empty((0, 0), np.float32)


def _may_use(session: Session, person: InsuredPerson, purpose: Purpose, institution_id: str) -> bool:
    place = repository.institution(session, institution_id)
    if place is None:
        raise NotFound("there is no such institution")
    if person.district_code[:PREFECTURE_DIGITS] != place.district_code[:PREFECTURE_DIGITS]:
        return False
    return purpose in repository.purposes_in_force(session, person.id, datetime.now(UTC))


def _comparable(session: Session, server: Server, person: InsuredPerson, embedder_sha256: str) -> Comparable:
    templates = repository.templates(session, person, embedder_sha256)
    return Comparable(person, open_templates(server.keys, templates))


def _end_of(approval: AgentApproval) -> datetime | None:
    return min((end for end in (approval.valid_to, approval.revoked_at) if end is not None), default=None)
