"""Insured persons, what allows their faces to be kept, and what is kept of them.

Names and identity numbers are sealed (AES-GCM under the key ring); their blind indexes (HMAC) find exact values only.
Contexts of the seals are ``<table>.<column>:<row id>``.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from server.tables.base import Base, Id, Json, enum_of
from server.tables.sites import Institution


class Purpose(StrEnum):
    """What somebody's data may be used for."""

    IDENTITY_CHECK = "identity_check"
    BED_CHECK = "bed_check"
    AGENT_CHECK = "agent_check"
    EVIDENCE = "evidence"


class BasisKind(StrEnum):
    """What a use rests on (PIPL, articles 13 and 29)."""

    CONSENT = "consent"
    STATUTORY_DUTY = "statutory_duty"


class InsuredPerson(Base):
    """An insured person (参保人员). Names and numbers are sealed; ``psn_no`` is the pool's own number."""

    __tablename__ = "insured_persons"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    psn_no: Mapped[str] = mapped_column(String(64), unique=True)
    district_code: Mapped[str] = mapped_column(ForeignKey("districts.code"), comment="insuplc_admdvs")
    psn_name_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    psn_name_index: Mapped[str] = mapped_column(String(64))
    psn_cert_type: Mapped[str | None] = mapped_column(String(6))
    certno_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    certno_index: Mapped[str | None] = mapped_column(String(64), unique=True)
    gend: Mapped[str | None] = mapped_column(String(6))
    brdy_sealed: Mapped[bytes | None] = mapped_column(LargeBinary, comment="birth date, ISO 8601")
    insutype: Mapped[str | None] = mapped_column(String(6))
    psn_type: Mapped[str | None] = mapped_column(String(6))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (Index(None, "district_code"), Index(None, "psn_name_index"))


class LegalBasis(Base):
    """What allows one use of one person's data: consent or another basis, its version, and its withdrawal."""

    __tablename__ = "legal_bases"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("insured_persons.id", ondelete="CASCADE"))
    purpose: Mapped[Purpose] = mapped_column(enum_of(Purpose))
    basis: Mapped[BasisKind] = mapped_column(enum_of(BasisKind))
    version: Mapped[str] = mapped_column(String(40), comment="of the text that was shown")
    given_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]
    guardian_name_sealed: Mapped[bytes | None] = mapped_column(LargeBinary, comment="needed under 14 years")
    guardian_relation: Mapped[str | None] = mapped_column(String(20))
    recorded_by: Mapped[str] = mapped_column(Id, comment="user")

    __table_args__ = (Index(None, "person_id", "purpose"),)


class AgentApproval(Base):
    """An approved agent (代办人) of a holder and when the approval holds."""

    __tablename__ = "agent_approvals"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    holder_id: Mapped[str] = mapped_column(ForeignKey("insured_persons.id", ondelete="CASCADE"))
    agent_id: Mapped[str] = mapped_column(ForeignKey("insured_persons.id", ondelete="CASCADE"))
    relation: Mapped[str] = mapped_column(String(20))
    valid_from: Mapped[datetime]
    valid_to: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    approved_by: Mapped[str] = mapped_column(Id, comment="user")

    __table_args__ = (
        Index(None, "holder_id"),
        Index(None, "agent_id"),
        CheckConstraint("holder_id <> agent_id", name="not_oneself"),
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="period"),
    )


class StaffMember(Base):
    """Somebody who works at an institution."""

    __tablename__ = "staff_members"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    institution_id: Mapped[str] = mapped_column(ForeignKey("institutions.id"))
    staff_no: Mapped[str] = mapped_column(String(64))
    name_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    basis_version: Mapped[str] = mapped_column(String(40), comment="of the text that was agreed to")
    created_at: Mapped[datetime]
    left_at: Mapped[datetime | None]
    institution: Mapped[Institution] = relationship()

    __table_args__ = (UniqueConstraint("institution_id", "staff_no"),)


_ONE_OWNER = "(person_id IS NULL) <> (staff_id IS NULL)"


class EnrolmentPhoto(Base):
    """A photo that passed the gate; its bytes lie sealed in the object store."""

    __tablename__ = "enrolment_photos"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    person_id: Mapped[str | None] = mapped_column(ForeignKey("insured_persons.id", ondelete="CASCADE"))
    staff_id: Mapped[str | None] = mapped_column(ForeignKey("staff_members.id", ondelete="CASCADE"))
    store_key: Mapped[str] = mapped_column(String(200), unique=True)
    sha256_index: Mapped[str] = mapped_column(String(64), comment="blind index of the photo's digest")
    quality: Mapped[dict[str, Any]] = mapped_column(Json, comment="a SampleQuality")
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(Id, comment="user")

    __table_args__ = (
        CheckConstraint(_ONE_OWNER, name="one_owner"),
        Index(None, "person_id"),
        Index(None, "staff_id"),
    )


class FaceTemplate(Base):
    """A reference embedding, made by one embedder from one photo. ``sealed`` is float32 little endian, sealed."""

    __tablename__ = "face_templates"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    person_id: Mapped[str | None] = mapped_column(ForeignKey("insured_persons.id", ondelete="CASCADE"))
    staff_id: Mapped[str | None] = mapped_column(ForeignKey("staff_members.id", ondelete="CASCADE"))
    photo_id: Mapped[str] = mapped_column(ForeignKey("enrolment_photos.id", ondelete="CASCADE"))
    pack: Mapped[str] = mapped_column(String(64))
    embedder_sha256: Mapped[str] = mapped_column(String(64))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint(_ONE_OWNER, name="one_owner"),
        UniqueConstraint("photo_id", "embedder_sha256"),
        Index(None, "person_id", "embedder_sha256"),
        Index(None, "staff_id", "embedder_sha256"),
        Index(None, "embedder_sha256"),
    )
