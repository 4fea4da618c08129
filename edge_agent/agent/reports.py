"""What the box tells the server of itself, every few minutes."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence

import renzheng
from edge_agent.agent.parts import Parts
from edge_agent.agent.tasks import pause
from edge_agent.agent_clock import LONGEST_NAP_S
from edge_agent.edge_config import CameraConfig
from edge_agent.footage import TimeWindow
from edge_agent.outbox.store import NumberedEvent
from edge_agent.ring.index import IndexUnusable
from renzheng.clock import from_seconds
from renzheng.contracts import AgentReport, CameraFitness, CameraReport, CameraState, RecordingGap

REPORTED_UNTIL_NOTE = "reported_until_s"
REPORTED_EVENT_NOTE = "reported_event"
EVENTS_MAX = 200
"""Events in one report; more go with the next."""


class Reports:
    """Makes a report of each period and queues it; a report and the end of its period are noted together."""

    def __init__(self, parts: Parts, every_s: float) -> None:
        self._parts = parts
        self._every_s = every_s

    async def run(self, stop: asyncio.Event) -> None:
        """One report a period, and one at the end."""
        clock = self._parts.clock
        next_s = clock.steady_s() + self._every_s
        while not stop.is_set():
            if clock.steady_s() >= next_s:
                self.report()
                next_s = clock.steady_s() + self._every_s
            await pause(stop, min(LONGEST_NAP_S, clock.real_s(next_s - clock.steady_s())))
        self.report()

    def report(self) -> None:
        """Queue the report of the time since the last one."""
        parts = self._parts
        now_s = parts.clock.now_s()
        since_s = min(float(parts.store.note(REPORTED_UNTIL_NOTE) or parts.started_s), now_s)
        events = parts.store.events_since(int(parts.store.note(REPORTED_EVENT_NOTE) or 0))[:EVENTS_MAX]
        notes = {REPORTED_UNTIL_NOTE: repr(now_s)}
        if events:
            notes[REPORTED_EVENT_NOTE] = str(events[-1].number)
        parts.store.queue_report(self._made(since_s, now_s, events), notes)
        if parts.uplink is not None:
            parts.uplink.nudge()

    def _made(self, since_s: float, now_s: float, events: Sequence[NumberedEvent]) -> AgentReport:
        parts = self._parts
        fitness = parts.store.fitness()
        return AgentReport(
            report_id=f"{parts.identity.device_id}-{round(now_s * 1000)}",
            device_id=parts.identity.device_id,
            fixmedins_code=parts.config.fixmedins_code,
            agent_version=renzheng.__version__,
            period_start=from_seconds(since_s),
            period_end=from_seconds(now_s),
            cameras=tuple(
                self._camera(camera, fitness.get(camera.id), since_s, now_s) for camera in parts.config.camera
            ),
            checks_by_verdict=parts.store.counts_by_verdict(since_s),
            outbox_waiting=parts.outbox.waiting(),
            outbox_oldest_s=parts.outbox.oldest_waiting_s(now_s),
            evidence_bytes=parts.evidence.used_bytes(),
            evidence_budget_bytes=parts.evidence.budget_bytes,
            disk_free_bytes=shutil.disk_usage(parts.folders.data_dir).free,
            dropped=parts.store.drops() | {"glance": parts.dispatcher.glances_dropped},
            events=tuple(numbered.event for numbered in events),
        )

    def _camera(
        self, camera: CameraConfig, fitness: CameraFitness | None, since_s: float, now_s: float
    ) -> CameraReport:
        ring = self._parts.rings[camera.id]
        try:
            status, extent = ring.status(), ring.extent()
            gaps = ring.gaps(TimeWindow(min(since_s, now_s - 1.0), now_s))
            ring_bytes = ring.size_bytes()
        except IndexUnusable:
            return CameraReport(camera_id=camera.id, state=CameraState.STOPPED, packets=0, reconnects=0)
        alive = self._parts.recorders.is_alive(camera.id)
        return CameraReport(
            camera_id=camera.id,
            state=status.state if status and alive else CameraState.STOPPED,
            packets=status.packets if status else 0,
            reconnects=status.reconnects if status else 0,
            recorded_from=from_seconds(extent.start_s) if extent else None,
            recorded_until=from_seconds(extent.end_s) if extent else None,
            ring_bytes=ring_bytes,
            gaps=tuple(
                RecordingGap(
                    start=from_seconds(gap.start_s),
                    end=None if gap.end_s is None else from_seconds(gap.end_s),
                    why=gap.why,
                )
                for gap in gaps
            ),
            footfall=self._parts.store.footfall(camera.id, since_s),
            fitness=fitness,
        )
