"""Enrolling many at once: an order is a table with its photos, and each of its rows is taken whole or not at all.

An order is told by what it is made of, so whoever sends the same files again goes on with it: rows that have an
outcome keep it, and of an order that was done the refused rows are tried anew. A dry run does the same work and
takes every row back.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from renzheng.ids import new_id
from server.access import Subject, scope_of
from server.audit_log.service import SYSTEM, Actor, Deed, record
from server.context import Server
from server.enrolment import repository
from server.enrolment.messages import Order, Outcome, RowPage, RowReport
from server.enrolment.one_row import RowDone, try_row
from server.enrolment.people_table import Sheet, SheetRow
from server.enrolment.photo_sources import PhotoFile, Photos, sorted_out
from server.errors import Conflict, NotFound
from server.tables import BulkEnrolment, BulkRow, BulkState

LEASE = timedelta(minutes=2)
"""An order that was not touched for so long has lost whoever worked on it."""

NO_SUCH_ORDER = "there is no such order"


@dataclass(frozen=True)
class Enroller:
    """Who enrols, and where they may: ``district_code`` with all below it, or everywhere."""

    actor: Actor
    district_code: str | None

    @classmethod
    def of(cls, subject: Subject) -> Enroller:
        """A user."""
        return cls(subject.actor, subject.district_code)

    @property
    def scope(self) -> str:
        """What districts begin with in which they may enrol."""
        return scope_of(self.district_code)


ON_THE_COMMAND_LINE = Enroller(SYSTEM, None)


@dataclass(frozen=True)
class Given:
    """The files of an order, read and sorted out."""

    sheet: Sheet
    photos: Photos
    files_digest: str

    @classmethod
    def of(cls, sheet: Sheet, files: list[PhotoFile]) -> Given:
        """A table with its photos, wherever these lie."""
        told = sorted((file.name, file.size_bytes, file.crc32) for file in files)
        digest = hashlib.sha256(json.dumps([sheet.sha256, told]).encode()).hexdigest()
        return cls(sheet, sorted_out(files, sheet.psn_nos), digest)

    def digest(self, pack: str, enroller: Enroller, dry_run: bool) -> str:
        """Tells one order from another: what one user may not do, another's order says nothing about."""
        told = [self.files_digest, pack, enroller.district_code, dry_run]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def open_order(session: Session, server: Server, given: Given, enroller: Enroller, *, dry_run: bool) -> BulkEnrolment:
    """The order for these files, new or taken up again. Raises :class:`Conflict` while somebody works on it."""
    now = datetime.now(UTC)
    digest = given.digest(server.settings.pack, enroller, dry_run)
    order = repository.order_of_digest(session, digest)
    if order is None:
        order = _new_order(session, given, enroller, digest, dry_run, now)
    elif order.state is BulkState.DONE:
        order.state, order.finished_at = BulkState.RUNNING, None
        repository.forget_rows(session, order.id, None if dry_run else Outcome.REFUSED)
    elif order.lease_until is not None and order.lease_until > now:
        raise Conflict("these files are being worked on already; if that was broken off, wait two minutes")
    detail = {"rows": order.rows, "dry_run": int(dry_run)}
    deed = Deed(enroller.actor, "bulk_enrolment", "bulk_enrolment", order.id, "", enroller.district_code, detail)
    record(session, deed)
    return order


def _new_order(
    session: Session, given: Given, enroller: Enroller, digest: str, dry_run: bool, now: datetime
) -> BulkEnrolment:
    order = BulkEnrolment(
        id=new_id(),
        digest=digest,
        dry_run=dry_run,
        state=BulkState.RUNNING,
        rows=len(given.sheet.rows),
        photos_unused=given.photos.unused,
        district_code=enroller.district_code,
        started_by=enroller.actor.id,
        started_at=now,
    )
    session.add(order)
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict("these files are being worked on already") from error
    return order


Advance = Callable[[Outcome], None]


