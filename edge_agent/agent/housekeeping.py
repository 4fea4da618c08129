"""What is looked after now and then: evidence and its budget, and changes worth an event."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections import Counter

from edge_agent.agent.box_state import SILENT_AFTER_S
from edge_agent.agent.parts import Parts
from edge_agent.agent.tasks import pause
from edge_agent.box.view import BoxState, BoxView, Problem
from edge_agent.edge_config import GIB
from edge_agent.logs import facts
from edge_agent.recorder.budget import keep_inside
from edge_agent.ring.index import IndexUnusable, SegmentIndex
from renzheng.contracts import CameraState
from renzheng.errors import StorageFull

log = logging.getLogger(__name__)

EVERY_S = 5.0
PURGE_EVERY = 12
"""Rounds between two purges."""

HUNG_ROUNDS = 10
UNKNOWN_RING_GIB = 20.0
UNKNOWN_RING_S = 72 * 3600.0
"""What the ring of a camera that is no longer configured keeps to: the defaults of one that is."""


class Housekeeping:
    """Watches the evidence budget, deletes what was sent long enough ago, and notes problems as they come and go."""

    def __init__(self, parts: Parts, view: BoxView) -> None:
        self._parts = parts
        self._view = view
        self._standing: set[tuple[Problem, str | None]] = set()
        self._steps: dict[str, int] = {}
        self._silent: Counter[str] = Counter()

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
            age_out_unknown_rings(self._parts, now_s)
        state = self._view.state()
        self._note_changes(state)
        self._end_hung_recorders(state)

    def _end_hung_recorders(self, state: BoxState) -> None:
        """Kill a recorder that lives and says nothing for some rounds: its disk or driver hangs."""
        for camera in state.cameras:
            hangs = camera.state is CameraState.STALLED and not self._told_lately(camera.camera_id, state.now_s)
            self._silent[camera.camera_id] = self._silent[camera.camera_id] + 1 if hangs else 0
            if self._silent[camera.camera_id] == HUNG_ROUNDS:
                log.error("a recorder hangs and is ended", extra=facts(camera=camera.camera_id))
                self._parts.recorders.kill(camera.camera_id)

    def _told_lately(self, camera_id: str, now_s: float) -> bool:
        try:
            status = self._parts.rings[camera_id].status()
        except IndexUnusable:
            return False
        return status is None or self._parts.clock.real_s(now_s - status.updated_s) <= SILENT_AFTER_S

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


def age_out_unknown_rings(parts: Parts, now_s: float) -> None:
    """Delete what grew old in rings of cameras that the configuration no longer has; what is pinned stays."""
    root = parts.folders.ring("x").parent
    for folder in [folder for folder in root.iterdir() if folder.is_dir() and folder.name not in parts.rings]:
        try:
            with SegmentIndex(folder) as index:
                free = round(parts.config.keep.min_free_gib * GIB)
                most = round(UNKNOWN_RING_GIB * GIB)
                keep_inside(index, folder, max_bytes=most, max_age_s=UNKNOWN_RING_S, min_free_bytes=free, now_s=now_s)
                empty = not index.segments() and not index.pins()
        except (IndexUnusable, StorageFull) as error:
            log.warning(
                "the ring of a former camera cannot be aged out", extra=facts(camera=folder.name, why=str(error))
            )
            continue
        if empty:
            shutil.rmtree(folder, ignore_errors=True)
