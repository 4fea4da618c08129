"""JSON routes about staff of institutions."""

from __future__ import annotations

from fastapi import APIRouter

from server.audit_log.service import Deed, record
from server.context import LoggedTransaction, ServerOfRequest, Transaction
from server.people import answers, repository, staff
from server.people.erasure import erase_staff
from server.people.messages import CertificateAnswer, ErasureRequest, StaffFields, StaffMemberAnswer, StaffPage
from server.people.parameters import CONFLICT, HELD, NOT_FOUND, After, Enrolling, Erasing, Id, Limit, Seeing
from server.query import Purpose

router = APIRouter()


@router.get("/v1/institutions/{institution_id}/staff", summary="List staff", responses=NOT_FOUND)
def list_staff(
    subject: Seeing,
    session: LoggedTransaction,
    server: ServerOfRequest,
    institution_id: Id,
    purpose: Purpose,
    after: After = "",
    limit: Limit = 50,
) -> StaffPage:
    """Who works or worked at an institution, with names. The look is in the audit log with its purpose."""
    place = staff.institution_of(session, institution_id, subject.scope)
    page = repository.page_of_staff(session, place.id, after, limit)
    told = {"people": len(page)}
    record(session, Deed(subject.actor, "staff_seen", "institution", place.id, purpose, place.district_code, told))
    next_after = page[-1].id if len(page) == limit else None
    return StaffPage(staff=[answers.named_member(server, member) for member in page], next_after=next_after)


@router.post(
    "/v1/institutions/{institution_id}/staff",
    summary="Enter a staff member",
    status_code=201,
    responses=NOT_FOUND | CONFLICT,
)
def add_staff(
    subject: Enrolling, session: Transaction, server: ServerOfRequest, institution_id: Id, fields: StaffFields
) -> StaffMemberAnswer:
    """Enters somebody who works there. Without their photos a box takes a clerk for a stranger."""
    place = staff.institution_of(session, institution_id, subject.scope)
    return answers.member_answer(staff.add_member(session, server, place, fields, subject.actor))


@router.post("/v1/staff/{staff_id}/departure", summary="Say that somebody left", responses=NOT_FOUND)
def depart(subject: Enrolling, session: Transaction, server: ServerOfRequest, staff_id: Id) -> StaffMemberAnswer:
    """Somebody works there no more: their photos and templates are removed now, unless a legal hold on the institution
    keeps them."""
    member = staff.member_of(session, staff_id, subject.scope)
    return answers.member_answer(staff.leave(session, server, member, subject.actor))


@router.post("/v1/staff/{staff_id}/erasure", summary="Erase a staff member", responses=NOT_FOUND | HELD)
def erase(
    subject: Erasing, session: Transaction, server: ServerOfRequest, staff_id: Id, asked: ErasureRequest
) -> CertificateAnswer:
    """Erases a member of staff for good: name, photos and templates. Checks keep the institution's staff number."""
    member = staff.member_of(session, staff_id, subject.scope)
    return answers.certificate_answer(erase_staff(session, server, member, asked.why, subject.actor))
