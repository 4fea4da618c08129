"""SQL over what is held, what is over its time, and what was deleted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, String, and_, cast, delete, func, or_, select, update
from sqlalchemy.orm import Session

from renzheng.contracts.reasons import FLAGGED, FLAGGED_BEDS
from server.access import Subject, within
from server.tables import (
    BoxReport,
    Check,
    CheckPiece,
    Clip,
    DeletionCertificate,
    Institution,
    InsuredPerson,
    LegalHold,
    LoginSession,
    Pairing,
    Settlement,
    UnjoinedReason,
)

_FLAGGED_VERDICTS = sorted({verdict.value for verdict in (*FLAGGED, *FLAGGED_BEDS)})


def district_of(session: Session, subject: Subject, kind: str, object_id: str) -> tuple[str | None] | None:
    """The district of something that may be held, in a tuple; ``None`` when the subject sees no such thing."""
    number = int(object_id) if object_id.isdecimal() and len(object_id) < 19 else -1
    statements: dict[str, tuple[Any, Any, Any]] = {
        "check": (Check.district_code, Check.id, number),
        "settlement": (Settlement.district_code, Settlement.id, number),
        "person": (InsuredPerson.district_code, InsuredPerson.id, object_id),
        "institution": (Institution.district_code, Institution.id, object_id),
    }
    district, column, value = statements[kind]
    row = session.execute(within(select(district).where(column == value), district, subject)).one_or_none()
    return None if row is None else (row[0],)


def one_hold(session: Session, subject: Subject, hold_id: str) -> LegalHold | None:
    """A hold of the subject's district, locked until the transaction ends."""
    statement = within(select(LegalHold).where(LegalHold.id == hold_id), LegalHold.district_code, subject)
    return session.scalars(statement.with_for_update()).one_or_none()


def page_of_holds(session: Session, subject: Subject, in_force: bool, after: str, limit: int) -> Sequence[LegalHold]:
    """Holds of the subject's district after an id, in the order they were placed."""
    statement = within(select(LegalHold).where(LegalHold.id > after), LegalHold.district_code, subject)
    if in_force:
        statement = statement.where(LegalHold.released_at.is_(None))
    return session.scalars(statement.order_by(LegalHold.id).limit(limit)).all()


def page_of_certificates(session: Session, subject: Subject, after: str, limit: int) -> Sequence[DeletionCertificate]:
    """Certificates of the subject's district after an id, in the order they were made."""
    statement = select(DeletionCertificate).where(DeletionCertificate.id > after)
    statement = within(statement, DeletionCertificate.district_code, subject)
    return session.scalars(statement.order_by(DeletionCertificate.id).limit(limit)).all()


def _held() -> ColumnElement[bool]:
    """Whether a check is under a hold: itself, its institution, its person, or the settlement it is joined with."""
    person = select(InsuredPerson.id).where(InsuredPerson.psn_no == Check.psn_no).correlate(Check)
    settlement = select(cast(Pairing.settlement_id, String)).where(Pairing.check_id == Check.id).correlate(Check)
    held = {
        "check": LegalHold.object_id == cast(Check.id, String),
        "institution": LegalHold.object_id == Check.institution_id,
        "person": LegalHold.object_id.in_(person),
        "settlement": LegalHold.object_id.in_(settlement),
    }
    of_it = or_(*(and_(LegalHold.object_kind == kind, which) for kind, which in held.items()))
    return select(LegalHold.id).where(LegalHold.released_at.is_(None), of_it).correlate(Check).exists()


def is_held(session: Session, check_id: int) -> bool:
    """Whether a check is under a hold."""
    return session.scalar(select(Check.id).where(Check.id == check_id, _held())) is not None


def _over(flagged: bool, before: datetime) -> ColumnElement[bool]:
    verdict = Check.verdict.in_(_FLAGGED_VERDICTS)
    return and_(Check.received_at < before, verdict if flagged else ~verdict, ~_held())


def checks_over(session: Session, *, flagged: bool, before: datetime, limit: int) -> list[int]:
    """Checks that arrived before a moment and that nothing holds, locked: meanwhile none is flagged or gets a clip."""
    statement = select(Check.id).where(_over(flagged, before)).order_by(Check.received_at).limit(limit)
    return list(session.scalars(statement.with_for_update(of=Check)))


def count_checks_over(session: Session, *, flagged: bool, before: datetime) -> int:
    """How many :func:`checks_over` would give."""
    return session.scalars(select(func.count()).select_from(Check).where(_over(flagged, before))).one()


def objects_of(session: Session, check_ids: Sequence[int]) -> tuple[list[str], list[str]]:
    """Keys in the store of the pieces and of the clips of some checks."""
    pieces = session.scalars(select(CheckPiece.store_key).where(CheckPiece.check_id.in_(check_ids)))
    clips = session.scalars(select(Clip.store_key).where(Clip.check_id.in_(check_ids)))
    return list(pieces), list(clips)


def delete_checks(session: Session, check_ids: Sequence[int]) -> None:
    """Delete checks with all that hangs on them; their settlements say that the check's time was over."""
    joined = select(Pairing.settlement_id).where(Pairing.check_id.in_(check_ids))
    expired = update(Settlement).where(Settlement.id.in_(joined)).values(unjoined_reason=UnjoinedReason.CHECK_EXPIRED)
    for statement in (
        expired,
        delete(Clip).where(Clip.check_id.in_(check_ids)),
        delete(Check).where(Check.id.in_(check_ids)),
    ):
        session.execute(statement, execution_options={"synchronize_session": False})


def count_reports(session: Session, before: datetime) -> int:
    """Reports that arrived before a moment."""
    return session.scalars(select(func.count()).select_from(BoxReport).where(BoxReport.received_at < before)).one()


def delete_reports(session: Session, before: datetime, limit: int) -> int:
    """Delete so many reports that arrived before a moment; how many were."""
    found = select(BoxReport.device_id, BoxReport.report_id).where(BoxReport.received_at < before).limit(limit)
    keys = [(row.device_id, row.report_id) for row in session.execute(found)]
    for device_id in {device for device, _ in keys}:
        ids = [report for device, report in keys if device == device_id]
        session.execute(
            delete(BoxReport).where(BoxReport.device_id == device_id, BoxReport.report_id.in_(ids)),
            execution_options={"synchronize_session": False},
        )
    return len(keys)


def count_sessions(session: Session, before: datetime) -> int:
    """Logins that ended before a moment."""
    ended = LoginSession.expires_at < before
    return session.scalars(select(func.count()).select_from(LoginSession).where(ended)).one()


def delete_sessions(session: Session, before: datetime) -> None:
    """Delete the logins that ended before a moment."""
    session.execute(
        delete(LoginSession).where(LoginSession.expires_at < before), execution_options={"synchronize_session": False}
    )
