"""SQL over clips and their uploads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from server.access import Subject, within
from server.tables import Check, Clip, ClipUpload, DeviceKey


def check_of(session: Session, device_id: str, delivery_id: str, *, locked: bool = False) -> Check | None:
    """The check that a device delivered under that id; locked, it is neither purged nor erased in the meantime."""
    statement = select(Check).where(Check.device_id == device_id, Check.delivery_id == delivery_id)
    return session.scalars(statement.with_for_update(of=Check) if locked else statement).one_or_none()


def clip_of(session: Session, check_id: int) -> Clip | None:
    """The clip of a check."""
    return session.scalars(select(Clip).where(Clip.check_id == check_id)).one_or_none()


def key_of(session: Session, device_id: str, key_id: str) -> DeviceKey | None:
    """A key that a device signs with, or did: what it signed then stays signed."""
    statement = select(DeviceKey).where(DeviceKey.device_id == device_id, DeviceKey.key_id == key_id)
    return session.scalars(statement).one_or_none()


def upload_of(session: Session, device_id: str, upload_id: str, *, locked: bool = False) -> ClipUpload | None:
    """An upload of that device."""
    statement = select(ClipUpload).where(ClipUpload.id == upload_id, ClipUpload.device_id == device_id)
    return session.scalars(statement.with_for_update() if locked else statement).one_or_none()


def running_of(session: Session, device_id: str) -> int:
    """How many uploads a device has begun and not finished."""
    unfinished = ClipUpload.device_id == device_id, ClipUpload.finished_at.is_(None)
    return session.scalars(select(func.count()).select_from(ClipUpload).where(*unfinished)).one()


def unfinished_of_check(session: Session, device_id: str, delivery_id: str) -> list[ClipUpload]:
    """Uploads of the same clip that were begun before."""
    statement = select(ClipUpload).where(
        ClipUpload.device_id == device_id, ClipUpload.delivery_id == delivery_id, ClipUpload.finished_at.is_(None)
    )
    return list(session.scalars(statement))


def stale(session: Session, begun_before: datetime, limit: int) -> list[ClipUpload]:
    """Uploads that began so long ago that nobody goes on with them or asks again."""
    statement = select(ClipUpload).where(ClipUpload.begun_at < begun_before).order_by(ClipUpload.begun_at)
    return list(session.scalars(statement.limit(limit)))


def lock_uploads(session: Session, upload_ids: Sequence[str]) -> None:
    """Wait until nobody else changes these uploads."""
    session.scalars(select(ClipUpload.id).where(ClipUpload.id.in_(upload_ids)).with_for_update()).all()


def remove_uploads(session: Session, upload_ids: Sequence[str]) -> None:
    """Forget uploads; their files are the caller's to delete."""
    session.execute(delete(ClipUpload).where(ClipUpload.id.in_(upload_ids)))


def known_uploads(session: Session, upload_ids: Sequence[str]) -> set[str]:
    """Those of the ids that are uploads."""
    return set(session.scalars(select(ClipUpload.id).where(ClipUpload.id.in_(upload_ids))))


def add_clip(session: Session, row: dict[str, Any]) -> bool:
    """Insert a clip; false when its check has one."""
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    statement = dialect.insert(Clip.__table__).on_conflict_do_nothing(index_elements=["check_id"]).returning(Clip.id)
    return session.execute(statement, row).first() is not None


def in_store(session: Session, store_keys: Sequence[str]) -> set[str]:
    """Those of the keys under which a clip lies."""
    return set(session.scalars(select(Clip.store_key).where(Clip.store_key.in_(store_keys))))


def visible(session: Session, subject: Subject, clip_id: str) -> tuple[Clip, Check, DeviceKey] | None:
    """A clip that somebody may see, with its check and the key that signed it."""
    statement = within(
        select(Clip, Check, DeviceKey)
        .join(Check, Check.id == Clip.check_id)
        .join(DeviceKey, DeviceKey.key_id == Clip.key_id),
        Check.district_code,
        subject,
    )
    row = session.execute(statement.where(Clip.id == clip_id)).one_or_none()
    return None if row is None else (row[0], row[1], row[2])
