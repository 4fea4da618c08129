"""Every statement about people, their photos and their templates."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Select, String, and_, cast, func, or_, select, text, update
from sqlalchemy.orm import Session

from server.tables import (
    AgentApproval,
    BulkRow,
    Check,
    CheckPiece,
    Clip,
    District,
    EnrolmentPhoto,
    FaceTemplate,
    Institution,
    InsuredPerson,
    LegalBasis,
    LegalHold,
    Purpose,
    Settlement,
    StaffMember,
)

READ_AT_ONCE = 5000

Owner = InsuredPerson | StaffMember
"""Whose photo or template it is."""


def has_district(session: Session, code: str) -> bool:
    """Whether a district is known."""
    return session.get(District, code) is not None


def institution(session: Session, institution_id: str) -> Institution | None:
    """An institution by its id."""
    return session.get(Institution, institution_id)


def person(session: Session, person_id: str) -> InsuredPerson | None:
    """A person by the server's id."""
    return session.get(InsuredPerson, person_id)


def person_numbered(session: Session, psn_no: str) -> InsuredPerson | None:
    """A person by the pool's number."""
    return session.scalar(select(InsuredPerson).where(InsuredPerson.psn_no == psn_no))


def person_with_certno(session: Session, certno_index: str) -> InsuredPerson | None:
    """A person by the blind index of an identity number."""
    return session.scalar(select(InsuredPerson).where(InsuredPerson.certno_index == certno_index))


def people_in(scope: str) -> Select[InsuredPerson]:
    """People of districts that begin with ``scope``."""
    found = select(InsuredPerson)
    return found.where(InsuredPerson.district_code.startswith(scope, autoescape=True)) if scope else found


def page_of_people(session: Session, scope: str, after: str, limit: int) -> Sequence[InsuredPerson]:
    """People in the order of their ids, which is that in which they were entered."""
    found = people_in(scope).where(InsuredPerson.id > after).order_by(InsuredPerson.id).limit(limit)
    return session.scalars(found).all()


def people_named(session: Session, scope: str, name_index: str, limit: int) -> Sequence[InsuredPerson]:
    """People whose whole name has this blind index."""
    found = people_in(scope).where(InsuredPerson.psn_name_index == name_index).order_by(InsuredPerson.id).limit(limit)
    return session.scalars(found).all()


def _in_force(at: datetime) -> ColumnElement[bool]:
    return (LegalBasis.given_at <= at) & or_(LegalBasis.withdrawn_at.is_(None), LegalBasis.withdrawn_at > at)


def purposes_in_force(session: Session, person_id: str, at: datetime) -> frozenset[Purpose]:
    """What the person's data may be used for at that time."""
    found = select(LegalBasis.purpose).where(LegalBasis.person_id == person_id, _in_force(at)).distinct()
    return frozenset(session.scalars(found))


def bases(session: Session, person_id: str) -> Sequence[LegalBasis]:
    """All bases of a person, those that were withdrawn as well, in order."""
    found = select(LegalBasis).where(LegalBasis.person_id == person_id).order_by(LegalBasis.given_at, LegalBasis.id)
    return session.scalars(found).all()


def approvals(session: Session, holder_id: str) -> Sequence[AgentApproval]:
    """All approvals of a holder, those that ended as well, in order."""
    found = select(AgentApproval).where(AgentApproval.holder_id == holder_id)
    return session.scalars(found.order_by(AgentApproval.valid_from, AgentApproval.id)).all()


def approvals_with(session: Session, person_id: str) -> int:
    """How many approvals name somebody, as holder or as agent."""
    named = or_(AgentApproval.holder_id == person_id, AgentApproval.agent_id == person_id)
    return session.scalar(select(func.count(AgentApproval.id)).where(named)) or 0


def agents_between(
    session: Session, holder_id: str, start: datetime, end: datetime
) -> Sequence[tuple[AgentApproval, InsuredPerson]]:
    """Approvals of a holder that hold at some time from ``start`` to before ``end``, with the agents."""
    found = (
        select(AgentApproval, InsuredPerson)
        .join(InsuredPerson, InsuredPerson.id == AgentApproval.agent_id)
        .where(AgentApproval.holder_id == holder_id, AgentApproval.valid_from < end)
        .where(or_(AgentApproval.valid_to.is_(None), AgentApproval.valid_to > start))
        .where(
            or_(
                AgentApproval.revoked_at.is_(None),
                and_(AgentApproval.revoked_at > start, AgentApproval.revoked_at > AgentApproval.valid_from),
            )
        )
        .order_by(InsuredPerson.psn_no, AgentApproval.id)
    )
    return [(approval, agent) for approval, agent in session.execute(found)]


def _owned_photo(owner: Owner) -> ColumnElement[bool]:
    return (EnrolmentPhoto.person_id if isinstance(owner, InsuredPerson) else EnrolmentPhoto.staff_id) == owner.id


def _owned_template(owner: Owner) -> ColumnElement[bool]:
    return (FaceTemplate.person_id if isinstance(owner, InsuredPerson) else FaceTemplate.staff_id) == owner.id


