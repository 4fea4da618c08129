"""Legal holds, and the certificates of what was deleted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from sqlalchemy.orm import Session

from renzheng.ids import new_id
from server.access import Subject
from server.audit_log.service import Deed, record
from server.errors import Conflict, NotFound
from server.keeping import repository
from server.keeping.messages import CertificateAnswer, HoldAnswer, NewHold
from server.keeping.turns import take_turn
from server.tables import LegalHold

PURGE_TURN: Final = "purge step"
"""Placing a hold and deleting take turns, so that nothing is deleted that is being held."""


def place_hold(session: Session, subject: Subject, wanted: NewHold) -> HoldAnswer:
    """Have something kept. Raises :class:`NotFound` for what the subject does not see.

    One thing may be under several holds; it is kept until all are released.
    """
    take_turn(session, PURGE_TURN)
    found = repository.district_of(session, subject, wanted.object_kind, wanted.object_id)
    if found is None:
        raise NotFound(f"there is no such {wanted.object_kind} in your district")
    hold = LegalHold(
        id=new_id(),
        object_kind=wanted.object_kind,
        object_id=wanted.object_id,
        district_code=found[0],
        why=wanted.why,
        placed_by=subject.user_id,
        placed_at=datetime.now(UTC),
    )
    session.add(hold)
    session.flush()
    _record(session, subject, "hold_placed", hold)
    return HoldAnswer.model_validate(hold)


def release_hold(session: Session, subject: Subject, hold_id: str) -> HoldAnswer:
    """End a hold. Raises :class:`NotFound`, and :class:`Conflict` when it was released already."""
    hold = repository.one_hold(session, subject, hold_id)
    if hold is None:
        raise NotFound("there is no such hold in your district")
    if hold.released_at is not None:
        raise Conflict("this hold was released already")
    hold.released_by, hold.released_at = subject.user_id, datetime.now(UTC)
    session.flush()
    _record(session, subject, "hold_released", hold)
    return HoldAnswer.model_validate(hold)


def _record(session: Session, subject: Subject, action: str, hold: LegalHold) -> None:
    detail = {"object_kind": hold.object_kind, "object_id": hold.object_id}
    record(session, Deed(subject.actor, action, "hold", hold.id, hold.why[:200], hold.district_code, detail))


def list_holds(session: Session, subject: Subject, in_force: bool, after: str, limit: int) -> list[HoldAnswer]:
    """Holds of the subject's district."""
    return [
        HoldAnswer.model_validate(one) for one in repository.page_of_holds(session, subject, in_force, after, limit)
    ]


def list_certificates(session: Session, subject: Subject, after: str, limit: int) -> list[CertificateAnswer]:
    """Certificates of the subject's district; what the server deletes by itself belongs to none."""
    found: Sequence[object] = repository.page_of_certificates(session, subject, after, limit)
    return [CertificateAnswer.model_validate(one) for one in found]