def work_on(
    server: Server,
    order_id: str,
    given: Given,
    enroller: Enroller,
    stop: threading.Event,
    advance: Advance = lambda _outcome: None,
) -> bool:
    """Do the rows that have no outcome yet, each in a transaction of its own; whether the order is done now.

    Ends early when ``stop`` is set, or when somebody else took the order over. Raises as the database and the store
    do; the rows that were done stay done.
    """
    worker = new_id()
    with server.database.transaction() as session:
        if not _lease(session, order_id, worker):
            return False
        done = repository.lines_done(session, order_id)
        dry_run = session.get_one(BulkEnrolment, order_id).dry_run
    try:
        for row in given.sheet.rows:
            if stop.is_set():
                return False
            if row.line not in done:
                outcome = _do_row(server, order_id, row, given, enroller, worker, dry_run)
                if outcome is None:
                    return False
                advance(outcome)
        return _finish(server, order_id, worker)
    finally:
        with server.database.transaction() as session:
            repository.end_lease(session, order_id, worker)


def _do_row(
    server: Server, order_id: str, row: SheetRow, given: Given, enroller: Enroller, worker: str, dry_run: bool
) -> Outcome | None:
    """Take a row and note what became of it, in one transaction; ``None`` when the order is somebody else's now."""

    def note(session: Session, done: RowDone) -> bool:
        if not _lease(session, order_id, worker):
            return False
        session.add(_bulk_row(order_id, row.line, done))
        return True

    files = given.photos.by_person.get(row.person.psn_no, ()) if row.person else ()
    return try_row(server, row, files, enroller.actor, enroller.scope, note, dry_run=dry_run)


def _bulk_row(order_id: str, line: int, done: RowDone) -> BulkRow:
    return BulkRow(
        bulk_id=order_id,
        row=line,
        outcome=done.outcome.value,
        person_id=done.person_id,
        photos_taken=done.photos_taken,
        problems=[problem.model_dump(mode="json") for problem in done.problems],
    )


def _lease(session: Session, order_id: str, worker: str) -> bool:
    now = datetime.now(UTC)
    return repository.take_lease(session, order_id, worker, now, now + LEASE)


def _finish(server: Server, order_id: str, worker: str) -> bool:
    with server.database.transaction() as session:
        if not _lease(session, order_id, worker):
            return False
        order = session.get_one(BulkEnrolment, order_id)
        order.state, order.finished_at = BulkState.DONE, datetime.now(UTC)
    return True


def order_told(order: BulkEnrolment, outcomes: dict[str, int]) -> Order:
    """An order as an answer."""
    waits = order.lease_until is None or order.lease_until <= datetime.now(UTC)
    return Order(
        id=order.id,
        dry_run=order.dry_run,
        state="done" if order.state is BulkState.DONE else "waiting" if waits else "running",
        rows=order.rows,
        outcomes={Outcome(name): count for name, count in outcomes.items()},
        photos_unused=order.photos_unused,
        started_at=order.started_at,
        finished_at=order.finished_at,
    )


def order_of(session: Session, subject: Subject, order_id: str) -> Order:
    """One order. Raises :class:`NotFound`."""
    order = _seen(session, subject, order_id)
    return order_told(order, repository.outcomes_of(session, [order.id])[order.id])


def orders_of(session: Session, subject: Subject, after: str | None, limit: int) -> list[Order]:
    """Orders, newest first."""
    orders = repository.orders_after(session, subject, after, limit)
    outcomes = repository.outcomes_of(session, [order.id for order in orders])
    return [order_told(order, outcomes[order.id]) for order in orders]


def _seen(session: Session, subject: Subject, order_id: str) -> BulkEnrolment:
    order = repository.order_seen(session, subject, order_id)
    if order is None:
        raise NotFound(NO_SUCH_ORDER)
    return order


def rows_of(
    session: Session, subject: Subject, order_id: str, after: int, limit: int, outcome: Outcome | None
) -> RowPage:
    """A page of an order's rows. Raises :class:`NotFound`."""
    _seen(session, subject, order_id)
    rows = repository.rows_after(session, order_id, after, limit, outcome)
    return RowPage(rows=[row_told(row) for row in rows], next_after=rows[-1].row if len(rows) == limit else None)


def row_told(row: BulkRow) -> RowReport:
    """A row as an answer."""
    return RowReport(
        row=row.row,
        outcome=Outcome(row.outcome),
        person_id=row.person_id,
        photos_taken=row.photos_taken,
        problems=row.problems,
    )
