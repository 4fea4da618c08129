"""The agent's side of a vision process: starts it, hands it jobs, and starts it anew when it dies or hangs."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import TypeVar

from edge_agent.agent_clock import AgentClock
from edge_agent.edge_config import EdgeConfig
from edge_agent.live.jobs import Answer, Job
from edge_agent.live.worker import Ready, run_worker
from edge_agent.logs import facts
from renzheng.errors import RenzhengError

log = logging.getLogger(__name__)

START_LIMIT_S = 180.0
"""Real seconds until a process must be ready; preparing a pack for the first time takes half a minute."""

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 60.0

_Result = TypeVar("_Result")


class VisionDied(RenzhengError):
    """The vision process died or hung over a job; it may be asked again."""


class VisionDown(VisionDied):
    """The vision process could not start; the job was not tried."""


class VisionProcess:
    """One vision process at a time, for one event loop. Jobs are asked one after another.

    A process that died is started anew by the next job, after a wait that grows with every death and ends with the
    first answer. ``cameras`` are those it sees; all of them for ``None``.
    """

    def __init__(
        self, config: EdgeConfig, clock: AgentClock, name: str = "vision", cameras: tuple[str, ...] | None = None
    ) -> None:
        self.name = name
        self._config = config
        self._clock = clock
        self.cameras = tuple(camera.id for camera in config.camera) if cameras is None else cameras
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._process: SpawnProcess | None = None
        self._jobs: Connection | None = None
        self._lifeline: Connection | None = None
        self._deaths_in_row = 0
        self._starts = 0
        self._stopped = False
        self.problem = ""

    @property
    def restarts(self) -> int:
        """How often a process was started after the first."""
        return max(0, self._starts - 1)

    @property
    def pid(self) -> int | None:
        """The process's number, while there is one."""
        return self._process.pid if self._process is not None and self._process.is_alive() else None

    @property
    def ready(self) -> bool:
        """Whether a process is there that was able to start."""
        return self.pid is not None and not self.problem

    async def start(self) -> None:
        """Start the process and wait until it takes jobs. Raises :class:`VisionDied` with why it does not."""
        async with self._turn:
            await self._have_process()

    async def ask(self, job: Job, timeout_s: float) -> Answer:
        """The answer to a job, within so many real seconds from its turn.

        Raises :class:`VisionDied` when the process dies or takes longer; it is killed then.
        :class:`VisionDown` when there is none to ask.
        """
        async with self._turn:
            await self._have_process()
            answer = await self._from_process(lambda jobs: _exchanged(jobs, job), timeout_s, job.job_id)
            self._deaths_in_row = 0
            return answer

    async def stop(self, deadline_s: float) -> None:
        """Let the job in hand end, then the process; kill it when that takes longer. Safe to call at any time."""
        self._stopped = True
        try:
            async with asyncio.timeout(deadline_s):
                async with self._turn:
                    await self._leave()
        except TimeoutError:
            log.warning("the vision process did not end in time and is killed")
        self._end()
        self._thread.shutdown(wait=True)

    async def _leave(self) -> None:
        if self._process is None or self._jobs is None:
            return
        jobs, process = self._jobs, self._process
        with suppress(OSError, ValueError):
            jobs.send(None)
            await self._in_thread(process.join)

    async def _have_process(self) -> None:
        if self._stopped:
            raise VisionDown("the vision process was stopped")
        if self._process is not None and self._process.is_alive():
            return
        if self._process is not None:
            self._died("was found dead")
        if self._deaths_in_row:
            wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (self._deaths_in_row - 1))
            await asyncio.sleep(wait_s * random.uniform(0.75, 1.0))
            if self._stopped:
                raise VisionDown("the vision process was stopped")
        try:
            self._spawn()
            said = await self._from_process(lambda jobs: jobs.recv(), START_LIMIT_S, "start")
        except VisionDied as died:
            raise VisionDown(f"the vision process could not start: {died}") from died
        except OSError as error:
            self._died(f"no process can be made: {error}")
            raise VisionDown("the vision process could not start: no process can be made") from error
        self.problem = said.problem if isinstance(said, Ready) else "answered before it was ready"
        if self.problem:
            self._died(self.problem)
            raise VisionDown(f"the vision process could not start: {self.problem}")

    def _spawn(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._jobs, theirs = context.Pipe()
        lifeline, self._lifeline = context.Pipe(duplex=False)
        process = context.Process(
            target=run_worker,
            args=(theirs, lifeline, self._config, self._clock, self.name, self.cameras),
            name=self.name,
            daemon=True,
        )
        process.start()
        theirs.close()
        lifeline.close()
        self._process = process
        self._starts += 1

    async def _from_process(self, exchange: Callable[[Connection], _Result], limit_s: float, what: str) -> _Result:
        """Talk with the process in the thread. However that fails, the process is ended: an answer that came later
        would be taken for another job's."""
        jobs = self._jobs
        assert jobs is not None
        try:
            async with asyncio.timeout(limit_s):
                return await self._in_thread(lambda: exchange(jobs))
        except TimeoutError as error:
            self._died(f"no answer to {what} within {limit_s:g} s")
            raise VisionDied(f"the vision process gave no answer within {limit_s:g} s and was killed") from error
        except (EOFError, OSError) as error:
            self._died(f"ended during {what}")
            raise VisionDied("the vision process died") from error
        except BaseException:
            self._end()
            raise

    async def _in_thread(self, call: Callable[[], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    def _died(self, why: str) -> None:
        code = self._process.exitcode if self._process is not None else None
        level = logging.WARNING if self._deaths_in_row == 0 else logging.DEBUG
        log.log(level, "the vision process is started anew", extra=facts(why=why, exit_code=code))
        self._deaths_in_row += 1
        self._end()

    def _end(self) -> None:
        """Kill what is left of the process; a killed process is gone at once."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.join()
            process.close()
        if self._jobs is not None:
            self._thread.submit(self._jobs.close)  # after what the thread may still read from it
        if self._lifeline is not None:
            self._lifeline.close()
        self._jobs = self._lifeline = None


def _exchanged(jobs: Connection, job: Job) -> Answer:
    jobs.send(job)
    answer: Answer = jobs.recv()
    return answer
