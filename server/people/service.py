"""Insured persons: entering, changing and finding them. Names and numbers are sealed here and nowhere else."""

from __future__ import annotations

from datetime import UTC, date, datetime
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from renzheng.ids import new_id
from server.audit_log.service import Actor, Deed, record
from server.context import Server
from server.errors import Conflict, NotFound
from server.key_ring import KeyRing
from server.people import repository
from server.people.messages import PersonFields
from server.tables import InsuredPerson

__all__ = ["Change", "PersonFields", "SavedPerson", "create_person", "person_of", "put_person", "save_person"]

NO_SUCH_PERSON = "there is no such person"


class Change(StrEnum):
    """What saving a person did."""

    ADDED = "added"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


class SavedPerson(NamedTuple):
    """A person as they are now."""

    person: InsuredPerson
    change: Change


def save_person(session: Session, server: Server, fields: PersonFields, actor: Actor, scope: str = "") -> InsuredPerson:
    """As :func:`put_person`, without what changed."""
    return put_person(session, server, fields, actor, scope).person


def put_person(session: Session, server: Server, fields: PersonFields, actor: Actor, scope: str = "") -> SavedPerson:
    """Enter the person of ``fields.psn_no``, or bring the one who is there up to date; flushed, not committed.

    ``scope`` is what districts begin with that the asker sees (:attr:`server.access.Subject.scope`). Raises
    :class:`NotFound` for a district outside it and :class:`Conflict` where the number, or the identity number, is
    somebody else's.
    """
    _known_district(session, fields, scope)
    there = repository.person_numbered(session, fields.psn_no)
    if there is None:
        return SavedPerson(_add(session, server, fields, actor), Change.ADDED)
    if not there.district_code.startswith(scope):
        raise Conflict("this number is in use in another district", "psn_no")
    return SavedPerson(there, _update(session, server, there, fields, actor))


def create_person(session: Session, server: Server, fields: PersonFields, actor: Actor, scope: str) -> InsuredPerson:
    """Enter somebody new. Raises as :func:`put_person`, and :class:`Conflict` where the number is in use."""
    _known_district(session, fields, scope)
    if repository.person_numbered(session, fields.psn_no) is not None:
        raise Conflict("this number is in use", "psn_no")
    return _add(session, server, fields, actor)


def update_person(
    session: Session, server: Server, person: InsuredPerson, fields: PersonFields, actor: Actor, scope: str
) -> Change:
    """Bring somebody up to date. Raises as :func:`put_person`; the number stays what it is."""
    if fields.psn_no != person.psn_no:
        raise Conflict("a person keeps their number", "psn_no")
    _known_district(session, fields, scope)
    return _update(session, server, person, fields, actor)


def person_of(session: Session, person_id: str, scope: str) -> InsuredPerson:
    """A person by the server's id. Raises :class:`NotFound`, outside the scope as well."""
    person = repository.person(session, person_id)
    if person is None or not person.district_code.startswith(scope):
        raise NotFound(NO_SUCH_PERSON)
    return person


def _known_district(session: Session, fields: PersonFields, scope: str) -> None:
    code = fields.insuplc_admdvs
    if not code.startswith(scope) or not repository.has_district(session, code):
        raise NotFound("there is no such district", "insuplc_admdvs")


def _add(session: Session, server: Server, fields: PersonFields, actor: Actor) -> InsuredPerson:
    now = datetime.now(UTC)
    person = InsuredPerson(id=new_id(), psn_no=fields.psn_no, created_at=now, updated_at=now)
    _write(server.keys, person, fields)
    _unique(session, server.keys, person, fields)
    session.add(person)
    _flush(session)
    record(session, Deed(actor, "person_added", "person", person.id, district_code=person.district_code))
    return person


def _update(session: Session, server: Server, person: InsuredPerson, fields: PersonFields, actor: Actor) -> Change:
    if fields_of(server.keys, person) == fields.model_copy(update={"brdy": fields.birth_date}):
        return Change.UNCHANGED
    _unique(session, server.keys, person, fields)
    _write(server.keys, person, fields)
    person.updated_at = datetime.now(UTC)
    _flush(session)
    record(session, Deed(actor, "person_updated", "person", person.id, district_code=person.district_code))
    return Change.UPDATED


def _unique(session: Session, keys: KeyRing, person: InsuredPerson, fields: PersonFields) -> None:
    if fields.certno is None:
        return
    with session.no_autoflush:
        other = repository.person_with_certno(session, keys.blind_index("certno", fields.certno))
    if other is not None and other.id != person.id:
        raise Conflict("this identity number belongs to another person number", "certno")


def _flush(session: Session) -> None:
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict("somebody else entered this person at the same time; look and try again") from error


def _write(keys: KeyRing, person: InsuredPerson, fields: PersonFields) -> None:
    birth = fields.birth_date
    person.district_code = fields.insuplc_admdvs
    person.psn_name_sealed = keys.seal_text(fields.psn_name, _context("psn_name_sealed", person))
    person.psn_name_index = keys.blind_index("psn_name", fields.psn_name)
    person.psn_cert_type = fields.psn_cert_type
    person.certno_sealed, person.certno_index = None, None
    if fields.certno is not None:
        person.certno_sealed = keys.seal_text(fields.certno, _context("certno_sealed", person))
        person.certno_index = keys.blind_index("certno", fields.certno)
    person.gend, person.insutype, person.psn_type = fields.gend, fields.insutype, fields.psn_type
    person.brdy_sealed = keys.seal_text(birth.isoformat(), _context("brdy_sealed", person)) if birth else None


def _context(column: str, person: InsuredPerson) -> str:
    return f"insured_persons.{column}:{person.id}"


def _opened(keys: KeyRing, person: InsuredPerson, column: str) -> str | None:
    sealed: bytes | None = getattr(person, column)
    return None if sealed is None else keys.open_text(sealed, _context(column, person))


def birth_date_of(keys: KeyRing, person: InsuredPerson) -> date | None:
    """When a person was born, where that is known."""
    text = _opened(keys, person, "brdy_sealed")
    return date.fromisoformat(text) if text else None


def fields_of(keys: KeyRing, person: InsuredPerson) -> PersonFields:
    """A person as entered, names and numbers open. Whoever shows them writes the audit log."""
    return PersonFields.model_construct(
        psn_no=person.psn_no,
        insuplc_admdvs=person.district_code,
        psn_name=_opened(keys, person, "psn_name_sealed") or "",
        psn_cert_type=person.psn_cert_type,
        certno=_opened(keys, person, "certno_sealed"),
        gend=person.gend,
        brdy=birth_date_of(keys, person),
        insutype=person.insutype,
        psn_type=person.psn_type,
    )
