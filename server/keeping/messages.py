"""What the routes of this room take and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from renzheng.contracts.base import Contract

Why = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300, pattern=r"^[^\x00]*$")]
ObjectId = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")]
HeldKind = Literal["check", "person", "institution", "settlement"]


class NewHold(Contract):
    """What is to be kept, whatever its time, until the hold is released."""

    object_kind: HeldKind
    object_id: ObjectId = Field(description="the server's own id of it")
    why: Why = Field(description="such as the number of a case; no names")


class HoldAnswer(BaseModel):
    """A legal hold."""

    model_config = ConfigDict(frozen=True, extra="forbid", from_attributes=True)

    id: str
    object_kind: HeldKind
    object_id: str
    district_code: str | None
    why: str
    placed_by: str
    placed_at: datetime
    released_by: str | None
    released_at: datetime | None


class CertificateAnswer(BaseModel):
    """That something was deleted, how much of it, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid", from_attributes=True)

    id: str
    kind: str = Field(description="erasure, or the kind of data whose time was over")
    district_code: str | None
    counts: dict[str, int]
    why: str
    made_by: str
    made_at: datetime


class HoldPage(Contract):
    """Holds in the order they were placed."""

    holds: list[HoldAnswer]


class CertificatePage(Contract):
    """Certificates in the order they were made."""

    certificates: list[CertificateAnswer]
