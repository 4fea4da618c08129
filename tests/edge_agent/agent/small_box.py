"""A box with a real store and real rings, whose vision process says what a test has it say."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, ExitStack
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

from edge_agent.agent.dispatcher import Dispatcher
from edge_agent.agent.swipe_checks import SwipeChecks
from edge_agent.agent.templates import Templates
from edge_agent.edge_config import BoxFolders, EdgeConfig, read_config
from edge_agent.live.jobs import Answer, BedJob, CheckDone, GlanceDone, GlanceJob, Job, SwipeJob
from edge_agent.live.vision_process import VisionProcess
from edge_agent.outbox.store import Store
from edge_agent.ring.index import SegmentIndex
from renzheng.clock import from_seconds
from renzheng.contracts import CameraFitness, Reason, Swipe, Verdict
from tests.edge_agent.builders import NOON, a_check
from tests.edge_agent.outbox.builders import NOON_S, PSN_NO, done_bed

CONFIG = """
fixmedins_code = "P33028100001"
data_dir = "data"
{top}

[references]
gallery = "gallery"

[[camera]]
id = "counter"
url = "file:counter.mp4"
{camera}

[[terminal]]
id = "T01"
camera = "counter"
before_s = 2
after_s = 2
{terminal}

{more}
"""


def a_config(folder: Path, *, top: str = "", camera: str = "", terminal: str = "", more: str = "") -> EdgeConfig:
    """The configuration of a box in ``folder``, read from a file."""
    path = folder / "edge.toml"
    path.write_text(CONFIG.format(top=top, camera=camera, terminal=terminal, more=more), encoding="utf-8")
    return read_config(path)


class HandClock:
    """Shows noon when it is made and then runs ``speed`` times as fast as real time; an operator may set it."""

    def __init__(self, speed: float = 20.0, start_s: float = NOON_S) -> None:
        self.set_by_s = 0.0
        self._speed = speed
        self._start_s = start_s
        self._began = time.monotonic()

    def now_s(self) -> float:
        return self._start_s + self.steady_s() + self.set_by_s

    def steady_s(self) -> float:
        return (time.monotonic() - self._began) * self._speed

    def real_s(self, agent_s: float) -> float:
        return agent_s / self._speed


Step = Answer | Exception | Callable[[Any], Awaitable[Answer]]
"""What comes of one job: an answer, an error that is raised, or something to be waited for."""


class ScriptedVision:
    """Stands in for the vision process: takes one step of its script a job, and after that answers as one would."""

    def __init__(self, *script: Step) -> None:
        self.script = list(script)
        self.asked: list[Job] = []
        self.verdict = Verdict.MATCH
        self.name, self.restarts, self.ready, self.problem = "vision", 0, True, ""

    async def ask(self, job: Job, timeout_s: float) -> Answer:
        self.asked.append(job)
        step = self.script.pop(0) if self.script else self.answered
        if isinstance(step, Exception):
            raise step
        return await step(job) if callable(step) else step

    async def answered(self, job: Job) -> Answer:
        """A check of the script's verdict; of a job that is given up, one that is not assessable."""
        match job:
            case SwipeJob():
                verdict = Verdict.NOT_ASSESSABLE if job.give_up else self.verdict
                given: dict[str, Any] = {"reasons": (Reason.UNREADABLE,)} if job.give_up else {}
                swipe = job.swipe
                check = a_check(verdict, at=swipe.setl_time, swipe_id=swipe.setl_id, psn_no=swipe.psn_no, **given)
                return CheckDone(job.job_id, check)
            case BedJob():
                return done_bed(job.check_id)
            case GlanceJob():
                fit = CameraFitness(measured_at=NOON, looks=1, faces=0)
                return GlanceDone(job.job_id, job.camera_id, NOON_S, 1, 1, fit)

    @property
    def job_ids(self) -> list[str]:
        return [job.job_id for job in self.asked]

    def as_process(self) -> VisionProcess:
        """For whoever wants the real one."""
        return self  # type: ignore[return-value]


class SmallBox(AbstractContextManager["SmallBox"]):
    """Store, ring, dispatcher and swipe checks of one box; ``recorded`` says how far its ring holds pictures."""

    def __init__(
        self,
        folder: Path,
        *script: Step,
        clock: HandClock | None = None,
        templates: Templates | None = None,
        config: EdgeConfig | None = None,
    ) -> None:
        self._held = ExitStack()
        self.clock = clock or HandClock()
        self.config = config or a_config(folder)
        self.folders = BoxFolders(self.config.data_dir)
        self.store = self._held.enter_context(Store(self.folders.store))
        self.ring = self._held.enter_context(SegmentIndex(self.folders.ring("counter")))
        self.vision = ScriptedVision(*script)
        self.dispatcher = Dispatcher(self.vision.as_process())
        rings = {"counter": self.ring}
        self.checks = SwipeChecks(self.config, self.clock, self.store, self.dispatcher, rings, templates, None)

    def __exit__(self, *error: object) -> None:
        self._held.close()

    def recorded(self, from_s: float, until_s: float) -> None:
        """Have a finished segment in the ring; its file is not looked at here."""
        segment = self.ring.begin(
            start_s=from_s, epoch=0, codec="h264", coded_wh=(640, 360), time_base=Fraction(1, 90_000), origin_pts=0,
            frame_s=0.04,
        )  # fmt: skip
        self.ring.extend(segment.id, until_s, 100, 25, [(0, from_s)])
        self.ring.finish(segment.id)

    def swipe(self, setl_id: str = "S1", ago_s: float = 0.0, **given: Any) -> Swipe:
        """A swipe that happened so long ago on the box's clock."""
        at: datetime = from_seconds(self.clock.now_s() - ago_s)
        values: dict[str, Any] = {
            "setl_id": setl_id,
            "psn_no": PSN_NO,
            "fixmedins_code": "P33028100001",
            "terminal_id": "T01",
            "setl_time": at,
        }
        return Swipe(**(values | given))

    async def work(self, until: Callable[[], object], *more: Callable[[asyncio.Event], Awaitable[None]]) -> None:
        """Run dispatcher and swipe checks until something is true, then stop them."""
        stop, last_stop = asyncio.Event(), asyncio.Event()
        asking = asyncio.create_task(self.dispatcher.run(last_stop))
        working = [asyncio.create_task(run(stop)) for run in (self.checks.run, *more)]  # type: ignore[arg-type]
        try:
            await wait_for(until, *working)
        finally:
            stop.set()
            await asyncio.gather(*working)
            last_stop.set()
            await asyncio.wait_for(asking, 5)

    def verdict_of(self, swipe_id: str) -> Verdict | None:
        """The final verdict, when there is one."""
        record = self.store.find(swipe_id)
        return record.check.verdict if record and record.check else None


async def wait_for(until: Callable[[], object], *working: asyncio.Task[Any], within_s: float = 10.0) -> None:
    """Return when something is true; an error of what is at work is raised here."""
    ends = time.monotonic() + within_s
    while not until():
        for task in working:
            if task.done() and not task.cancelled() and task.exception():
                task.result()
        assert time.monotonic() < ends, "waited in vain"
        await asyncio.sleep(0.01)
