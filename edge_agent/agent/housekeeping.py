"""What is looked after now and then: evidence and its budget, and changes worth an event."""

from __future__ import annotations

import asyncio
import logging

from edge_agent.agent.parts import Parts
from edge_agent.agent.tasks import pause
from edge_agent.box.view import BoxState, BoxView, Problem
from edge_agent.logs import facts

log = logging.getLogger(__name__)

EVERY_S = 5.0
PURGE_EVERY = 12
"""Rounds between two purges."""


class Housekeeping:
    """Watches the evidence budget, deletes what was sent long enough ago, and notes problems as they come and go."""

    def __init__(self, parts: Parts, view: BoxView) -> None:
        self._parts = parts
        self._view = view
        self._standing: set[tuple[Problem, str | None]] = set()
        self._steps: dict[str, int] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """One round every few real seconds."""
        number = 0
        while not stop.is_set():
            self._round(number)
            number += 1
            await pause(stop, EVERY_S)

    def _round(self, number: int) -> None:
        now_s = self._parts.clock.now_s()
        self._parts.evidence.watch(now_s)
        if number % PURGE_EVERY == 0:
            self._parts.evidence.purge(now_s)
        self._note_changes(self._view.state())

    def _note_changes(self, state: BoxState) -> None:
        """An event when a problem begins and when it is over, and when the box's clock was set."""
        standing = {(problem.kind, problem.where): problem for problem in state.problems}
        store = self._parts.store
        for key in standing.keys() - self._standing:
            problem = standing[key]
            store.note_event(problem.kind.value, problem.where, problem.detail, state.now_s)
            log.warning(
                "a problem began", extra=facts(problem=problem.kind.value, of=problem.where, why=problem.detail)
            )
        for kind, where in self._standing - standing.keys():
            store.note_event(f"{kind.value}_over", where, "", state.now_s)
            log.info("a problem is over", extra=facts(problem=kind.value, of=where))
        self._standing = set(standing)
        for camera in state.cameras:
            before = self._steps.get(camera.camera_id, camera.clock_steps)
            if camera.clock_steps > before:
                store.note_event(Problem.CLOCK_STEPPED.value, camera.camera_id, "the box's clock was set", state.now_s)
            self._steps[camera.camera_id] = camera.clock_steps
