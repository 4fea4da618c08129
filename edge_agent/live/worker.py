"""A vision process: opens the box once, then answers one job after another until it is told to stop.

It lives no longer than the agent: a thread waits for the end of a pipe that only the agent's process holds open.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fcntl import LOCK_EX, flock
from multiprocessing.connection import Connection

import cv2

from edge_agent.agent_clock import AgentClock
from edge_agent.edge_config import BoxFolders, EdgeConfig
from edge_agent.kept_files import told
from edge_agent.live.ambient import Ambient
from edge_agent.live.bed_checks import BedChecks, ward_of
from edge_agent.live.counter_checks import CounterChecks
from edge_agent.live.jobs import AheadJob, Answer, BedJob, GlanceJob, Job, JobFailed, SnapshotJob, SwipeJob
from edge_agent.live.vision_box import VisionBox, open_box
from edge_agent.logs import facts, start_logging
from renzheng.errors import BadInput, RenzhengError, StorageFull
from renzheng.files import make_private

log = logging.getLogger(__name__)

LOCK_NAME = "vision.lock"


@dataclass(frozen=True)
class Ready:
    """The first message of a process: it can take jobs, or ``problem`` says why it cannot."""

    pid: int
    problem: str = ""


class Worker:
    """Answers the jobs of one box; an error ends a job, never the process."""

    def __init__(self, box: VisionBox) -> None:
        self._counter = CounterChecks(box)
        self._ambient = Ambient(box)
        ward = ward_of(box.config)
        self._beds = BedChecks(box, ward) if ward else None

    def answer(self, job: Job) -> Answer:
        """The answer to a job; :class:`JobFailed` for whatever went wrong."""
        try:
            return self._answered(job)
        except StorageFull as error:
            return JobFailed(job.job_id, str(error), storage_full=True)
        except BadInput as error:
            return JobFailed(job.job_id, str(error))
        except Exception as error:
            log.exception("a job failed", extra=facts(job=job.job_id))
            return JobFailed(job.job_id, told(error))

    def _answered(self, job: Job) -> Answer:
        match job:
            case SwipeJob():
                return self._counter.check(job)
            case AheadJob():
                return self._counter.look_ahead(job)
            case SnapshotJob():
                return self._ambient.snapshot(job)
            case GlanceJob():
                return self._ambient.glance(job)
            case BedJob() if self._beds is not None:
                return self._beds.check(job)
            case BedJob():
                raise BadInput("bed: no ward is configured on this box")


def run_worker(
    jobs: Connection,
    lifeline: Connection,
    config: EdgeConfig,
    clock: AgentClock,
    name: str,
    cameras: tuple[str, ...],
) -> None:
    """Main of the process for some of the cameras. Jobs come one at a time; ``None`` ends it.

    Signals for the whole box are the agent's.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_die_with_agent, args=(lifeline,), name="lifeline", daemon=True).start()
    start_logging(name)
    cv2.setNumThreads(1)
    try:
        with _alone(BoxFolders(config.data_dir), cameras):
            box = open_box(config, clock, cameras)
            worker = Worker(box)
            jobs.send(Ready(os.getpid()))
            _serve(jobs, worker)
            box.close()
    except RenzhengError as error:
        log.error("the vision process cannot start", extra=facts(why=str(error)))
        jobs.send(Ready(os.getpid(), str(error)))


def _serve(jobs: Connection, worker: Worker) -> None:
    while (job := jobs.recv()) is not None:
        jobs.send(worker.answer(job))
        if not isinstance(job, GlanceJob):
            give_memory_back()


def give_memory_back() -> None:
    """Have the C library give freed memory back to the system.

    A check frees hundreds of pictures of all sizes; without this the heap grows by fragments, 140 KB a check measured.
    Where the C library is another than glibc there is nothing to call.
    """
    trim = getattr(_LIBC, "malloc_trim", None)
    if trim is not None:
        trim(0)


_LIBC = ctypes.CDLL(None)


def _die_with_agent(lifeline: Connection) -> None:
    """Nothing ever comes through the pipe; its end says that the agent is gone."""
    try:
        lifeline.recv()
    except (EOFError, OSError):
        os._exit(1)


@contextmanager
def _alone(folders: BoxFolders, cameras: Sequence[str]) -> Iterator[None]:
    """Wait until no former agent's vision process has one of the cameras: two must not write the same evidence.

    The cameras may have been dealt out otherwise then, so each has a lock of its own.
    """
    with ExitStack() as held:
        for camera in sorted(cameras):
            make_private(folders.ring(camera))
            flock(held.enter_context((folders.ring(camera) / LOCK_NAME).open("a")), LOCK_EX)
        yield
