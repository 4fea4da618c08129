"""Deciding what a box could not, because it had nobody to compare with.

A check is decided in a transaction of its own, soon after it came and again by a periodic job until that succeeds. The
sealed samples are deleted once it is decided, and so is every picture that the verdict gives no reason to keep, unless
a legal hold keeps the check.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from pydantic import TypeAdapter
from sqlalchemy.orm import Session

from renzheng.contracts import BedCheck, BedVerdict, IdentityCheck, PendingSamples, Reason, Verdict
from renzheng.crypto import Tampered
from renzheng.errors import BadInput
from server.audit_log.service import SYSTEM, Deed, record
from server.checks import pieces, repository
from server.context import Server
from server.keeping.repository import is_held
from server.people.references import references_for
from server.store import NoSuchObject
from server.tables import Check, CheckPiece
from vision.bed_pending import decide_pending_bed
from vision.pending import decide_pending, open_pending
from vision.people import References

log = logging.getLogger(__name__)

TRY_AGAIN_AFTER = timedelta(days=1)
"""Samples that could not be opened may be again when an old key is back in the ring."""

_BODY: TypeAdapter[IdentityCheck | BedCheck] = TypeAdapter(IdentityCheck | BedCheck)
_ACCUSES = (Verdict.MISMATCH.value, BedVerdict.SOMEONE_ELSE.value)
_FOUND = (Verdict.MATCH.value, Verdict.PROXY_MATCH.value, BedVerdict.PRESENT.value)


def decide_waiting(server: Server, limit: int, now: datetime | None = None) -> int:
    """Decide up to ``limit`` checks that wait; how many were. One that fails holds up no other."""
    with server.database.transaction(writes=False) as session:
        ids = repository.waiting(session, limit, (now or datetime.now(UTC)) - TRY_AGAIN_AFTER)
    return decide_these(server, ids)


def decide_these(server: Server, check_ids: list[int]) -> int:
    """Decide checks, as far as they still wait; how many were. Failures are logged and left to the next run."""
    decided = 0
    for check_id in check_ids:
        try:
            decided += decide_check(server, check_id)
        except Exception:
            log.exception("a pending check could not be decided: %s", check_id)
    return decided


def decide_check(server: Server, check_id: int) -> bool:
    """Decide one check; whether it was. Raises what database and store raise while they do not answer."""
    with server.database.transaction(writes=False) as session:
        row = repository.one_waiting(session, check_id)
        if row is None:
            return False
        asked = _BODY.validate_python(row.body)
        sealed = next((p for p in repository.pieces_of(session, check_id) if p.kind == pieces.SEALED_SAMPLES), None)
    why, pending = "", None
    try:
        pending = None if sealed is None else _opened(server, asked, pieces.read(server, sealed))
    except (NoSuchObject, pieces.PieceDamaged, Tampered) as error:
        why = str(error)
    with server.database.transaction() as session:
        row = repository.one_waiting(session, check_id, locked=True)
        if row is None:
            return False
        final = None
        try:
            final = None if why else _decided(session, server, row, asked, pending)
        except (BadInput, ValueError, LookupError) as error:  # what a box sent that no box of ours sends
            why = type(error).__name__
        unwanted = _leave(row, why) if final is None else _settle(session, row, final)
    pieces.forget(server, unwanted)
    return final is not None


def _opened(server: Server, check: IdentityCheck | BedCheck, sealed: bytes) -> PendingSamples:
    """With whichever key of the ring opens it. Raises :class:`Tampered`."""
    own_id = check.swipe_id if isinstance(check, IdentityCheck) else check.check_id
    for key in server.keys.receiving_keys:
        try:
            return open_pending(key, sealed, own_id)
        except Tampered:
            continue
    raise Tampered("the sealed samples cannot be opened with any key of the ring")


def _decided(
    session: Session, server: Server, row: Check, check: IdentityCheck | BedCheck, pending: PendingSamples | None
) -> IdentityCheck | BedCheck:
    """Without samples nothing can be said any more, and the reasons say why. Raises :class:`BadInput`."""
    if pending is None:
        unsaid = Verdict.NOT_ASSESSABLE if isinstance(check, IdentityCheck) else BedVerdict.NOT_ASSESSABLE
        return check.model_copy(update={"verdict": unsaid, "sealed_samples": None})
    at = check.swiped_at if isinstance(check, IdentityCheck) else check.asked_at
    known = references_for(session, server, check.psn_no or "", at, check.pack.embedder_sha256, row.institution_id)
    final = _compared(check, pending, known)
    if known.stale and final.verdict.value in _ACCUSES:
        final = _compared(*_with_doubt(check, pending, Reason.STAFF_OR_CUSTOMER_UNCLEAR), known)
    if final.verdict.value == Verdict.PENDING_REFERENCE.value:
        raise BadInput("nobody could be asked")
    return final.model_copy(update={"still": None}) if final.verdict.value in _FOUND else final


def _compared(check: IdentityCheck | BedCheck, pending: PendingSamples, known: References) -> IdentityCheck | BedCheck:
    if isinstance(check, IdentityCheck):
        return decide_pending(check, pending, known)
    return decide_pending_bed(check, pending, known)


def _with_doubt(
    check: IdentityCheck | BedCheck, pending: PendingSamples, doubt: Reason
) -> tuple[IdentityCheck | BedCheck, PendingSamples]:
    """The same where nobody may be accused, because of that."""
    coverage = check.coverage.model_copy(update={"picture_faults": (*check.coverage.picture_faults, doubt)})
    doubted = pending.model_copy(update={"known_faults": (*pending.known_faults, doubt)})
    return check.model_copy(update={"coverage": coverage}), doubted


def _settle(session: Session, row: Check, final: IdentityCheck | BedCheck) -> list[str]:
    """Keep the decision; keys of the objects that are no longer wanted."""
    row.decided = final.model_dump(mode="json")
    row.decided_at = datetime.now(UTC)
    row.verdict, row.score = final.verdict.value, final.score
    row.reasons = [reason.value for reason in final.reasons]
    named = pieces.kinds_of(final)
    unwanted: list[CheckPiece] = [p for p in repository.pieces_of(session, row.id) if p.path not in named]
    if is_held(session, row.id):
        unwanted = []  # until the check's time is over
    repository.remove_pieces(session, [piece.id for piece in unwanted])
    told = {"verdict": row.verdict, "pictures_deleted": sum(p.kind != pieces.SEALED_SAMPLES for p in unwanted)}
    record(session, Deed(SYSTEM, "decided", "check", str(row.id), district_code=row.district_code, detail=told))
    return [piece.store_key for piece in unwanted]


def _leave(row: Check, why: str) -> list[str]:
    """Note the vain try, so that it is tried again tomorrow and not before; nothing is deleted."""
    log.warning("a pending check cannot be decided: %s: %s", row.id, why)
    row.decided_at = datetime.now(UTC)
    return []
