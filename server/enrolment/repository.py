"""The SQL of bulk enrolment and re-enrolment."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import cast

from sqlalchemy import CursorResult, Select, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session

from server.access import Subject, within
from server.tables import BulkEnrolment, BulkRow, DeletionCertificate, EnrolmentPhoto, FaceTemplate


def seen_by(subject: Subject) -> Select[BulkEnrolment]:
    """The orders of the subject's district."""
    return within(select(BulkEnrolment), BulkEnrolment.district_code, subject)


def orders_after(session: Session, subject: Subject, after: str | None, limit: int) -> Sequence[BulkEnrolment]:
    """Orders by id, newest first; ids sort by time."""
    statement = seen_by(subject).order_by(BulkEnrolment.id.desc()).limit(limit)
    return session.scalars(statement.where(BulkEnrolment.id < after) if after else statement).all()


def order_seen(session: Session, subject: Subject, order_id: str) -> BulkEnrolment | None:
    """One order, if the subject may see it."""
    return session.scalar(seen_by(subject).where(BulkEnrolment.id == order_id))


def order_of_digest(session: Session, digest: str) -> BulkEnrolment | None:
    """The order for these files."""
    return session.scalar(select(BulkEnrolment).where(BulkEnrolment.digest == digest))


def outcomes_of(session: Session, order_ids: Collection[str]) -> dict[str, dict[str, int]]:
    """Of each order how many rows had which outcome."""
    counted = (
        select(BulkRow.bulk_id, BulkRow.outcome, func.count())
        .where(BulkRow.bulk_id.in_(order_ids))
        .group_by(BulkRow.bulk_id, BulkRow.outcome)
    )
    found: dict[str, dict[str, int]] = {order_id: {} for order_id in order_ids}
    for order_id, outcome, count in session.execute(counted):
        found[order_id][outcome] = count
    return found


def rows_after(
    session: Session, order_id: str, after: int, limit: int, outcome: str | None = None
) -> Sequence[BulkRow]:
    """Rows of an order past a line, in the order of the table."""
    statement = select(BulkRow).where(BulkRow.bulk_id == order_id, BulkRow.row > after)
    if outcome is not None:
        statement = statement.where(BulkRow.outcome == outcome)
    return session.scalars(statement.order_by(BulkRow.row).limit(limit)).all()


def lines_done(session: Session, order_id: str) -> set[int]:
    """Lines of the table that have an outcome."""
    return set(session.scalars(select(BulkRow.row).where(BulkRow.bulk_id == order_id)))


def forget_rows(session: Session, order_id: str, outcome: str | None = None) -> None:
    """Have rows done again: those of one outcome, or all."""
    statement = delete(BulkRow).where(BulkRow.bulk_id == order_id)
    session.execute(statement if outcome is None else statement.where(BulkRow.outcome == outcome))


def take_lease(session: Session, order_id: str, holder: str, now: datetime, until: datetime) -> bool:
    """Take or lengthen the lease on an order; ``False`` when somebody else holds it."""
    free = or_(
        BulkEnrolment.lease_holder == holder, BulkEnrolment.lease_until.is_(None), BulkEnrolment.lease_until <= now
    )
    done = session.execute(
        update(BulkEnrolment)
        .where(BulkEnrolment.id == order_id, free)
        .values(lease_holder=holder, lease_until=until)
        .execution_options(synchronize_session=False)
    )
    return cast("CursorResult[None]", done).rowcount == 1


def end_lease(session: Session, order_id: str, holder: str) -> None:
    """Give an order back."""
    session.execute(
        update(BulkEnrolment)
        .where(BulkEnrolment.id == order_id, BulkEnrolment.lease_holder == holder)
        .values(lease_holder=None, lease_until=None)
        .execution_options(synchronize_session=False)
    )


def erased_at(session: Session, subject_index: str) -> datetime | None:
    """When whoever had this number was last erased."""
    return session.scalar(
        select(func.max(DeletionCertificate.made_at)).where(
            DeletionCertificate.kind == "erasure", DeletionCertificate.subject_index == subject_index
        )
    )


def _to_do(embedder_sha256: str) -> Select[EnrolmentPhoto]:
    """Photos whose template of another embedder is in use and that have none of this one.

    A photo whose template was revoked stays out: whoever withdrew did so for every embedder.
    """
    own = FaceTemplate.photo_id == EnrolmentPhoto.id
    other, this = FaceTemplate.embedder_sha256 != embedder_sha256, FaceTemplate.embedder_sha256 == embedder_sha256
    in_use = exists().where(own, other, FaceTemplate.revoked_at.is_(None))
    return select(EnrolmentPhoto).where(in_use, ~exists().where(own, this))


def photos_to_do(session: Session, embedder_sha256: str, after: str, limit: int) -> Sequence[EnrolmentPhoto]:
    """Some of the photos that are to have a template of an embedder, by id."""
    found = _to_do(embedder_sha256).where(EnrolmentPhoto.id > after).order_by(EnrolmentPhoto.id).limit(limit)
    return session.scalars(found).all()


def count_of_photos_to_do(session: Session, embedder_sha256: str) -> int:
    """How many photos are to have one."""
    return session.scalar(select(func.count()).select_from(_to_do(embedder_sha256).subquery())) or 0


def is_to_do(session: Session, photo_id: str, embedder_sha256: str) -> bool:
    """Whether a photo still is to have one: it may have been revoked or erased while its face was looked for."""
    return session.scalar(_to_do(embedder_sha256).where(EnrolmentPhoto.id == photo_id)) is not None


def left_behind(session: Session, embedder_sha256: str) -> Sequence[str]:
    """Ids of persons and staff with templates in use, none of which is of this embedder."""
    owner = func.coalesce(FaceTemplate.person_id, FaceTemplate.staff_id)
    new = select(owner).where(FaceTemplate.revoked_at.is_(None), FaceTemplate.embedder_sha256 == embedder_sha256)
    old = select(owner).where(FaceTemplate.revoked_at.is_(None), FaceTemplate.embedder_sha256 != embedder_sha256)
    return sorted(session.scalars(old.except_(new)))


def retire_others(session: Session, embedder_sha256: str, now: datetime) -> int:
    """Revoke every template of another embedder; how many they were."""
    done = session.execute(
        update(FaceTemplate)
        .where(FaceTemplate.revoked_at.is_(None), FaceTemplate.embedder_sha256 != embedder_sha256)
        .values(revoked_at=now)
        .execution_options(synchronize_session=False)
    )
    return cast("CursorResult[None]", done).rowcount
