"""Requests and answers about people."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from pydantic import (
    AfterValidator,
    AwareDatetime,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from renzheng.clock import as_utc
from renzheng.contracts import REASON_WORDS, Reason, SampleQuality
from renzheng.contracts.base import Contract
from server.people.identity_numbers import born_on, fault_of, gender_of
from server.problems import Problem
from server.tables import BasisKind, Purpose

IDENTITY_CARD = "01"
"""``psn_cert_type`` of a resident's identity card; a person without a type is taken to show one."""

GUARDED_UNDER_YEARS = 14
"""PIPL, article 31: under this age a guardian consents."""

EARLIEST_BIRTH = date(1880, 1, 1)
CLOCK_SLACK = timedelta(minutes=5)
_NO_CONTROL = r"^[^\x00-\x1f\x7f]*$"


def _line(longest: int) -> StringConstraints:
    return StringConstraints(strip_whitespace=True, min_length=1, max_length=longest, pattern=_NO_CONTROL)


Moment = Annotated[AwareDatetime, AfterValidator(as_utc)]
"""A time with a zone, in UTC from here on."""

PsnNo = Annotated[str, Field(pattern=r"^[!-~]{1,64}$", description="the pool's own number of the person")]
Code6 = Annotated[str, Field(pattern=r"^[0-9A-Za-z]{1,6}$")]
DistrictCode = Annotated[str, Field(pattern=r"^[0-9]{6}$")]
Name = Annotated[str, _line(50)]
Short = Annotated[str, _line(20)]
Version = Annotated[str, _line(40)]
Why = Annotated[str, _line(300)]
PurposeOfLook = Annotated[str, _line(200)]


class PersonFields(Contract):
    """An insured person under the platform's names."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    psn_no: PsnNo
    insuplc_admdvs: DistrictCode = Field(description="insuring district")
    psn_name: Name
    psn_cert_type: Code6 | None = Field(None, description="01 is a resident's identity card")
    certno: Annotated[str, _line(50)] | None = Field(None, description="identity number, checked as GB 11643 has it")
    gend: Annotated[str, Field(pattern=r"^[0-9]$")] | None = Field(None, description="1 男, 2 女")
    brdy: date | None = Field(None, description="birth date; taken from the identity number where it is not given")
    insutype: Code6 | None = None
    psn_type: Code6 | None = None

    @field_validator("certno")
    @classmethod
    def _sound_number(cls, certno: str | None, info: ValidationInfo) -> str | None:
        if certno is None:
            return None
        certno = certno.upper()
        if _is_identity_card(info) and (fault := fault_of(certno)):
            raise ValueError(fault)
        return certno

    @field_validator("gend")
    @classmethod
    def _gender_of_number(cls, gend: str | None, info: ValidationInfo) -> str | None:
        certno = info.data.get("certno")
        if gend in ("1", "2") and certno and _is_identity_card(info) and gend != gender_of(certno):
            raise ValueError("contradicts the identity number")
        return gend

    @field_validator("brdy")
    @classmethod
    def _birth_of_number(cls, brdy: date | None, info: ValidationInfo) -> date | None:
        if brdy is None:
            return None
        certno = info.data.get("certno")
        if certno and _is_identity_card(info) and brdy != born_on(certno):
            raise ValueError("contradicts the identity number")
        if not EARLIEST_BIRTH <= brdy <= datetime.now(UTC).date() + timedelta(days=1):
            raise ValueError("expected a date between 1880 and today")
        return brdy

    @property
    def birth_date(self) -> date | None:
        """As given, else as the identity number has it."""
        if self.brdy is None and self.certno is not None and self.psn_cert_type in (None, IDENTITY_CARD):
            return born_on(self.certno)
        return self.brdy


def _is_identity_card(info: ValidationInfo) -> bool:
    return info.data.get("psn_cert_type") in (None, IDENTITY_CARD)


class BasisFields(Contract):
    """What allows one use of a person's data."""

    purpose: Purpose
    basis: BasisKind
    version: Version = Field(description="of the text that was shown")
    given_at: Moment | None = Field(None, description="now, where it is not told")
    guardian_name: Name | None = Field(None, description="needed for a consent under 14 years")
    guardian_relation: Short | None = None

    @field_validator("given_at")
    @classmethod
    def _not_to_come(cls, given_at: datetime | None) -> datetime | None:
        if given_at is not None and given_at > datetime.now(UTC) + CLOCK_SLACK:
            raise ValueError("expected a time that is not to come")
        return given_at


class AgentFields(Contract):
    """An approval of somebody to act for a holder (代办人)."""

    agent_psn_no: PsnNo
    relation: Short
    valid_from: Moment
    valid_to: Moment | None = None

    @field_validator("valid_to")
    @classmethod
    def _after_start(cls, valid_to: datetime | None, info: ValidationInfo) -> datetime | None:
        valid_from = info.data.get("valid_from")
        if valid_to is not None and valid_from is not None and valid_to <= valid_from:
            raise ValueError("expected a time after valid_from")
        return valid_to


