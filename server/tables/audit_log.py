"""The audit log: who did what to whom and for which purpose, each entry chained to the one before."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from server.tables.append_only import HEAD_TRIGGERS, TRIGGERS, guard
from server.tables.base import Base, BigId, Json


class AuditEntry(Base):
    """One entry. Nothing in it names a person: objects are told by the server's own ids, which erasure leaves empty."""

    __tablename__ = "audit_log"

    number: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor_kind: Mapped[str] = mapped_column(String(16))
    actor_id: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(64))
    object_kind: Mapped[str] = mapped_column(String(32))
    object_id: Mapped[str] = mapped_column(String(128))
    purpose: Mapped[str] = mapped_column(String(200))
    district_code: Mapped[str | None] = mapped_column(String(6))
    detail: Mapped[dict[str, Any]] = mapped_column(Json)
    previous_digest: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64))

    __table_args__ = (Index(None, "at"), Index(None, "object_kind", "object_id"), Index(None, "actor_id", "at"))


class AuditHead(Base):
    """The one row that says where the chain ends; writers take turns by locking it."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(BigId)
    digest: Mapped[str] = mapped_column(String(64))


guard(AuditEntry.__table__, TRIGGERS)
guard(AuditHead.__table__, HEAD_TRIGGERS)
