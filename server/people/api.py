"""JSON routes about insured persons; those of photos, staff and boxes stand beside this."""

from __future__ import annotations

from fastapi import APIRouter

from server.access import Subject
from server.audit_log.service import Deed, record
from server.context import LoggedTransaction, ServerOfRequest, Transaction
from server.people import agents, answers, box_api, photo_api, repository, staff_api
from server.people.bases import add_basis, withdraw_basis
from server.people.erasure import erase_person
from server.people.messages import (
    AgentFields,
    ApprovalAnswer,
    ApprovalList,
    BasisAnswer,
    BasisFields,
    BasisList,
    CertificateAnswer,
    ErasureRequest,
    PersonAnswer,
    PersonFields,
    PersonPage,
    PersonSearch,
    PersonSummary,
    WithdrawalAnswer,
)
from server.people.parameters import CONFLICT, HELD, NOT_FOUND, After, Enrolling, Erasing, Id, Limit, Seeing
from server.people.search import find_people
from server.people.service import create_person, person_of, update_person
from server.query import Purpose
from server.tables import InsuredPerson

router = APIRouter(tags=["people"])
router.include_router(photo_api.router)
router.include_router(staff_api.router)
router.include_router(box_api.router)


@router.get("/v1/people", summary="List people")
def list_people(subject: Seeing, session: Transaction, after: After = "", limit: Limit = 50) -> PersonPage:
    """People of your district in the order in which they were entered, without names and identity numbers."""
    page = repository.page_of_people(session, subject.scope, after, limit)
    next_after = page[-1].id if len(page) == limit else None
    return PersonPage(people=[answers.summary(person) for person in page], next_after=next_after)


@router.post("/v1/people", summary="Enter a person", status_code=201, responses=NOT_FOUND | CONFLICT)
def add_person(
    subject: Enrolling, session: Transaction, server: ServerOfRequest, fields: PersonFields
) -> PersonSummary:
    """Enters an insured person of your district under the platform's field names.

    409 where the person number, or the identity number, is there already. Photos need a legal basis first.
    """
    return answers.summary(create_person(session, server, fields, subject.actor, subject.scope))


@router.post("/v1/people/search", summary="Find people by an exact value")
def search(subject: Seeing, session: Transaction, server: ServerOfRequest, asked: PersonSearch) -> PersonPage:
    """Finds people of your district by person number, identity number or whole name.

    Names and identity numbers are sealed: only the exact value finds somebody. The search is in the audit log with
    its purpose and without the value.
    """
    found = find_people(session, server, subject, asked)
    return PersonPage(people=[answers.summary(person) for person in found], next_after=None)


@router.get("/v1/people/{person_id}", summary="Look at a person", responses=NOT_FOUND)
def read_person(
    subject: Seeing, session: LoggedTransaction, server: ServerOfRequest, person_id: Id, purpose: Purpose
) -> PersonAnswer:
    """A person with name and identity number open. The look is in the audit log with its purpose."""
    person = _person(session, subject, person_id)
    record(session, Deed(subject.actor, "person_seen", "person", person.id, purpose, person.district_code))
    return answers.whole_person(session, server, person)


@router.put("/v1/people/{person_id}", summary="Change a person", responses=NOT_FOUND | CONFLICT)
def change_person(
    subject: Enrolling, session: Transaction, server: ServerOfRequest, person_id: Id, fields: PersonFields
) -> PersonSummary:
    """Replaces what is known of a person; fields that are not sent are emptied. The person number stays."""
    person = _person(session, subject, person_id)
    update_person(session, server, person, fields, subject.actor, subject.scope)
    return answers.summary(person)


@router.get("/v1/people/{person_id}/bases", summary="List legal bases", responses=NOT_FOUND)
def list_bases(subject: Seeing, session: Transaction, person_id: Id) -> BasisList:
    """What allowed or allows the use of a person's data, per purpose."""
    person = _person(session, subject, person_id)
    return BasisList(bases=[answers.basis_answer(one) for one in repository.bases(session, person.id)])


@router.post("/v1/people/{person_id}/bases", summary="Record a legal basis", status_code=201, responses=NOT_FOUND)
def record_basis(
    subject: Enrolling, session: Transaction, server: ServerOfRequest, person_id: Id, fields: BasisFields
) -> BasisAnswer:
    """Records a consent, or another legal basis, for one purpose. Under 14 years a guardian consents."""
    person = _person(session, subject, person_id)
    return answers.basis_answer(add_basis(session, server, person, fields, subject.actor))


@router.post("/v1/people/{person_id}/bases/{basis_id}/withdrawal", summary="End a legal basis", responses=NOT_FOUND)
def withdraw(
    subject: Enrolling, session: Transaction, server: ServerOfRequest, person_id: Id, basis_id: Id
) -> WithdrawalAnswer:
    """Ends a basis now. Without one for identity or agent checks the templates are revoked; without any, the photos go
    too, unless a legal hold keeps them. Boxes forget templates when their time is over, a working day at most."""
    person = _person(session, subject, person_id)
    ended = withdraw_basis(session, server, person, basis_id, subject.actor)
    return WithdrawalAnswer(
        basis=answers.basis_answer(ended.basis),
        templates_revoked=ended.templates_revoked,
        photos_removed=ended.photos_removed,
    )


@router.get("/v1/people/{person_id}/agents", summary="List approved agents", responses=NOT_FOUND)
def list_agents(subject: Seeing, session: Transaction, person_id: Id) -> ApprovalList:
    """Who may act for a holder, and who might once."""
    person = _person(session, subject, person_id)
    return ApprovalList(agents=[answers.approval_answer(one) for one in repository.approvals(session, person.id)])


@router.post("/v1/people/{person_id}/agents", summary="Approve an agent", status_code=201, responses=NOT_FOUND)
def approve(subject: Enrolling, session: Transaction, person_id: Id, fields: AgentFields) -> ApprovalAnswer:
    """Lets another insured person act for this holder. Their face is compared once they agreed to agent checks."""
    person = _person(session, subject, person_id)
    return answers.approval_answer(agents.approve_agent(session, person, fields, subject.actor, subject.scope))


@router.post("/v1/people/{person_id}/agents/{approval_id}/revocation", summary="Revoke an agent", responses=NOT_FOUND)
def revoke_agent(subject: Enrolling, session: Transaction, person_id: Id, approval_id: Id) -> ApprovalAnswer:
    """Ends an approval now."""
    person = _person(session, subject, person_id)
    return answers.approval_answer(agents.revoke_approval(session, person, approval_id, subject.actor))


@router.post("/v1/people/{person_id}/erasure", summary="Erase a person", responses=NOT_FOUND | HELD)
def erase(
    subject: Erasing, session: Transaction, server: ServerOfRequest, person_id: Id, asked: ErasureRequest
) -> CertificateAnswer:
    """Erases a person for good: names, numbers, bases, approvals, photos, templates and all pictures of their checks.

    Checks stay with their verdict and without whom they were about; settlements stay, the fund's accounts. The answer
    is the deletion certificate.
    """
    person = _person(session, subject, person_id)
    return answers.certificate_answer(erase_person(session, server, person, asked.why, subject.actor))


def _person(session: Transaction, subject: Subject, person_id: str) -> InsuredPerson:
    return person_of(session, person_id, subject.scope)
