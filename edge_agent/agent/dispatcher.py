"""Jobs on their way to the vision processes: the most urgent first, each asked again when the process died over it."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable
from enum import IntEnum

from edge_agent.live.jobs import Answer, GlanceJob, Job, JobFailed
from edge_agent.live.vision_process import VisionDied, VisionDown, VisionProcess
from edge_agent.logs import facts

log = logging.getLogger(__name__)

TRIES = 3
"""A job over which the vision process died so often is given up."""

JOB_LIMIT_S = 60.0
"""Real seconds after which a job is taken for hung and the process is started anew."""

GLANCES_WAITING_MAX = 64
STOPPING = "the agent is stopping"


class Urgency(IntEnum):
    """Lower goes first."""

    OPINION = 0
    FINAL = 1
    AHEAD = 2
    BED = 3
    GLANCE = 4


class Dispatcher:
    """A priority queue in front of each vision process; one job is with a process at a time.

    ``lane_of`` says which process a job is for. Swipe and bed jobs wait in the store and come here only when they are
    due; glances beyond ``GLANCES_WAITING_MAX`` are dropped and counted.
    """

    def __init__(self, *visions: VisionProcess, lane_of: Callable[[Job], int] = lambda _job: 0) -> None:
        self._lanes = [_Lane(vision) for vision in visions]
        self._lane_of = lane_of
        self._glances = 0
        self.glances_dropped = 0

    @property
    def waiting(self) -> int:
        """Jobs that have not yet gone to a vision process."""
        return sum(lane.waiting for lane in self._lanes)

    async def ask(self, job: Job, urgency: Urgency, due_s: float = 0.0) -> Answer:
        """The answer to a job; jobs of one urgency go by ``due_s``."""
        glance = isinstance(job, GlanceJob)
        if glance and self._glances >= GLANCES_WAITING_MAX:
            self.glances_dropped += 1
            return JobFailed(job.job_id, "too much to do for glances")
        self._glances += glance
        try:
            return await self._lanes[self._lane_of(job)].ask(job, urgency, due_s)
        finally:
            self._glances -= glance

    async def run(self, stop: asyncio.Event) -> None:
        """Hand jobs on until stopped; those still waiting then are answered with a failure."""
        async with asyncio.TaskGroup() as lanes:
            for lane in self._lanes:
                lanes.create_task(lane.run(stop))


class _Lane:
    """The queue in front of one vision process."""

    def __init__(self, vision: VisionProcess) -> None:
        self._vision = vision
        self._queue: asyncio.PriorityQueue[tuple[Urgency, float, int, Job, asyncio.Future[Answer]]] = (
            asyncio.PriorityQueue()
        )
        self._number = itertools.count()

    @property
    def waiting(self) -> int:
        return self._queue.qsize()

    async def ask(self, job: Job, urgency: Urgency, due_s: float) -> Answer:
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait((urgency, due_s, next(self._number), job, answer))
        return await answer

    async def run(self, stop: asyncio.Event) -> None:
        stopped = asyncio.ensure_future(stop.wait())
        try:
            while not stop.is_set():
                taken = asyncio.ensure_future(self._queue.get())
                await asyncio.wait({taken, stopped}, return_when=asyncio.FIRST_COMPLETED)
                if not taken.done():
                    taken.cancel()
                    break
                *_, job, answer = taken.result()
                if not answer.cancelled():
                    await self._answer(job, answer)
        finally:
            stopped.cancel()
            self._refuse_rest()

    async def _answer(self, job: Job, answer: asyncio.Future[Answer]) -> None:
        """Whatever happens, whoever asked gets an answer: a check that waits for ever would block those behind it."""
        result: Answer = JobFailed(job.job_id, STOPPING)
        try:
            result = await self._asked(job)
        except Exception as error:
            log.exception("a job could not be asked", extra=facts(job=job.job_id))
            result = JobFailed(job.job_id, type(error).__name__)
        finally:
            if not answer.done():
                answer.set_result(result)

    async def _asked(self, job: Job) -> Answer:
        for number in range(1, TRIES + 1):
            try:
                return await self._vision.ask(job, JOB_LIMIT_S)
            except VisionDown as down:
                return JobFailed(job.job_id, str(down), vision_down=True)
            except VisionDied as died:
                told = facts(job=job.job_id, number=number, why=str(died))
                log.warning("the vision process died over a job", extra=told)
        return JobFailed(job.job_id, f"the vision process died {TRIES} times over it")

    def _refuse_rest(self) -> None:
        while not self._queue.empty():
            *_, job, answer = self._queue.get_nowait()
            if not answer.done():
                answer.set_result(JobFailed(job.job_id, STOPPING))
