"""Districts, institutions and what stands in them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Float, ForeignKey, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from server.tables.base import Base, Id, Json, enum_of


class InstitutionType(StrEnum):
    """``fixmedins_type`` of the platform."""

    HOSPITAL = "1"
    PHARMACY = "2"


class District(Base):
    """An administrative division that insures (``insuplc_admdvs``): six digits, the last pairs 00 for wider ones."""

    __tablename__ = "districts"

    code: Mapped[str] = mapped_column(String(6), primary_key=True)
    name: Mapped[str] = mapped_column(String(64))


class Institution(Base):
    """A designated institution (定点医药机构)."""

    __tablename__ = "institutions"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    fixmedins_code: Mapped[str] = mapped_column(String(64), unique=True)
    fixmedins_name: Mapped[str] = mapped_column(String(200))
    fixmedins_type: Mapped[InstitutionType] = mapped_column(enum_of(InstitutionType))
    district_code: Mapped[str] = mapped_column(ForeignKey("districts.code"))
    latitude: Mapped[float | None] = mapped_column(Float)
    longitude: Mapped[float | None] = mapped_column(Float)
    hours: Mapped[dict[str, Any]] = mapped_column(
        Json, default=dict, comment="weekday 1 to 7 to list of [open, close], local HH:MM; no key means not known"
    )
    closed_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    __table_args__ = (
        Index(None, "district_code"),
        CheckConstraint("latitude BETWEEN -90 AND 90", name="latitude"),
        CheckConstraint("longitude BETWEEN -180 AND 180", name="longitude"),
    )


class Device(Base):
    """A box. It is known from when an operator asks for its enrolment token; it may speak once it used that token."""

    __tablename__ = "devices"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    institution_id: Mapped[str] = mapped_column(ForeignKey("institutions.id"))
    label: Mapped[str] = mapped_column(String(64))
    enrol_token_digest: Mapped[str | None] = mapped_column(String(64), unique=True)
    enrol_token_until: Mapped[datetime | None]
    enrolled_at: Mapped[datetime | None]
    token_digest: Mapped[str | None] = mapped_column(String(64), unique=True)
    token_sealed: Mapped[bytes | None] = mapped_column(
        LargeBinary, comment="kept until first use, so that a lost answer can be given again"
    )
    revoked_at: Mapped[datetime | None]
    agent_version: Mapped[str | None] = mapped_column(String(40))
    last_seen_at: Mapped[datetime | None]
    clock_offset_s: Mapped[float | None] = mapped_column(Float, comment="box's clock minus the server's")
    outbox_waiting: Mapped[int | None]
    outbox_oldest_s: Mapped[float | None] = mapped_column(Float)
    created_at: Mapped[datetime]
    institution: Mapped[Institution] = relationship(lazy="joined")

    __table_args__ = (Index(None, "institution_id"),)


class DeviceKey(Base):
    """A key that a box signs or signed manifests with; kept for ever, or old clips could not be verified."""

    __tablename__ = "device_keys"

    key_id: Mapped[str] = mapped_column(String(64), primary_key=True, comment="sha256 of the raw public key")
    device_id: Mapped[str] = mapped_column(ForeignKey("devices.id"))
    public_key: Mapped[bytes] = mapped_column(LargeBinary(32))
    since: Mapped[datetime]
    until: Mapped[datetime | None]

    __table_args__ = (Index(None, "device_id"),)


class Camera(Base):
    """A camera as its box reports it, or as an operator entered it."""

    __tablename__ = "cameras"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    institution_id: Mapped[str] = mapped_column(ForeignKey("institutions.id"))
    camera_id: Mapped[str] = mapped_column(String(64), comment="as the box names it")
    device_id: Mapped[str | None] = mapped_column(ForeignKey("devices.id"))
    label: Mapped[str] = mapped_column(String(64), default="")
    state: Mapped[str | None] = mapped_column(String(20))
    recorded_from: Mapped[datetime | None]
    recorded_until: Mapped[datetime | None]
    fitness: Mapped[dict[str, Any] | None] = mapped_column(Json, comment="the last CameraFitness")

    __table_args__ = (UniqueConstraint("institution_id", "camera_id"),)


class Terminal(Base):
    """A terminal at which credentials are used."""

    __tablename__ = "terminals"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    institution_id: Mapped[str] = mapped_column(ForeignKey("institutions.id"))
    terminal_id: Mapped[str] = mapped_column(String(64))
    camera_id: Mapped[str | None] = mapped_column(ForeignKey("cameras.id"))

    __table_args__ = (UniqueConstraint("institution_id", "terminal_id"),)


class Bed(Base):
    """A bed of a ward, as the platform names it (``adm_bed``)."""

    __tablename__ = "beds"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    institution_id: Mapped[str] = mapped_column(ForeignKey("institutions.id"))
    ward: Mapped[str] = mapped_column(String(64))
    bed_id: Mapped[str] = mapped_column(String(64))
    camera_id: Mapped[str | None] = mapped_column(ForeignKey("cameras.id"))

    __table_args__ = (UniqueConstraint("institution_id", "bed_id"),)


class BoxReport(Base):
    """One report of a box as it came."""

    __tablename__ = "box_reports"

    device_id: Mapped[str] = mapped_column(ForeignKey("devices.id"), primary_key=True)
    report_id: Mapped[str] = mapped_column(String(128), primary_key=True)
    period_start: Mapped[datetime]
    period_end: Mapped[datetime]
    received_at: Mapped[datetime]
    body: Mapped[dict[str, Any]] = mapped_column(Json)

    __table_args__ = (
        Index(None, "device_id", "period_end"),
        Index(None, "device_id", "received_at"),
        Index(None, "received_at"),
    )


class Footfall(Base):
    """People at the counter of one camera in one hour."""

    __tablename__ = "footfall"

    institution_id: Mapped[str] = mapped_column(ForeignKey("institutions.id"), primary_key=True)
    camera_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    hour_start: Mapped[datetime] = mapped_column(primary_key=True)
    visits: Mapped[int]
    most_at_once: Mapped[int]
    looks: Mapped[int]


class SiteNotice(Base):
    """Something at a site that somebody should see to; open while ``ended_at`` is null, and open once only."""

    __tablename__ = "site_notices"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    institution_id: Mapped[str] = mapped_column(ForeignKey("institutions.id"))
    kind: Mapped[str] = mapped_column(String(40), comment="such as camera_unfit or box_quiet")
    object_id: Mapped[str] = mapped_column(String(64), comment="id of the device or camera")
    detail: Mapped[dict[str, Any]] = mapped_column(Json)
    began_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        Index(
            "uq_site_notices_open",
            "kind",
            "object_id",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index(None, "institution_id", "ended_at"),
    )
