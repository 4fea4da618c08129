"""Rows as answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from renzheng.contracts import SampleQuality
from server.access import Subject
from server.context import Server
from server.people import repository
from server.people.duplicates import DuplicateSearch
from server.people.filing import filing_notice
from server.people.messages import (
    ApprovalAnswer,
    BasisAnswer,
    CertificateAnswer,
    DuplicateAnswer,
    EnrolledPhotoAnswer,
    LookAlikeAnswer,
    NamedStaffMember,
    PersonAnswer,
    PersonSummary,
    PhotoAnswer,
    ReasonWords,
    RefusedPhoto,
    StaffMemberAnswer,
    TemplateFacts,
)
from server.people.photos import EnrolledPhoto, PhotoRefusedFor
from server.people.service import fields_of
from server.people.staff import name_of
from server.problems import FieldProblem
from server.tables import (
    AgentApproval,
    DeletionCertificate,
    EnrolmentPhoto,
    FaceTemplate,
    InsuredPerson,
    LegalBasis,
    StaffMember,
)


def summary(person: InsuredPerson) -> PersonSummary:
    """A person without name and identity number."""
    return PersonSummary(**_summary(person))


def _summary(person: InsuredPerson) -> dict[str, Any]:
    return {
        "id": person.id,
        "psn_no": person.psn_no,
        "insuplc_admdvs": person.district_code,
        "created_at": person.created_at,
        "updated_at": person.updated_at,
    }


def whole_person(session: Session, server: Server, person: InsuredPerson) -> PersonAnswer:
    """A person with name and numbers open."""
    fields = fields_of(server.keys, person)
    purposes = repository.purposes_in_force(session, person.id, datetime.now(UTC))
    return PersonAnswer(**_summary(person) | fields.model_dump(), may_be_used_for=sorted(purposes))


def basis_answer(basis: LegalBasis) -> BasisAnswer:
    """A legal basis without the guardian's name."""
    return BasisAnswer(
        id=basis.id,
        purpose=basis.purpose,
        basis=basis.basis,
        version=basis.version,
        given_at=basis.given_at,
        withdrawn_at=basis.withdrawn_at,
        by_guardian=basis.guardian_name_sealed is not None,
        guardian_relation=basis.guardian_relation,
    )


def approval_answer(approval: AgentApproval) -> ApprovalAnswer:
    """An approval of an agent."""
    return ApprovalAnswer(
        id=approval.id,
        agent_id=approval.agent_id,
        relation=approval.relation,
        valid_from=approval.valid_from,
        valid_to=approval.valid_to,
        revoked_at=approval.revoked_at,
    )


def _member(member: StaffMember) -> dict[str, Any]:
    return {
        "id": member.id,
        "staff_no": member.staff_no,
        "basis_version": member.basis_version,
        "created_at": member.created_at,
        "left_at": member.left_at,
    }


def member_answer(member: StaffMember) -> StaffMemberAnswer:
    """A member of staff without the name."""
    return StaffMemberAnswer(**_member(member))


def named_member(server: Server, member: StaffMember) -> NamedStaffMember:
    """A member of staff."""
    return NamedStaffMember(**_member(member), name=name_of(server, member))


def photo_answer(photo: EnrolmentPhoto, templates: Sequence[FaceTemplate]) -> PhotoAnswer:
    """A photo with what was made of it."""
    return PhotoAnswer(
        id=photo.id,
        quality=SampleQuality.model_validate(photo.quality),
        created_at=photo.created_at,
        templates=[
            TemplateFacts(id=one.id, pack=one.pack, created_at=one.created_at, revoked_at=one.revoked_at)
            for one in templates
            if one.photo_id == photo.id
        ],
    )


def enrolled_answer(
    session: Session, subject: Subject, enrolled: EnrolledPhoto, duplicates: DuplicateSearch
) -> EnrolledPhotoAnswer:
    """What enrolling a photo gave; people outside the subject's district are counted and not named."""
    seen = [one for one in duplicates.found if subject.sees(one.person.district_code)]
    return EnrolledPhotoAnswer(
        photo=photo_answer(enrolled.photo, repository.templates_of_photo(session, enrolled.photo.id)),
        is_new=enrolled.is_new,
        duplicates=DuplicateAnswer(
            searched=duplicates.searched,
            people=[
                LookAlikeAnswer(person_id=one.person.id, psn_no=one.person.psn_no, cosine=round(one.cosine, 4))
                for one in seen
            ],
            in_other_districts=len(duplicates.found) - len(seen),
        ),
        notice=filing_notice(session),
    )


def refusal(refused: PhotoRefusedFor) -> JSONResponse:
    """Why a photo is not taken, in both languages."""
    words = [ReasonWords.of(reason) for reason in refused.reasons]
    told = RefusedPhoto(
        detail=words[0].en,
        errors=[FieldProblem(field="body.photo", expected=one.en) for one in words],
        reasons=words,
        quality=refused.quality,
    )
    return JSONResponse(told.model_dump(mode="json"), 422)


def certificate_answer(certificate: DeletionCertificate) -> CertificateAnswer:
    """A certificate of deletion."""
    return CertificateAnswer(
        id=certificate.id,
        kind=certificate.kind,
        counts=certificate.counts,
        why=certificate.why,
        made_at=certificate.made_at,
    )
