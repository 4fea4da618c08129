"""The campaign: swipes come in, parts are killed, the line is cut, the disk fills up; then all of it is counted."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from renzheng.clock import from_seconds
from renzheng.demo.town import INSTITUTION, TERMINAL
from tests.faults.box import Box
from tests.faults.line import Line

ASK_TIMEOUT_S = 5.0
RETRY_S = 0.3
OPEN_MAX = 40
"""A terminal queue longer than this waits: the campaign is about losing nothing, not about speed."""


@dataclass(frozen=True)
class Plan:
    """How much of everything."""

    swipes: int = 2000
    kills: int = 200
    cuts: int = 100
    disk_full: int = 8
    server_faults: int = 60
    server_kills: int = 10
    fault_kinds: str = "500,413,429,hang,close_mid_body,drop_answer"
    seed: int = 1
    kill_every_s: float = 4.0
    limit_s: float = 3000.0


@dataclass
class Tally:
    """What happened, as counted from outside the box."""

    acknowledged: dict[str, float] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    disk_full: int = 0
    server_faults: Counter[str] = field(default_factory=Counter)
    server_kills: int = 0


@dataclass
class Campaign:
    """One run. ``fill_disk`` fills the box's disk and gives a function that frees it; ``None`` where that cannot be."""

    plan: Plan
    box: Box
    line: Line
    cards: Sequence[str]
    set_server_fault: Callable[[str | None], Awaitable[None]]
    restart_server: Callable[[], Awaitable[None]]
    fill_disk: Callable[[], Callable[[], None]] | None
    tally: Tally = field(default_factory=Tally)
    _over: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Everything at once until every swipe is acknowledged and every fault was made; then calm."""
        draw = random.Random(self.plan.seed)
        self.box.start()
        troubles = [
            asyncio.create_task(self._kill(random.Random(draw.random()))),
            asyncio.create_task(self._cut(random.Random(draw.random()))),
            asyncio.create_task(self._break_server(random.Random(draw.random()))),
            asyncio.create_task(self._fill(random.Random(draw.random()))),
        ]
        try:
            async with asyncio.timeout(self.plan.limit_s):
                await asyncio.gather(self._swipe(), *troubles)
        finally:
            for trouble in troubles:
                trouble.cancel()
            await asyncio.gather(*troubles, return_exceptions=True)
            await self.set_server_fault(None)

    async def _swipe(self) -> None:
        """Post every swipe until it is acknowledged, as a terminal does."""
        pace_s = self.plan.kills * self.plan.kill_every_s / max(1, self.plan.swipes)
        async with httpx.AsyncClient(timeout=ASK_TIMEOUT_S) as terminal:
            for number in range(self.plan.swipes):
                began_s = time.monotonic()
                swipe_id = f"F{self.plan.seed:02d}{number:07d}"
                swipe = {
                    "setl_id": swipe_id,
                    "psn_no": self.cards[number % len(self.cards)],
                    "fixmedins_code": INSTITUTION,
                    "terminal_id": TERMINAL,
                    "setl_time": from_seconds(time.time()).isoformat(),
                }
                await self._post(terminal, swipe)
                self.tally.acknowledged[swipe_id] = time.time()
                await asyncio.sleep(max(0.0, pace_s - (time.monotonic() - began_s)))
        self._over.set()

    async def _post(self, terminal: httpx.AsyncClient, swipe: dict[str, str]) -> None:
        while True:
            try:
                answer = await terminal.post(f"{self.box.url}/v1/swipes", json=swipe)
            except httpx.HTTPError as error:
                self.tally.answers[type(error).__name__] += 1
            else:
                self.tally.answers[str(answer.status_code)] += 1
                if answer.status_code in (200, 202):
                    return
            await asyncio.sleep(RETRY_S)

    async def _kill(self, draw: random.Random) -> None:
        """Kill while it runs, while it checks, and while it starts."""
        while sum(self.box.kills.values()) < self.plan.kills:
            await asyncio.sleep(draw.choice((0.2, 1.0, 1.0, 2.0)) * draw.random() * 2 * self.plan.kill_every_s)
            await asyncio.to_thread(self.box.kill, draw)

    async def _cut(self, draw: random.Random) -> None:
        while self.line.cuts < self.plan.cuts:
            await self.line.cut_for(draw.uniform(0.1, 2.5))
            await asyncio.sleep(draw.uniform(0.5, 2 * self._every_s(self.plan.cuts)))

    async def _break_server(self, draw: random.Random) -> None:
        kinds = self.plan.fault_kinds.split(",")
        for number in range(self.plan.server_faults):
            kind = kinds[number % len(kinds)]
            with suppress(httpx.HTTPError):
                await self.set_server_fault(kind)
                self.tally.server_faults[kind] += 1
                await asyncio.sleep(draw.uniform(0.5, 2.0))
                await self.set_server_fault(None)
            await asyncio.sleep(draw.uniform(0.5, 1.5) * self._every_s(self.plan.server_faults))
            if number % max(1, self.plan.server_faults // max(1, self.plan.server_kills)) == 0:
                await self.restart_server()
                self.tally.server_kills += 1

    async def _fill(self, draw: random.Random) -> None:
        if self.fill_disk is None:
            return
        while self.tally.disk_full < self.plan.disk_full:
            await asyncio.sleep(draw.uniform(0.5, 1.5) * self._every_s(self.plan.disk_full))
            free = await asyncio.to_thread(self.fill_disk)
            try:
                self.tally.disk_full += 1
                await asyncio.sleep(draw.uniform(2.0, 5.0))
            finally:
                await asyncio.to_thread(free)

    def _every_s(self, times: int) -> float:
        return self.plan.kills * self.plan.kill_every_s / max(1, times)


def fill(folder: Path) -> Callable[[], None]:
    """Write into the folder until the disk is full; the returned function frees the room."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as stream, suppress(OSError):
        while True:
            stream.write(b"\0" * 65_536)
    with filler.open("ab", buffering=0) as stream, suppress(OSError):
        while True:
            stream.write(b"\0")
            break
    return lambda: filler.unlink(missing_ok=True)
