"""Checks that the boxes sent, with their evidence."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Float, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from server.tables.base import Base, BigId, Id, Json
from server.tables.sites import Institution


class Check(Base):
    """One check of a swipe or a bed. ``body`` is the contract as the box sent it and never changes.

    ``verdict`` and ``decided`` differ from it where the server decided what the box could not.
    """

    __tablename__ = "checks"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    device_id: Mapped[str] = mapped_column(ForeignKey("devices.id"))
    delivery_id: Mapped[str] = mapped_column(String(128), comment="unique within a device")
    body_sha256: Mapped[str] = mapped_column(String(64), comment="of the delivery, to notice another under its id")
    kind: Mapped[str] = mapped_column(String(8), comment="swipe, bed or round")
    setl_id: Mapped[str | None] = mapped_column(String(64), comment="the swipe's, where it is one")
    institution_id: Mapped[str] = mapped_column(ForeignKey("institutions.id"))
    district_code: Mapped[str] = mapped_column(String(6), comment="of the institution, for scope")
    terminal_id: Mapped[str | None] = mapped_column(String(64))
    bed_id: Mapped[str | None] = mapped_column(String(64))
    camera_id: Mapped[str | None] = mapped_column(String(64))
    psn_no: Mapped[str | None] = mapped_column(String(64))
    happened_at: Mapped[datetime] = mapped_column(comment="swiped_at or asked_at")
    clock_offset_s: Mapped[float] = mapped_column(Float)
    verdict: Mapped[str] = mapped_column(String(24))
    reasons: Mapped[list[Any]] = mapped_column(Json)
    score: Mapped[float | None] = mapped_column(Float)
    body: Mapped[dict[str, Any]] = mapped_column(Json)
    decided: Mapped[dict[str, Any] | None] = mapped_column(Json, comment="the check as the server decided it")
    decided_at: Mapped[datetime | None] = mapped_column(comment="or last tried in vain, while verdict is pending")
    clip_due: Mapped[bool]
    finished_at: Mapped[datetime]
    received_at: Mapped[datetime]
    institution: Mapped[Institution] = relationship()

    __table_args__ = (
        UniqueConstraint("device_id", "delivery_id"),
        Index(None, "setl_id"),
        Index(None, "institution_id", "happened_at"),
        Index(None, "psn_no", "happened_at"),
        Index(None, "district_code", "happened_at"),
        Index(None, "verdict", "happened_at"),
        Index(None, "received_at"),
    )


class CheckPiece(Base):
    """A small file of a check, sealed in the object store."""

    __tablename__ = "check_pieces"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    check_id: Mapped[int] = mapped_column(ForeignKey("checks.id", ondelete="CASCADE"))
    path: Mapped[str] = mapped_column(String(200), comment="as the check names it")
    kind: Mapped[str] = mapped_column(String(16), comment="sample, still or sealed_samples")
    sha256: Mapped[str] = mapped_column(String(64), comment="of the plain bytes")
    size_bytes: Mapped[int]
    store_key: Mapped[str] = mapped_column(String(200), unique=True)

    __table_args__ = (UniqueConstraint("check_id", "path"),)


class Clip(Base):
    """The video of a check, in the object store, with the manifest its device signed."""

    __tablename__ = "clips"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    check_id: Mapped[int] = mapped_column(ForeignKey("checks.id"), unique=True)
    store_key: Mapped[str] = mapped_column(String(200), unique=True)
    sha256: Mapped[str] = mapped_column(String(64))
    size_bytes: Mapped[int] = mapped_column(BigId)
    manifest: Mapped[str] = mapped_column(Text, comment="the exact text that was signed")
    key_id: Mapped[str] = mapped_column(ForeignKey("device_keys.key_id"))
    signature: Mapped[str] = mapped_column(String(200))
    start: Mapped[datetime]
    end: Mapped[datetime]
    received_at: Mapped[datetime]
    check: Mapped[Check] = relationship()


class ClipUpload(Base):
    """An upload that runs or ended: whose it is, so that no device touches another's."""

    __tablename__ = "clip_uploads"

    id: Mapped[str] = mapped_column(String(64), primary_key=True, comment="the upload's id in its address")
    device_id: Mapped[str] = mapped_column(ForeignKey("devices.id"))
    delivery_id: Mapped[str] = mapped_column(String(128))
    begun_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]

    __table_args__ = (Index(None, "begun_at"),)
