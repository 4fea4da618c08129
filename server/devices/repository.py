"""Devices and their keys in the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from server.access import Subject
from server.sites import repository as sites
from server.tables import Camera, Device, DeviceKey


def page_of_devices(
    session: Session, subject: Subject, institution_id: str | None, after: str, limit: int
) -> Sequence[Device]:
    """Devices that the subject sees, after an id, in the order of ids."""
    found = sites.seen(Device, subject).where(Device.id > after)
    if institution_id is not None:
        found = found.where(Device.institution_id == institution_id)
    return session.scalars(found.order_by(Device.id).limit(limit)).all()


def device_of_enrolment_token(session: Session, digest: str) -> Device | None:
    """The device that an enrolment token was made for, locked until the transaction ends."""
    return session.scalar(_locked(select(Device).where(Device.enrol_token_digest == digest)))


def keys_of(session: Session, device_id: str) -> Sequence[DeviceKey]:
    """Every key of a device, the oldest first."""
    found = select(DeviceKey).where(DeviceKey.device_id == device_id)
    return session.scalars(found.order_by(DeviceKey.since, DeviceKey.key_id)).all()


def key_of_id(session: Session, key_id: str) -> DeviceKey | None:
    """The key of an id, whosever it is."""
    return session.get(DeviceKey, key_id)


def end_keys(session: Session, device_id: str, now: datetime) -> None:
    """The keys a device signs with now are its former ones."""
    current = (DeviceKey.device_id == device_id) & DeviceKey.until.is_(None)
    session.execute(update(DeviceKey).where(current).values(until=now))


def ids_of_cameras(session: Session, device_id: str) -> list[str]:
    """The server's ids of the cameras of a device."""
    return list(session.scalars(select(Camera.id).where(Camera.device_id == device_id)))


def _locked(found: Select[Device]) -> Select[Device]:
    return found.with_for_update(of=Device).execution_options(populate_existing=True)
