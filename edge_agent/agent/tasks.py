"""The tasks of the main process: each has a name, and one that dies is told, counted and begun again."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable

from edge_agent.logs import facts
from edge_agent.outbox.store import StoreDamaged

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
STEADY_AFTER_S = 300.0
"""A task that ran so long had a fresh start: its next pause is short again."""

Work = Callable[[asyncio.Event], Awaitable[None]]
"""Runs until the event is set; to return earlier without an error means that it is done."""


async def pause(stop: asyncio.Event, seconds: float) -> bool:
    """Wait so long or until stopped; whether to go on."""
    try:
        await asyncio.wait_for(stop.wait(), max(0.0, seconds))
    except TimeoutError:
        return True
    return False


class Tasks:
    """Tasks that end together: starts them, begins dead ones again with growing pauses, ends them within a deadline.

    ``on_damage`` is called when a task finds the store damaged; such a task is not begun again.
    """

    def __init__(self, restarts: Counter[str] | None = None, on_damage: Callable[[], None] = lambda: None) -> None:
        self.restarts: Counter[str] = Counter() if restarts is None else restarts
        self._on_damage = on_damage
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, name: str, work: Work) -> None:
        """Run ``work`` under a name until :meth:`end`."""
        self._tasks.append(asyncio.create_task(self._keep_up(name, work), name=name))

    async def _keep_up(self, name: str, work: Work) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                await work(self._stop)
                return
            except StoreDamaged:  # opening it again moves it aside and begins a new one: that takes a new start
                log.exception("the store is damaged", extra=facts(task=name))
                self._on_damage()
                return
            except Exception:  # the edge of a loop: whatever it was, the agent goes on
                self.restarts[name] += 1
                if time.monotonic() - began > STEADY_AFTER_S:
                    pause_s = FIRST_PAUSE_S
                log.exception("a task died and is begun again", extra=facts(task=name, pause_s=pause_s))
            if not await pause(self._stop, pause_s):
                return
            pause_s = min(LONGEST_PAUSE_S, pause_s * 2)

    async def end(self, deadline_s: float) -> None:
        """Tell all of them to end and wait; those that are late are cut off."""
        self._stop.set()
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=deadline_s)
        for task in late:
            log.warning("a task did not end in time and was cut off", extra=facts(task=task.get_name()))
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
