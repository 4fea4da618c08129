"""Staff of an institution: known to its boxes, so that nobody takes a clerk for a stranger."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from renzheng.ids import new_id
from server.audit_log.service import Actor, Deed, record
from server.context import Server
from server.errors import Conflict, NotFound
from server.people import repository
from server.people.messages import StaffFields
from server.people.removal import hold_on, remove_photos, revoke_templates
from server.tables import Institution, StaffMember


def institution_of(session: Session, institution_id: str, scope: str) -> Institution:
    """An institution. Raises :class:`NotFound`, outside the scope as well."""
    place = repository.institution(session, institution_id)
    if place is None or not place.district_code.startswith(scope):
        raise NotFound("there is no such institution")
    return place


def member_of(session: Session, staff_id: str, scope: str) -> StaffMember:
    """A member of staff. Raises :class:`NotFound`, outside the scope as well."""
    member = repository.staff_member(session, staff_id)
    if member is None or not member.institution.district_code.startswith(scope):
        raise NotFound("there is no such member of staff")
    return member


def add_member(session: Session, server: Server, place: Institution, fields: StaffFields, actor: Actor) -> StaffMember:
    """Enter somebody who works there. Raises :class:`Conflict` where the institution's number is in use."""
    if repository.staff_numbered(session, place.id, fields.staff_no) is not None:
        raise Conflict("this institution has somebody of this number", "staff_no")
    staff_id = new_id()
    member = StaffMember(
        id=staff_id,
        institution_id=place.id,
        staff_no=fields.staff_no,
        name_sealed=server.keys.seal_text(fields.name, _context(staff_id)),
        basis_version=fields.basis_version,
        created_at=datetime.now(UTC),
    )
    session.add(member)
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict("this institution has somebody of this number", "staff_no") from error
    record(session, Deed(actor, "staff_added", "staff", staff_id, "", place.district_code, {"institution": place.id}))
    return member


def leave(session: Session, server: Server, member: StaffMember, actor: Actor) -> StaffMember:
    """Somebody works there no more: photos and templates go; while a legal hold is on the institution, templates are
    revoked and all is kept. Who left before stays as they were."""
    if member.left_at is not None:
        return member
    now = member.left_at = datetime.now(UTC)
    removed = 0
    if hold_on(session, member) is None:
        removed = remove_photos(session, server, member)
    else:
        revoke_templates(session, repository.all_templates(session, member), now)
    session.flush()
    told = {"photos_removed": removed}
    record(session, Deed(actor, "staff_left", "staff", member.id, "", member.institution.district_code, told))
    return member


def name_of(server: Server, member: StaffMember) -> str:
    """The name of a member of staff. Whoever shows it writes the audit log."""
    return server.keys.open_text(member.name_sealed, _context(member.id))


def _context(staff_id: str) -> str:
    return f"staff_members.name_sealed:{staff_id}"
