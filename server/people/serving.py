"""Templates for boxes: for their own institution, for a short time, and each one logged with its purpose."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import numpy as np
from sqlalchemy.orm import Session

from renzheng.contracts import AgentOfHolder, PersonTemplates, StaffAnswer, TemplateAnswer, TemplateQuestion
from server.access import BoxSubject
from server.audit_log.service import Deed, record
from server.context import Server
from server.people.references import ApprovedAgent, Comparable, agents_for, holder_for, staff_of
from server.tables import Purpose
from vision.types import FloatArray


def answer_question(session: Session, server: Server, box: BoxSubject, question: TemplateQuestion) -> TemplateAnswer:
    """Everything that the box may compare one holder's swipes with on the day of the question."""
    place, embedder = box.institution_id, question.embedder_sha256
    holder = holder_for(session, server, question.psn_no, embedder, place)
    agents = agents_for(session, server, holder.person, question.at, embedder, place) if holder else []
    _log(session, box, holder, Purpose.IDENTITY_CHECK)
    for one in agents:
        _log(session, box, one.agent, Purpose.AGENT_CHECK)
    return TemplateAnswer(
        psn_no=question.psn_no,
        holder=_given(question.psn_no, holder.templates, embedder) if holder else None,
        agents=tuple(_agent(one, embedder) for one in agents),
        expires_at=_expiry(server),
    )


def staff_answer(session: Session, server: Server, box: BoxSubject, embedder_sha256: str) -> StaffAnswer:
    """Everybody who works at the box's institution and has a template of this embedder."""
    people = staff_of(session, server, box.institution_id, embedder_sha256)
    told = {"people": len(people)}
    action, place = "staff_templates_served", box.institution_id
    purpose = Purpose.IDENTITY_CHECK.value
    record(session, Deed(box.actor, action, "institution", place, purpose, box.district_code, told))
    return StaffAnswer(
        staff=tuple(_given(person.person_id, person.templates, embedder_sha256) for person in people),
        expires_at=_expiry(server),
    )


def _log(session: Session, box: BoxSubject, asked: Comparable | None, purpose: Purpose) -> None:
    if asked is None:
        deed = Deed(box.actor, "template_not_served", "institution", box.institution_id, purpose, box.district_code)
    else:
        told = {"templates": len(asked.templates), "institution": box.institution_id}
        person = asked.person
        deed = Deed(box.actor, "templates_served", "person", person.id, purpose, person.district_code, told)
    record(session, deed)


def _agent(one: ApprovedAgent, embedder_sha256: str) -> AgentOfHolder:
    person = _given(one.agent.person.psn_no, one.agent.templates, embedder_sha256)
    return AgentOfHolder(person=person, valid_from=one.valid_from, valid_to=one.valid_to)


def _given(person_id: str, templates: FloatArray, embedder_sha256: str) -> PersonTemplates:
    texts = tuple(base64.b64encode(np.asarray(row, "<f4").tobytes()).decode() for row in templates)
    return PersonTemplates(person_id=person_id, embedder_sha256=embedder_sha256, templates=texts)


def _expiry(server: Server) -> datetime:
    return datetime.now(UTC) + timedelta(minutes=server.settings.template_minutes)