class StaffFields(Contract):
    """Somebody who works at an institution."""

    staff_no: Annotated[str, Field(pattern=r"^[!-~]{1,64}$")]
    name: Name
    basis_version: Version = Field(description="of the text that was agreed to")


class PersonSearch(Contract):
    """Whom to look for, by exactly one of three exact values. In a body, since addresses end up in logs."""

    purpose: PurposeOfLook = Field(description="why; it goes into the audit log")
    psn_no: PsnNo | None = None
    certno: Annotated[str, _line(50)] | None = None
    psn_name: Name | None = None

    @model_validator(mode="after")
    def _one_value(self) -> PersonSearch:
        if sum(value is not None for value in (self.psn_no, self.certno, self.psn_name)) != 1:
            raise ValueError("expected exactly one of psn_no, certno and psn_name")
        return self


class ErasureRequest(Contract):
    """Why somebody is erased."""

    why: Why = Field(description="such as the request's number; no name and no number of the person")


class PersonSummary(Contract):
    """A person without what identifies them outside the pool."""

    id: str
    psn_no: str
    insuplc_admdvs: str
    created_at: datetime
    updated_at: datetime


class PersonPage(Contract):
    """People in the order in which they were entered; ask for the next page with ``after``."""

    people: list[PersonSummary]
    next_after: str | None


class PersonAnswer(PersonSummary):
    """A person with name and numbers open."""

    psn_name: str
    psn_cert_type: str | None
    certno: str | None
    gend: str | None
    brdy: date | None
    insutype: str | None
    psn_type: str | None
    may_be_used_for: list[Purpose] = Field(description="purposes that a legal basis in force names")


class BasisAnswer(Contract):
    """A legal basis; the guardian's name is shown to nobody by this."""

    id: str
    purpose: Purpose
    basis: BasisKind
    version: str
    given_at: datetime
    withdrawn_at: datetime | None
    by_guardian: bool
    guardian_relation: str | None


class BasisList(Contract):
    """All bases of a person, those that were withdrawn as well."""

    bases: list[BasisAnswer]


class WithdrawalAnswer(Contract):
    """A basis that ended, and what that ended with it."""

    basis: BasisAnswer
    templates_revoked: int
    photos_removed: int


class ApprovalAnswer(Contract):
    """An approval of an agent."""

    id: str
    agent_id: str
    relation: str
    valid_from: datetime
    valid_to: datetime | None
    revoked_at: datetime | None


class ApprovalList(Contract):
    """All approvals of a holder, those that ended as well."""

    agents: list[ApprovalAnswer]


class StaffMemberAnswer(Contract):
    """A member of staff without the name."""

    id: str
    staff_no: str
    basis_version: str
    created_at: datetime
    left_at: datetime | None


class NamedStaffMember(StaffMemberAnswer):
    """A member of staff."""

    name: str


class StaffPage(Contract):
    """Staff of an institution in the order in which they were entered."""

    staff: list[NamedStaffMember]
    next_after: str | None


class TemplateFacts(Contract):
    """That a template is there; the template itself leaves for boxes alone."""

    id: str
    pack: str
    created_at: datetime
    revoked_at: datetime | None


class PhotoAnswer(Contract):
    """A photo that is kept."""

    id: str
    quality: SampleQuality
    created_at: datetime
    templates: list[TemplateFacts]


class PhotoList(Contract):
    """All photos of somebody, oldest first."""

    photos: list[PhotoAnswer]


class LookAlikeAnswer(Contract):
    """Somebody under another number whose photo looks like this one."""

    person_id: str
    psn_no: str
    cosine: float


class DuplicateAnswer(Contract):
    """Who looks like the person enrolled: a question for a person to settle, and never an answer."""

    searched: bool = Field(description="false for staff, and where no threshold set is shipped for the pack")
    people: list[LookAlikeAnswer]
    in_other_districts: int = Field(description="how many more there are whom you may not see")


class Notice(Contract):
    """Something to see to soon."""

    code: str
    zh: str
    en: str


class EnrolledPhotoAnswer(Contract):
    """What enrolling a photo gave."""

    photo: PhotoAnswer
    is_new: bool = Field(description="false when these very bytes were enrolled already")
    duplicates: DuplicateAnswer
    notice: Notice | None = None


class RevocationAnswer(Contract):
    """How many templates were in use until now."""

    templates_revoked: int


class CertificateAnswer(Contract):
    """That something was deleted, and how much of it."""

    id: str
    kind: str
    counts: dict[str, int]
    why: str
    made_at: datetime


class ReasonWords(Contract):
    """A reason with its words in both languages."""

    code: Reason
    zh: str
    en: str

    @classmethod
    def of(cls, reason: Reason) -> ReasonWords:
        """The words of a reason."""
        words = REASON_WORDS[reason]
        return cls(code=reason, zh=words.zh, en=words.en)


class RefusedPhoto(Problem):
    """Why a photo cannot be enrolled; the first reason is the one to tell."""

    reasons: list[ReasonWords] = Field(default_factory=list)
    quality: SampleQuality | None = None
