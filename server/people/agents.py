"""Approved agents of holders (代办人): buying for somebody else is legal, and these are who does."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from renzheng.ids import new_id
from server.audit_log.service import Actor, Deed, record
from server.errors import NotFound, Unacceptable
from server.people import repository
from server.people.messages import AgentFields
from server.people.service import NO_SUCH_PERSON
from server.tables import AgentApproval, InsuredPerson


def approve_agent(
    session: Session, holder: InsuredPerson, fields: AgentFields, actor: Actor, scope: str
) -> AgentApproval:
    """Let somebody act for a holder. Raises :class:`NotFound` and :class:`Unacceptable` for the agent's number."""
    agent = repository.person_numbered(session, fields.agent_psn_no)
    if agent is None or not agent.district_code.startswith(scope):
        raise NotFound(NO_SUCH_PERSON, "agent_psn_no")
    if agent.id == holder.id:
        raise Unacceptable("nobody is their own agent", "agent_psn_no")
    approval = AgentApproval(
        id=new_id(),
        holder_id=holder.id,
        agent_id=agent.id,
        relation=fields.relation,
        valid_from=fields.valid_from,
        valid_to=fields.valid_to,
        approved_by=actor.id[:32],
    )
    session.add(approval)
    session.flush()
    told = {"holder": holder.id, "agent": agent.id}
    record(session, Deed(actor, "agent_approved", "agent_approval", approval.id, "", holder.district_code, told))
    return approval


def revoke_approval(session: Session, holder: InsuredPerson, approval_id: str, actor: Actor) -> AgentApproval:
    """End an approval now; one that was revoked before stays as it was. Raises :class:`NotFound`."""
    approval = next((one for one in repository.approvals(session, holder.id) if one.id == approval_id), None)
    if approval is None:
        raise NotFound("this person has approved no such agent")
    if approval.revoked_at is None:
        approval.revoked_at = datetime.now(UTC)
        session.flush()
        record(session, Deed(actor, "agent_revoked", "agent_approval", approval.id, "", holder.district_code))
    return approval
