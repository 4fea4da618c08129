"""Taking what boxes deliver: each thing once, whole or not at all.

A delivery is a job with its own transactions, not one request's: objects are stored between them, so that a slow store
holds no lock of the database.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from renzheng.contracts import AgentReport, BedCheck, DeliveryAnswer, IdentityCheck, RefusedDelivery, Verdict
from server.access import BoxSubject
from server.audit_log.service import Deed, record
from server.checks import pieces, repository
from server.checks.batch import ReceivedBatch, ReceivedCheck
from server.checks.pieces import KeptPiece
from server.context import Server
from server.errors import Unacceptable, Unavailable
from server.join.service import checks_were_added
from server.sites.reports import note_seen, take_report

log = logging.getLogger(__name__)

NAME_MAX = 64
NOTE_SEEN_EVERY = timedelta(minutes=1)
ANOTHER = "another check was taken under this id"


@dataclass
class Outcome:
    """What became of a batch."""

    accepted: dict[str, None] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    waiting: list[int] = field(default_factory=list)

    def answer(self) -> DeliveryAnswer:
        """For the box; what was both taken and refused under one id was taken."""
        refused = [RefusedDelivery(delivery_id=i, why=why) for i, why in self.refused.items() if i not in self.accepted]
        return DeliveryAnswer(accepted=tuple(self.accepted), refused=tuple(refused))


def deliver(server: Server, box: BoxSubject, batch: ReceivedBatch, now: datetime) -> Outcome:
    """Keep what a box sent. ``waiting`` of the outcome are new checks that the server has to decide.

    Raises :class:`Unacceptable` for the batch of another box; :class:`Unavailable` and :class:`StorageFull` when
    nothing of it was kept.
    """
    if batch.device_id != box.device_id:
        raise Unacceptable("expected the id of the box whose token this is", "device_id")
    outcome = Outcome(refused=dict(batch.unfit))
    fit = _fit(batch.checks, box, outcome)
    with server.database.transaction(writes=False) as session:
        known = repository.digests(session, box.device_id, list(fit))
        for delivery_id, digest in known.items():
            _compare(session, box, outcome, fit[delivery_id], digest)
    new = {}
    for delivery_id, received in fit.items():
        if delivery_id in known:
            continue
        if why := pieces.why_unfit(received.delivery):
            outcome.refused[delivery_id] = why
        else:
            new[delivery_id] = received
    if new or batch.reports:
        _take(server, box, new, batch.reports, outcome, now)
    return outcome


def _fit(checks: Sequence[ReceivedCheck], box: BoxSubject, outcome: Outcome) -> dict[str, ReceivedCheck]:
    fit: dict[str, ReceivedCheck] = {}
    for received in checks:
        delivery_id = received.delivery.delivery_id
        if why := why_refused(received.delivery.check, delivery_id, box):
            outcome.refused[delivery_id] = why
        elif fit.setdefault(delivery_id, received).digest != received.digest:
            outcome.refused[delivery_id] = ANOTHER
    return fit


def why_refused(check: IdentityCheck | BedCheck, delivery_id: str, box: BoxSubject) -> str | None:
    """Why a check can never be taken from that box: ``field: expected …``, or ``None``."""
    if isinstance(check, IdentityCheck):
        own_id, names = check.swipe_id, {"swipe_id": check.swipe_id, "terminal_id": check.terminal_id}
    else:
        own_id, names = check.check_id, {"bed_id": check.bed_id}
    if delivery_id != own_id:
        return "delivery_id: expected the id of the check"
    if check.fixmedins_code != box.fixmedins_code:
        return "check.fixmedins_code: expected the institution at which this box is enrolled"
    names |= {"psn_no": check.psn_no or "", "camera_id": check.camera_id or ""}
    too_long = [name for name, value in names.items() if len(value) > NAME_MAX]
    return f"check.{too_long[0]}: expected at most {NAME_MAX} characters" if too_long else None


def _compare(session: Session, box: BoxSubject, outcome: Outcome, received: ReceivedCheck, known_digest: str) -> None:
    """Accept again what is the same. Another version of a box may write the same in another order."""
    delivery_id = received.delivery.delivery_id
    if known_digest == received.digest or _is_same(session, box, received):
        outcome.accepted[delivery_id] = None
    else:
        outcome.refused[delivery_id] = ANOTHER


def _is_same(session: Session, box: BoxSubject, received: ReceivedCheck) -> bool:
    kept = repository.body_of(session, box.device_id, received.delivery.delivery_id)
    return kept is not None and type(received.delivery.check).model_validate(kept) == received.delivery.check


def _take(
    server: Server,
    box: BoxSubject,
    new: dict[str, ReceivedCheck],
    reports: Sequence[AgentReport],
    outcome: Outcome,
    now: datetime,
) -> None:
    kept = pieces.keep(server, [received.delivery for received in new.values()], now)
    try:
        with server.database.transaction() as session:
            ids = _insert(session, box, new, kept, now)
            _take_reports(session, box, reports, outcome, now)
            _note_seen(session, box, now)
            others = repository.digests(session, box.device_id, [one for one in new if one not in ids])
            for delivery_id, digest in others.items():  # somebody delivered them at the same moment
                _compare(session, box, outcome, new[delivery_id], digest)
            _record(session, box, len(ids), len(reports))
    except BaseException:
        _undo(server, kept)
        raise
    for delivery_id in others:
        pieces.forget(server, [one.store_key for one in kept.get(delivery_id, ())])
    outcome.accepted |= dict.fromkeys(ids)
    outcome.waiting = [ids[one] for one in ids if _is_pending(new[one].delivery.check)]


def _note_seen(session: Session, box: BoxSubject, now: datetime) -> None:
    device = repository.device_unheard_of(session, box.device_id, now - NOTE_SEEN_EVERY)
    if device is not None:
        note_seen(session, device, now)


def _undo(server: Server, kept: dict[str, list[KeptPiece]]) -> None:
    try:
        pieces.forget_unnamed(server, [one.store_key for many in kept.values() for one in many])
    except Unavailable:
        log.warning("objects of a failed delivery are left to be removed when their day is over")


def _is_pending(check: IdentityCheck | BedCheck) -> bool:
    return check.verdict.value == Verdict.PENDING_REFERENCE.value


def _insert(
    session: Session,
    box: BoxSubject,
    new: dict[str, ReceivedCheck],
    kept: dict[str, list[KeptPiece]],
    now: datetime,
) -> dict[str, int]:
    rows = [_row(received, box, now) for received in new.values()]
    ids = repository.add_new(session, rows, [received.body for received in new.values()])
    repository.add_pieces(session, [one.row(ids[name]) for name in ids for one in kept.get(name, ())])
    checks_were_added(session, [ids[name] for name in ids if new[name].delivery.check.kind == "swipe"])
    return ids


def _row(received: ReceivedCheck, box: BoxSubject, now: datetime) -> dict[str, Any]:
    delivery, check = received.delivery, received.delivery.check
    if isinstance(check, IdentityCheck):
        own: dict[str, Any] = {
            "setl_id": check.swipe_id,
            "terminal_id": check.terminal_id,
            "bed_id": None,
            "happened_at": check.swiped_at,
            "clock_offset_s": check.clock_offset_s,
        }
    else:
        own = {
            "setl_id": None,
            "terminal_id": None,
            "bed_id": check.bed_id,
            "happened_at": check.asked_at,
            "clock_offset_s": 0.0,
        }
    return own | {
        "device_id": box.device_id,
        "delivery_id": delivery.delivery_id,
        "body_sha256": received.digest,
        "kind": check.kind,
        "institution_id": box.institution_id,
        "district_code": box.district_code,
        "camera_id": check.camera_id,
        "psn_no": check.psn_no,
        "verdict": check.verdict.value,
        "reasons": [reason.value for reason in check.reasons],
        "score": check.score,
        "clip_due": delivery.clip_due,
        "finished_at": delivery.finished_at,
        "received_at": now,
    }


def _take_reports(
    session: Session, box: BoxSubject, reports: Sequence[AgentReport], outcome: Outcome, now: datetime
) -> None:
    for report in reports:
        try:
            with session.begin_nested():
                take_report(session, box, report, now)
        except Unacceptable as error:
            outcome.refused[report.report_id] = f"{error.field}: {error}" if error.field else str(error)
        else:
            outcome.accepted[report.report_id] = None


def _record(session: Session, box: BoxSubject, checks: int, reports: int) -> None:
    """One entry for a batch: a thousand checks a second would lock the chain a thousand times."""
    if checks or reports:
        told = {"checks": checks, "reports": reports}
        record(
            session, Deed(box.actor, "delivered", "device", box.device_id, district_code=box.district_code, detail=told)
        )
