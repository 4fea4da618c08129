"""Legal bases: what allows a face to be kept and compared, and what happens when that ends."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import NamedTuple

from sqlalchemy.orm import Session

from renzheng.clock import SHANGHAI
from renzheng.ids import new_id
from server.audit_log.service import Actor, Deed, record
from server.context import Server
from server.errors import NotFound, Unacceptable
from server.people import repository
from server.people.messages import GUARDED_UNDER_YEARS, BasisFields
from server.people.photos import FACE_PURPOSES
from server.people.removal import hold_on, remove_photos, revoke_templates
from server.people.service import birth_date_of
from server.tables import BasisKind, InsuredPerson, LegalBasis


class Withdrawn(NamedTuple):
    """A basis that ended, and what that ended with it."""

    basis: LegalBasis
    templates_revoked: int
    photos_removed: int


def add_basis(session: Session, server: Server, person: InsuredPerson, fields: BasisFields, actor: Actor) -> LegalBasis:
    """Record what allows one use of somebody's data. Raises :class:`Unacceptable` where a guardian is missing."""
    given_at = fields.given_at or datetime.now(UTC)
    _guardian_where_needed(birth_date_of(server.keys, person), fields, given_at)
    basis = LegalBasis(
        id=new_id(),
        person_id=person.id,
        purpose=fields.purpose,
        basis=fields.basis,
        version=fields.version,
        given_at=given_at,
        guardian_relation=fields.guardian_relation,
        recorded_by=actor.id[:32],
    )
    if fields.guardian_name is not None:
        basis.guardian_name_sealed = server.keys.seal_text(fields.guardian_name, _context(basis))
    session.add(basis)
    session.flush()
    told = {"purpose": fields.purpose.value, "basis": fields.basis.value}
    record(session, Deed(actor, "basis_recorded", "legal_basis", basis.id, "", person.district_code, told))
    return basis


def withdraw_basis(session: Session, server: Server, person: InsuredPerson, basis_id: str, actor: Actor) -> Withdrawn:
    """End a basis now. Without one that allows comparing faces the person's templates are revoked; without any at all
    the photos go too (PIPL, article 47), unless a legal hold keeps them. A basis that ended before stays as it was.

    Raises :class:`NotFound`.
    """
    repository.lock(session, person)
    basis = next((one for one in repository.bases(session, person.id) if one.id == basis_id), None)
    if basis is None:
        raise NotFound("this person has no such basis")
    if basis.withdrawn_at is not None:
        return Withdrawn(basis, 0, 0)
    now = datetime.now(UTC)
    basis.withdrawn_at = max(now, basis.given_at)
    session.flush()
    left = repository.purposes_in_force(session, person.id, basis.withdrawn_at)
    revoked = 0 if left & FACE_PURPOSES else revoke_templates(session, repository.all_templates(session, person), now)
    removed = 0
    if not left and hold_on(session, person) is None:
        removed = remove_photos(session, server, person)
    told = {"purpose": basis.purpose.value, "templates_revoked": revoked, "photos_removed": removed}
    record(session, Deed(actor, "basis_withdrawn", "legal_basis", basis.id, "", person.district_code, told))
    return Withdrawn(basis, revoked, removed)


def _guardian_where_needed(born_on: date | None, fields: BasisFields, given_at: datetime) -> None:
    if (fields.guardian_name is None) != (fields.guardian_relation is None):
        missing = "guardian_name" if fields.guardian_name is None else "guardian_relation"
        raise Unacceptable("a guardian's name and relation belong together", missing)
    if fields.basis is not BasisKind.CONSENT or fields.guardian_name is not None:
        return
    if born_on is None:
        raise Unacceptable("the birth date is not known: enter it, or who consents as guardian", "guardian_name")
    if age_on(born_on, given_at.astimezone(SHANGHAI).date()) < GUARDED_UNDER_YEARS:
        raise Unacceptable(f"under {GUARDED_UNDER_YEARS} years a guardian consents", "guardian_name")


def age_on(born_on: date, day: date) -> int:
    """Whole years; who was born on 29 February has the birthday on 1 March of common years."""
    return day.year - born_on.year - ((day.month, day.day) < (born_on.month, born_on.day))


def guardian_of(server: Server, basis: LegalBasis) -> str | None:
    """The guardian's name. Whoever shows it writes the audit log."""
    sealed = basis.guardian_name_sealed
    return None if sealed is None else server.keys.open_text(sealed, _context(basis))


def _context(basis: LegalBasis) -> str:
    return f"legal_bases.guardian_name_sealed:{basis.id}"
