"""The thread that works on orders while their askers do not wait: one a process, few orders in line, no more."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI

from renzheng.errors import RenzhengError
from server.errors import TooMany

log = logging.getLogger(__name__)

ORDERS_MAX = 4
"""At work or in line; each holds its files open."""
COME_AGAIN_S = 60
DRAIN_S = 20.0

Job = Callable[[threading.Event], None]
"""Work that looks at the event between two steps and ends soon after it is set."""


class Runner:
    """Does jobs one after another. A job that fails is logged; its order can be sent again."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._places = threading.BoundedSemaphore(ORDERS_MAX)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def take_place(self) -> None:
        """Take a place in the line, for :meth:`submit` or :meth:`leave`. Raises :class:`TooMany` when it is full."""
        if not self._places.acquire(blocking=False):
            raise TooMany("other orders are waiting; send this one later", COME_AGAIN_S)

    def leave(self) -> None:
        """Give the place back unused."""
        self._places.release()

    def submit(self, job: Job) -> None:
        """Have a job done in the place that was taken."""
        self._jobs.put(job)
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name="bulk-enrolment", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Stop after the row at hand. What is left of an order is done when it is sent again."""
        self._stop.set()
        self._jobs.put(None)
        if self._thread is not None:
            self._thread.join(DRAIN_S)
            if self._thread.is_alive():
                log.warning("bulk enrolment did not stop within %.0f s", DRAIN_S)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job(self._stop)
            except RenzhengError as error:
                log.error("an order of bulk enrolment stopped: %s", error)
            except Exception:
                log.exception("an order of bulk enrolment failed")
            finally:
                self._places.release()


def runner_of(app: FastAPI) -> Runner:
    """The application's runner, made when it is first asked for."""
    runner: Runner | None = getattr(app.state, "bulk_runner", None)
    if runner is None:
        runner = app.state.bulk_runner = Runner()
    return runner


@asynccontextmanager
async def runner_lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Owns the runner: it has stopped before the server's database is closed."""
    runner = runner_of(app)
    try:
        yield
    finally:
        runner.close()