def photo(session: Session, photo_id: str) -> EnrolmentPhoto | None:
    """A photo by its id."""
    return session.get(EnrolmentPhoto, photo_id)


def photos(session: Session, owner: Owner) -> Sequence[EnrolmentPhoto]:
    """All photos of somebody, oldest first."""
    return session.scalars(select(EnrolmentPhoto).where(_owned_photo(owner)).order_by(EnrolmentPhoto.id)).all()


def photo_keys_in_use(session: Session, store_keys: Collection[str]) -> set[str]:
    """Which of these keys of the store a photo has."""
    return set(session.scalars(select(EnrolmentPhoto.store_key).where(EnrolmentPhoto.store_key.in_(store_keys))))


def same_photo(session: Session, owner: Owner, sha256_index: str) -> Sequence[EnrolmentPhoto]:
    """Photos of somebody with these very bytes."""
    return session.scalars(
        select(EnrolmentPhoto).where(_owned_photo(owner), EnrolmentPhoto.sha256_index == sha256_index)
    ).all()


def templates(session: Session, owner: Owner, embedder_sha256: str) -> Sequence[FaceTemplate]:
    """Templates in use that one embedder made of somebody, oldest first."""
    found = select(FaceTemplate).where(_owned_template(owner), FaceTemplate.embedder_sha256 == embedder_sha256)
    return session.scalars(found.where(FaceTemplate.revoked_at.is_(None)).order_by(FaceTemplate.id)).all()


def all_templates(session: Session, owner: Owner) -> Sequence[FaceTemplate]:
    """Templates of all embedders, revoked ones as well, oldest first."""
    return session.scalars(select(FaceTemplate).where(_owned_template(owner)).order_by(FaceTemplate.id)).all()


def templates_of_photo(session: Session, photo_id: str) -> Sequence[FaceTemplate]:
    """What was made of a photo, by each embedder."""
    return session.scalars(
        select(FaceTemplate).where(FaceTemplate.photo_id == photo_id).order_by(FaceTemplate.id)
    ).all()


def staff_member(session: Session, staff_id: str) -> StaffMember | None:
    """A member of staff by the server's id."""
    return session.get(StaffMember, staff_id)


def staff_numbered(session: Session, institution_id: str, staff_no: str) -> StaffMember | None:
    """A member of staff by the institution's own number."""
    return session.scalar(
        select(StaffMember).where(StaffMember.institution_id == institution_id, StaffMember.staff_no == staff_no)
    )


def page_of_staff(session: Session, institution_id: str, after: str, limit: int) -> Sequence[StaffMember]:
    """Staff of an institution, those who left as well, in the order in which they were entered."""
    found = select(StaffMember).where(StaffMember.institution_id == institution_id, StaffMember.id > after)
    return session.scalars(found.order_by(StaffMember.id).limit(limit)).all()


def staff_templates(
    session: Session, institution_id: str, embedder_sha256: str
) -> Sequence[tuple[StaffMember, FaceTemplate]]:
    """Templates in use of everybody who works at an institution now."""
    found = (
        select(StaffMember, FaceTemplate)
        .join(FaceTemplate, FaceTemplate.staff_id == StaffMember.id)
        .where(StaffMember.institution_id == institution_id, StaffMember.left_at.is_(None))
        .where(FaceTemplate.embedder_sha256 == embedder_sha256, FaceTemplate.revoked_at.is_(None))
        .order_by(StaffMember.staff_no, FaceTemplate.id)
    )
    return [(member, template) for member, template in session.execute(found)]


def has_staff_unseen(session: Session, institution_id: str, embedder_sha256: str, at: datetime) -> bool:
    """Whether somebody worked at an institution at that time whose face was enrolled and cannot be compared: they left
    since, and their templates went, or only another embedder has seen their photos."""
    of_member = select(FaceTemplate.id).where(
        FaceTemplate.staff_id == StaffMember.id, FaceTemplate.revoked_at.is_(None)
    )
    comparable = of_member.where(FaceTemplate.embedder_sha256 == embedder_sha256)
    unseen = or_(
        StaffMember.left_at > at, and_(StaffMember.left_at.is_(None), of_member.exists(), ~comparable.exists())
    )
    found = select(StaffMember.id).where(StaffMember.institution_id == institution_id, unseen)
    return session.scalar(found.limit(1)) is not None


def people_with_photos(session: Session) -> int:
    """How many people's faces are stored, staff included."""
    insured = func.count(func.distinct(EnrolmentPhoto.person_id))
    staff = func.count(func.distinct(EnrolmentPhoto.staff_id))
    return session.scalar(select(insured + staff)) or 0


def people_among(session: Session, person_ids: Collection[str]) -> dict[str, InsuredPerson]:
    """People by their ids, as far as they are there."""
    found = session.scalars(select(InsuredPerson).where(InsuredPerson.id.in_(person_ids)))
    return {person.id: person for person in found}


