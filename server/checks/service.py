"""What people may see of checks."""

from __future__ import annotations

from sqlalchemy.orm import Session

from server.access import Subject
from server.audit_log.service import Deed, record
from server.checks import pieces, repository
from server.checks.messages import CheckList, CheckShown, CheckSummary, ClipShown, PieceShown
from server.checks.repository import CheckFilter
from server.context import Server
from server.errors import NotFound
from server.tables import Check, CheckPiece, Clip

_SUMMARY = tuple(CheckSummary.model_fields)
_NO_CHECK = "there is no such check"


def list_checks(session: Session, subject: Subject, wanted: CheckFilter, after: int | None, limit: int) -> CheckList:
    """A page of what the subject sees, those that arrived last first."""
    found = repository.listed(session, subject, wanted, after, limit + 1)
    more = len(found) > limit
    shown = [CheckSummary(**_summary(check)) for check in found[:limit]]
    return CheckList(checks=shown, next_after=shown[-1].id if more else None)


def psn_no_of(session: Session, subject: Subject, person_id: str) -> str:
    """The number that the checks of a person bear. Raises :class:`NotFound`."""
    psn_no = repository.psn_no_of(session, subject, person_id)
    if psn_no is None:
        raise NotFound("there is no such person", "person_id")
    return psn_no


def show_check(session: Session, subject: Subject, check_id: int) -> CheckShown:
    """One check, without its pictures. Raises :class:`NotFound`."""
    check = _visible(session, subject, check_id)
    clip = repository.clip_of(session, check_id)
    files = [piece for piece in repository.pieces_of(session, check_id) if piece.kind != pieces.SEALED_SAMPLES]
    return CheckShown(
        **_summary(check),
        device_id=check.device_id,
        body=check.body,
        decided=check.decided,
        decided_at=check.decided_at if check.decided is not None else None,
        clip_due=check.clip_due,
        clip=None if clip is None else _clip_shown(clip),
        pieces=[_piece_shown(piece) for piece in files],
    )


def look_at_piece(
    session: Session, server: Server, subject: Subject, check_id: int, piece_id: str, purpose: str
) -> bytes:
    """A picture of a check, logged. Sealed samples are shown to nobody. Raises :class:`NotFound`."""
    check = _visible(session, subject, check_id)
    found = [piece for piece in repository.pieces_of(session, check_id) if piece.id == piece_id]
    if not found or found[0].kind == pieces.SEALED_SAMPLES:
        raise NotFound("there is no such picture")
    told = {"kind": found[0].kind}
    record(
        session,
        Deed(subject.actor, "looked_at_picture", "check", str(check.id), purpose, check.district_code, told),
    )
    return pieces.read(server, found[0])


def _visible(session: Session, subject: Subject, check_id: int) -> Check:
    check = repository.one(session, subject, check_id)
    if check is None:
        raise NotFound(_NO_CHECK)
    return check


def _summary(check: Check) -> dict[str, object]:
    return {name: getattr(check, name) for name in _SUMMARY}


def _piece_shown(piece: CheckPiece) -> PieceShown:
    return PieceShown(id=piece.id, path=piece.path, kind=piece.kind, sha256=piece.sha256, size_bytes=piece.size_bytes)


def _clip_shown(clip: Clip) -> ClipShown:
    return ClipShown(
        id=clip.id,
        sha256=clip.sha256,
        size_bytes=clip.size_bytes,
        start=clip.start,
        end=clip.end,
        key_id=clip.key_id,
        received_at=clip.received_at,
    )
