"""Looking at a swipe's window while it still runs: the final check then has only the last seconds left to look at.

What is seen is remembered by the vision process of the camera; a first look that does not happen costs time later and
nothing else.
"""

from __future__ import annotations

import asyncio
import heapq

from edge_agent.agent.dispatcher import Dispatcher, Urgency
from edge_agent.agent.tasks import pause
from edge_agent.agent.templates import Templates
from edge_agent.agent_clock import LONGEST_NAP_S, AgentClock
from edge_agent.live.jobs import AheadJob, Answer, LookedAhead
from edge_agent.outbox.store import Store, SwipeRecord

LAST_LOOK_S = 1.2
"""So long before the end of the window it is looked at once more."""

UNDER_WAY_MAX = 8
"""With more looks than this under way the next would hardly be done before its window is over."""


class FirstLooks:
    """Asks for a look when a swipe arrives and for another shortly before its window ends."""

    def __init__(self, clock: AgentClock, store: Store, dispatcher: Dispatcher, templates: Templates | None) -> None:
        self._clock = clock
        self._store = store
        self._dispatcher = dispatcher
        self._templates = templates
        self._due: list[tuple[float, str]] = []
        self._arrived = asyncio.Event()
        self._looking: set[asyncio.Task[None]] = set()

    def plan(self, swipe_id: str, left_s: float) -> None:
        """Look now and again while ``left_s`` seconds of the swipe's window are left."""
        now_s = self._clock.steady_s()
        for in_s in (0.0, left_s - LAST_LOOK_S):
            if 0.0 <= in_s < left_s:
                heapq.heappush(self._due, (now_s + in_s, swipe_id))
        self._arrived.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Until stopped; then those that are under way end."""
        while not stop.is_set():
            self._arrived.clear()
            while self._due and self._due[0][0] <= self._clock.steady_s():
                self._begin(heapq.heappop(self._due)[1])
            left_s = self._due[0][0] - self._clock.steady_s() if self._due else LONGEST_NAP_S
            waits = [asyncio.ensure_future(pause(stop, max(0.0, self._clock.real_s(left_s))))]
            waits.append(asyncio.ensure_future(self._arrived.wait()))
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
            for done in [task for task in self._looking if task.done()]:
                self._looking.remove(done)
                done.result()
        await asyncio.gather(*self._looking)

    def _begin(self, swipe_id: str) -> None:
        """Cameras are seen by several processes: a look in one need not wait for that in another."""
        record = self._store.find(swipe_id)
        busy = sum(not look.done() for look in self._looking) > UNDER_WAY_MAX
        if record is not None and record.state != "done" and not busy:
            self._looking.add(asyncio.create_task(self._look(record), name=f"ahead-{swipe_id}"))

    async def _look(self, record: SwipeRecord) -> None:
        if self._templates is not None:
            await self._templates.ensure(record.swipe.psn_no, record.swipe.setl_time)
        job = AheadJob(f"ahead-{record.setl_id}", record.swipe)
        answer: Answer = LookedAhead(job.job_id, more=True)
        while isinstance(answer, LookedAhead) and answer.more:
            answer = await self._dispatcher.ask(job, Urgency.AHEAD, record.received_s)
