"""Enrolment of many at once: the order, and what became of each of its rows."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from server.tables.base import Base, Id, Json, enum_of


class BulkState(StrEnum):
    """Where an order stands; one that was cut off is taken up again where it stood."""

    RUNNING = "running"
    DONE = "done"


class BulkEnrolment(Base):
    """One table with its photos, told apart by the digest of both."""

    __tablename__ = "bulk_enrolments"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), comment="of table, photos, pack and district", unique=True)
    dry_run: Mapped[bool]
    state: Mapped[BulkState] = mapped_column(enum_of(BulkState))
    rows: Mapped[int]
    photos_unused: Mapped[int] = mapped_column(comment="photos that are named after nobody of the table")
    district_code: Mapped[str | None] = mapped_column(String(6), comment="of who ordered it, for scope")
    lease_holder: Mapped[str | None] = mapped_column(Id, comment="whoever works on it")
    lease_until: Mapped[datetime | None]
    started_by: Mapped[str] = mapped_column(Id)
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]

    __table_args__ = (Index(None, "district_code"),)


class BulkRow(Base):
    """What became of one row. It names the person by the server's id alone."""

    __tablename__ = "bulk_rows"

    bulk_id: Mapped[str] = mapped_column(ForeignKey("bulk_enrolments.id", ondelete="CASCADE"), primary_key=True)
    row: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="line of the table, from 2 on")
    outcome: Mapped[str] = mapped_column(String(20), comment="enrolled, updated, unchanged, refused")
    person_id: Mapped[str | None] = mapped_column(Id)
    photos_taken: Mapped[int]
    problems: Mapped[list[Any]] = mapped_column(Json, comment="field, reason code and both languages of each problem")
