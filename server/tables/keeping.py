"""What is kept longer, what was deleted, and whose turn a periodic job is."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from server.tables.base import Base, Id, Json


class LegalHold(Base):
    """Nothing under it is purged or erased while ``released_at`` is null."""

    __tablename__ = "legal_holds"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    object_kind: Mapped[str] = mapped_column(String(32), comment="check, person, institution or settlement")
    object_id: Mapped[str] = mapped_column(String(64), comment="the server's own id")
    district_code: Mapped[str | None] = mapped_column(String(6))
    why: Mapped[str] = mapped_column(String(300))
    placed_by: Mapped[str] = mapped_column(Id)
    placed_at: Mapped[datetime]
    released_by: Mapped[str | None] = mapped_column(Id)
    released_at: Mapped[datetime | None]

    __table_args__ = (Index(None, "object_kind", "object_id"),)


class DeletionCertificate(Base):
    """That something was deleted, how much and why; of whom only an index that the erased person's number gives."""

    __tablename__ = "deletion_certificates"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    kind: Mapped[str] = mapped_column(String(32), comment="erasure, or the kind of data whose time was over")
    subject_index: Mapped[str | None] = mapped_column(String(64), comment="blind index of psn_no, for an erasure")
    district_code: Mapped[str | None] = mapped_column(String(6))
    counts: Mapped[dict[str, Any]] = mapped_column(Json, comment="what was deleted to how many")
    why: Mapped[str] = mapped_column(String(300))
    made_by: Mapped[str] = mapped_column(String(64))
    made_at: Mapped[datetime]

    __table_args__ = (Index(None, "subject_index"), Index(None, "made_at"))


class JobLock(Base):
    """Lets one replica do a periodic job; the lease ends by itself when that replica dies."""

    __tablename__ = "job_locks"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    holder: Mapped[str] = mapped_column(String(64))
    until: Mapped[datetime]
    last_done_at: Mapped[datetime | None]
