"""Deleting what was kept long enough, in steps that are a transaction each, with a certificate for every kind.

Bytes in the store go before the rows that name them: a step that fails leaves rows without bytes, which the next run
deletes, and never bytes that nothing names. Whatever is under a legal hold stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from renzheng.ids import new_id
from server.audit_log.service import SYSTEM, Actor, Deed, record
from server.context import Server
from server.keeping import repository
from server.keeping.service import PURGE_TURN
from server.keeping.turns import take_turn
from server.settings import ServerSettings
from server.tables import DeletionCertificate

STEP: Final = 200
REPORTS_STEP: Final = 5_000

Counts = dict[str, int]
GoOn = Callable[[], bool]


@dataclass(frozen=True)
class _Kind:
    """One kind of data: how long it is kept, what a step deletes, and how much is over its time."""

    name: str
    before: datetime
    why: str
    step: Callable[[Session, Server, datetime], Counts]
    count: Callable[[Session, datetime], Counts]


def _kinds(settings: ServerSettings, now: datetime) -> Iterator[_Kind]:
    for name, flagged, days in (
        ("unflagged_checks", False, settings.keep_unflagged_days),
        ("flagged_checks", True, settings.keep_flagged_days),
    ):
        yield _Kind(name, now - timedelta(days=days), f"kept for {days} days", _checks(flagged), _count_checks(flagged))
    days = settings.keep_reports_days
    yield _Kind("reports", now - timedelta(days=days), f"kept for {days} days", _reports, _count_reports)
    yield _Kind("logins", now, "ended", _logins, _count_logins)


def run_purge(
    server: Server,
    *,
    dry_run: bool = False,
    now: datetime | None = None,
    actor: Actor = SYSTEM,
    go_on: GoOn = lambda: True,
) -> dict[str, Counts]:
    """Delete all that is over its time, or only count it; what was deleted, by kind."""
    told = {}
    for kind in _kinds(server.settings, now or datetime.now(UTC)):
        if dry_run:
            with server.database.transaction(writes=False) as session:
                told[kind.name] = kind.count(session, kind.before)
        else:
            told[kind.name] = _purge(server, kind, actor, go_on)
    return told


def _purge(server: Server, kind: _Kind, actor: Actor, go_on: GoOn) -> Counts:
    total: Counts = {}
    certificate_id = new_id()
    while go_on():
        with server.database.transaction() as session:
            take_turn(session, PURGE_TURN)
            counts = kind.step(session, server, kind.before)
            if not any(counts.values()):
                break
            total = {name: total.get(name, 0) + count for name, count in counts.items()}
            _certify(session, certificate_id, kind, total, actor)
    return total


def _certify(session: Session, certificate_id: str, kind: _Kind, total: Counts, actor: Actor) -> None:
    """One certificate for a kind and a run, which counts on with every step."""
    certificate = session.get(DeletionCertificate, certificate_id)
    if certificate is None:
        certificate = DeletionCertificate(
            id=certificate_id, kind=kind.name, counts={}, why=kind.why, made_by=actor.id, made_at=datetime.now(UTC)
        )
        session.add(certificate)
    certificate.counts = dict(total)
    record(session, Deed(actor, "purged", kind.name, certificate_id, kind.why, detail=dict(total)))


def _checks(flagged: bool) -> Callable[[Session, Server, datetime], Counts]:
    def step(session: Session, server: Server, before: datetime) -> Counts:
        ids = repository.checks_over(session, flagged=flagged, before=before, limit=STEP)
        pieces, clips = repository.objects_of(session, ids)
        for key in (*pieces, *clips):
            server.store.delete(key)
        repository.delete_checks(session, ids)
        return {"checks": len(ids), "pieces": len(pieces), "clips": len(clips)}

    return step


def _count_checks(flagged: bool) -> Callable[[Session, datetime], Counts]:
    def count(session: Session, before: datetime) -> Counts:
        return {"checks": repository.count_checks_over(session, flagged=flagged, before=before)}

    return count


def _reports(session: Session, _server: Server, before: datetime) -> Counts:
    return {"reports": repository.delete_reports(session, before, REPORTS_STEP)}


def _count_reports(session: Session, before: datetime) -> Counts:
    return {"reports": repository.count_reports(session, before)}


def _logins(session: Session, _server: Server, before: datetime) -> Counts:
    count = repository.count_sessions(session, before)
    repository.delete_sessions(session, before)
    return {"logins": count}


def _count_logins(session: Session, before: datetime) -> Counts:
    return {"logins": repository.count_sessions(session, before)}
