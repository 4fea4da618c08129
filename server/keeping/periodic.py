"""What the server does by itself every so often: one replica does each job, under a lease in the database."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import or_, update

from renzheng.ids import new_id
from server.context import Server
from server.keeping.turns import NEVER, make_lock_row
from server.tables import JobLock

log = logging.getLogger(__name__)

LEASE: Final = timedelta(minutes=15)
LONGEST_JOB_S: Final = 300.0
"""A job stops between two steps after this, well before its lease ends; the next turn goes on."""

LOOK_EVERY_S: Final = 5.0
STOP_WITHIN_S: Final = 30.0

GoOn = Callable[[], bool]


@dataclass(frozen=True)
class Job:
    """Something to do every so often; ``work`` asks its argument between two steps whether it may go on.

    What is ``on_each`` server's own disk is done by each, without a lease.
    """

    name: str
    every: timedelta
    work: Callable[[Server, GoOn], object]
    on_each: bool = False


class Periodic:
    """A thread that does the jobs whose time has come, until it is stopped. Its owner asks :attr:`alive`."""

    def __init__(self, server: Server, jobs: Sequence[Job], *, look_every_s: float = LOOK_EVERY_S) -> None:
        self._server = server
        self._jobs = jobs
        self._look_every_s = look_every_s
        self._holder = new_id()
        self._done_here: dict[str, datetime] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="periodic jobs", daemon=True)
        self.failures: dict[str, int] = {job.name: 0 for job in jobs}
        self.done: dict[str, int] = {job.name: 0 for job in jobs}

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin; a stop that came before is not lost."""
        self._thread.start()

    def stop(self) -> None:
        """Have it end after the step it is at."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(STOP_WITHIN_S)
        if self._thread.is_alive():
            log.error("the periodic jobs did not end within %g s", STOP_WITHIN_S)

    def _run(self) -> None:
        while not self._stop.is_set():
            for job in self._jobs:
                if self._stop.is_set():
                    return
                self.do_if_due(job)
            self._stop.wait(self._look_every_s)

    def do_if_due(self, job: Job) -> bool:
        """Do a job if its time has come and no other server has it; whether it was done well. Failures are logged."""
        until = time.monotonic() + LONGEST_JOB_S
        try:
            if not self._take(job):
                return False
            job.work(self._server, lambda: not self._stop.is_set() and time.monotonic() < until)
            self._give_back(job)
        except Exception:
            self.failures[job.name] += 1
            log.exception("the periodic job %s failed; it is tried again when its lease ends", job.name)
            return False
        self.done[job.name] += 1
        return True

    def _take(self, job: Job) -> bool:
        """Take the lease, by a conditional update; ``False`` when another has it or it is not time yet."""
        now = datetime.now(UTC)
        if job.on_each:
            due_here = self._done_here.get(job.name, NEVER) <= now - job.every
            self._done_here[job.name] = now if due_here else self._done_here[job.name]
            return due_here
        with self._server.database.transaction() as session:
            make_lock_row(session, job.name)
            due = or_(JobLock.last_done_at.is_(None), JobLock.last_done_at <= now - job.every)
            taken = session.scalars(
                update(JobLock)
                .where(JobLock.name == job.name, JobLock.until <= now, due)
                .values(holder=self._holder, until=now + LEASE)
                .returning(JobLock.name)
            ).all()
        return bool(taken)

    def _give_back(self, job: Job) -> None:
        if job.on_each:
            return
        with self._server.database.transaction() as session:
            session.execute(
                update(JobLock)
                .where(JobLock.name == job.name, JobLock.holder == self._holder)
                .values(until=NEVER, last_done_at=datetime.now(UTC))
            )