def templates_in_use(session: Session, embedder_sha256: str) -> int:
    """How many templates of insured persons one embedder has that are not revoked."""
    return session.scalar(select(func.count(FaceTemplate.id)).where(*_searched(embedder_sha256))) or 0


def searched_templates(session: Session, embedder_sha256: str, from_id: str = "") -> Iterator[tuple[str, str, bytes]]:
    """Id, person and sealed vector of templates in use from an id on, in the order of ids."""
    found = select(FaceTemplate.id, FaceTemplate.person_id, FaceTemplate.sealed).where(*_searched(embedder_sha256))
    rows = session.execute(found.where(FaceTemplate.id >= from_id).order_by(FaceTemplate.id))
    for template_id, person_id, sealed in rows.yield_per(READ_AT_ONCE):
        yield template_id, person_id or "", sealed


def _searched(embedder_sha256: str) -> tuple[ColumnElement[bool], ...]:
    return (
        FaceTemplate.embedder_sha256 == embedder_sha256,
        FaceTemplate.revoked_at.is_(None),
        FaceTemplate.person_id.is_not(None),
    )


def lock(session: Session, owner: Owner) -> bool:
    """Have nobody else enrol, withdraw or erase this one until the transaction ends; whether they are still there."""
    kind = type(owner)
    return session.scalar(select(kind.id).where(kind.id == owner.id).with_for_update()) is not None


def checks_of(session: Session, psn_no: str) -> Sequence[Check]:
    """Checks of a holder or patient, locked."""
    found = select(Check).where(Check.psn_no == psn_no).order_by(Check.id).with_for_update(of=Check)
    return session.scalars(found.execution_options(populate_existing=True)).all()


def checks_of_holders(session: Session, agent_id: str, *, locked: bool = False) -> Sequence[Check]:
    """Checks of everybody who ever approved this agent."""
    holders = (
        select(InsuredPerson.psn_no)
        .join(AgentApproval, AgentApproval.holder_id == InsuredPerson.id)
        .where(AgentApproval.agent_id == agent_id)
    )
    found = select(Check).where(Check.psn_no.in_(holders)).order_by(Check.id)
    if locked:
        found = found.with_for_update(of=Check).execution_options(populate_existing=True)
    return session.scalars(found).all()


def pieces_of(session: Session, check: Check) -> Sequence[CheckPiece]:
    """The small files of a check."""
    return session.scalars(select(CheckPiece).where(CheckPiece.check_id == check.id)).all()


def clip_of(session: Session, check: Check) -> Clip | None:
    """The video of a check."""
    return session.scalar(select(Clip).where(Clip.check_id == check.id))


def hold_on(session: Session, person: InsuredPerson, checks_as_agent: Sequence[Check]) -> LegalHold | None:
    """A hold in force on a person, on checks or settlements of theirs, or on an institution that checked them."""
    own = select(cast(Check.id, String)).where(Check.psn_no == person.psn_no)
    places = select(Check.institution_id).where(Check.psn_no == person.psn_no)
    settled = select(cast(Settlement.id, String)).where(Settlement.psn_no == person.psn_no)
    as_agent = [str(check.id) for check in checks_as_agent]
    held = [
        ("person", LegalHold.object_id == person.id),
        ("settlement", LegalHold.object_id.in_(settled)),
        ("check", or_(LegalHold.object_id.in_(own), LegalHold.object_id.in_(as_agent))),
        ("institution", or_(LegalHold.object_id.in_(places), _at_one_of(checks_as_agent))),
    ]
    of_theirs = or_(*(and_(LegalHold.object_kind == kind, which) for kind, which in held))
    return session.scalars(select(LegalHold).where(LegalHold.released_at.is_(None), of_theirs).limit(1)).first()


def hold_on_institution(session: Session, institution_id: str) -> LegalHold | None:
    """A hold in force on an institution."""
    on_it = LegalHold.object_kind == "institution", LegalHold.object_id == institution_id
    return session.scalars(select(LegalHold).where(LegalHold.released_at.is_(None), *on_it).limit(1)).first()


def _at_one_of(checks: Sequence[Check]) -> ColumnElement[bool]:
    return LegalHold.object_id.in_({check.institution_id for check in checks})


def forget_credentials(session: Session, psn_no: str) -> int:
    """Forget which credential was used for a person's settlements; returns for how many it was known."""
    found = select(Settlement.id).where(Settlement.psn_no == psn_no, Settlement.credential_sealed.is_not(None))
    ids = session.scalars(found).all()
    session.execute(
        update(Settlement).where(Settlement.psn_no == psn_no).values(credential_sealed=None, credential_index=None)
    )
    return len(ids)


def unlink_bulk_rows(session: Session, person_id: str) -> None:
    """Have no row of a bulk enrolment name this person."""
    session.execute(update(BulkRow).where(BulkRow.person_id == person_id).values(person_id=None))


def overwrite_deleted(session: Session) -> None:
    """Have SQLite write zeros over what this connection deletes; PostgreSQL's vacuum frees it for the next rows."""
    if session.get_bind().dialect.name == "sqlite":
        session.execute(text("PRAGMA secure_delete=ON"))
