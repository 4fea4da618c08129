"""The uplink: two loops that empty the outbox, one of checks and reports, one of clips."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from edge_agent.agent_clock import AgentClock
from edge_agent.edge_config import ServerConfig
from edge_agent.logs import facts
from edge_agent.outbox.outbox import Kind, Outbox
from edge_agent.uplink.clips import Clips
from edge_agent.uplink.deliveries import Deliveries
from edge_agent.uplink.pace import Backoff, TokenBucket
from edge_agent.uplink.putting_off import OnEvent, PuttingOff
from edge_agent.uplink.server_link import LinkFailure, Revoked, ServerLink, Wait
from edge_agent.uplink.tus import TusClient
from renzheng.errors import RenzhengError

log = logging.getLogger(__name__)

IDLE_S = 2.0
"""How often an empty outbox is looked at; :meth:`Uplink.nudge` saves the wait."""

REVOKED_EVERY_S = 600.0
DRAIN_S = 10.0
KIB = 1024.0


class LinkState(StrEnum):
    """Where the line to the server stands."""

    UNTRIED = "untried"
    UP = "up"
    UNREACHABLE = "unreachable"
    WAITING = "waiting"
    REVOKED = "revoked"


LOOPS: dict[str, tuple[Kind, ...]] = {"deliveries": ("check", "report"), "clips": ("clip",)}
"""What each loop sends; nobody else leases it."""

FINE = (LinkState.UNTRIED, LinkState.UP)


@dataclass
class _Line:
    """How one loop fares."""

    since_s: float
    state: LinkState = LinkState.UNTRIED
    why: str = ""


@dataclass(frozen=True)
class UplinkStatus:
    """What the box's pages show. Times are seconds since 1970 (UTC)."""

    state: LinkState
    since_s: float
    last_success_s: float | None
    why: str
    clip_bytes_sent: int


class Uplink:
    """Sends what the outbox holds, each thing at least once and under its id, and acknowledges only what was answered.

    Times between tries are real ones, also in a replay.
    """

    def __init__(
        self,
        outbox: Outbox,
        link: ServerLink,
        server: ServerConfig,
        clock: AgentClock,
        *,
        on_event: OnEvent = lambda kind, detail: None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        rate = None if server.clip_kib_per_s is None else server.clip_kib_per_s * KIB
        self._clock, self._on_event, self._draw = clock, on_event, draw
        self._tus = TusClient(link, TokenBucket(rate))
        putting_off = PuttingOff(outbox, clock, on_event)
        self._deliveries = Deliveries(outbox, link, clock, putting_off, on_event)
        self._clips = Clips(outbox, self._tus, clock, server.clip_windows, putting_off, on_event)
        self._wake = {name: asyncio.Event() for name in LOOPS}
        self._link, self._outbox = link, outbox
        self._lines = {name: _Line(since_s=clock.now_s()) for name in LOOPS}
        self._last_success_s: float | None = None

    def nudge(self) -> None:
        """Something was queued."""
        for wake in self._wake.values():
            wake.set()

    def status(self) -> UplinkStatus:
        """Where the line stands now: as for deliveries, or as for clips where only those have trouble."""
        deliveries, clips = (self._lines[name] for name in LOOPS)
        line = clips if deliveries.state in FINE and clips.state not in FINE else deliveries
        return UplinkStatus(line.state, line.since_s, self._last_success_s, line.why, self._tus.bytes_sent)

    async def run(self, stop: asyncio.Event, drain_s: float = DRAIN_S) -> None:
        """Send until stopped. Then checks that wait are still sent, and a clip's upload ends with its current piece;
        what is not done after ``drain_s`` real seconds is left for the next start.
        """
        loops = [
            asyncio.create_task(self._loop("deliveries", self._deliveries.step, stop), name="uplink deliveries"),
            asyncio.create_task(
                self._loop("clips", lambda: self._clips.step(lambda: not stop.is_set()), stop), name="uplink clips"
            ),
        ]
        stopped = asyncio.create_task(stop.wait(), name="uplink stop")
        try:
            await asyncio.wait([*loops, stopped], return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait(loops, timeout=drain_s)
        finally:
            for task in (*loops, stopped):
                task.cancel()
            results = await asyncio.gather(*loops, stopped, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _loop(self, name: str, step: Callable[[], Awaitable[bool]], stop: asyncio.Event) -> None:
        backoff = Backoff(draw=self._draw)
        astray = True  # leases of which nobody knows any more what became of them
        while True:
            successes = self._link.successes
            try:
                if astray:
                    self._outbox.give_back_all(LOOPS[name])
                astray = False
                worked = await step()
            except RenzhengError as failure:
                astray = not isinstance(failure, LinkFailure)
                if stop.is_set():
                    return
                await _until(stop, self._after(name, failure, backoff))
                continue
            if self._link.successes > successes:
                backoff.reset()
                self._now(name, LinkState.UP, "")
            if not worked:
                if stop.is_set():
                    return
                await self._idle(name, stop)

    async def _idle(self, name: str, stop: asyncio.Event) -> None:
        waits = [asyncio.create_task(event.wait()) for event in (stop, self._wake[name])]
        try:
            await asyncio.wait(waits, timeout=IDLE_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        self._wake[name].clear()

    def _after(self, name: str, failure: RenzhengError, backoff: Backoff) -> float:
        """How long to wait, real seconds, with the state it leaves the line in."""
        if isinstance(failure, Revoked):
            if self._now(name, LinkState.REVOKED, str(failure)):
                self._on_event("device_revoked", str(failure))
            return REVOKED_EVERY_S * (0.5 + 0.5 * self._draw())
        if isinstance(failure, Wait):
            self._now(name, LinkState.WAITING, str(failure))
            return failure.retry_after_s
        if isinstance(failure, LinkFailure):
            self._now(name, LinkState.UNREACHABLE, str(failure))
        else:
            log.warning("the outbox cannot be used", extra=facts(why=str(failure)))
        return backoff.next_s()

    def _now(self, name: str, state: LinkState, why: str) -> bool:
        """Whether the state is a new one. The first failure is a warning, the same again is not."""
        line = self._lines[name]
        if state is LinkState.UP:
            self._last_success_s = self._clock.now_s()
        line.why = why
        if state is line.state:
            log.debug("the line to the server", extra=facts(line=name, state=state, why=why))
            return False
        level = logging.INFO if state is LinkState.UP else logging.WARNING
        log.log(level, "the line to the server", extra=facts(line=name, state=state, former=line.state, why=why))
        line.state, line.since_s = state, self._clock.now_s()
        return True


async def _until(stop: asyncio.Event, wait_s: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), wait_s)
    except TimeoutError:
        return
