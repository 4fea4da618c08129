"""What the box's pages and metrics show, gathered from the parts of the agent."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Iterator

import renzheng
from edge_agent.agent.dispatcher import Urgency
from edge_agent.agent.parts import Parts
from edge_agent.box.view import (
    BoxState,
    CameraView,
    CheckView,
    CurrentProblem,
    OutboxView,
    Problem,
    ServerState,
)
from edge_agent.edge_config import GIB, CameraConfig
from edge_agent.footage import TimeWindow
from edge_agent.live.jobs import SnapshotDone, SnapshotJob
from edge_agent.logs import facts
from edge_agent.outbox.store import CheckSummary
from edge_agent.ring.index import IndexUnusable
from edge_agent.ring.segment import RECORDING_BEGINS, CameraStatus
from edge_agent.uplink.uplink import LinkState
from renzheng.clock import SHANGHAI, from_seconds, to_seconds
from renzheng.contracts import BedVerdict, CameraFitness, CameraState, Verdict

log = logging.getLogger(__name__)

RECENT = 20
EVENTS = 20
DAY_S = 86_400.0
SILENT_AFTER_S = 15.0
"""A recorder tells how it is about once a second; real seconds after which one that says nothing hangs."""

SNAPSHOT_LIMIT_S = 10.0
SNAPSHOT_KEPT_S = 2.0
STATE_KEPT_S = 0.5
"""Pages and scrapes that come closer together share one state."""

_LINK = {
    LinkState.UNTRIED: ServerState.REACHED,
    LinkState.UP: ServerState.REACHED,
    LinkState.WAITING: ServerState.REACHED,
    LinkState.UNREACHABLE: ServerState.UNREACHABLE,
    LinkState.REVOKED: ServerState.REVOKED,
}


class AgentView:
    """Implements :class:`edge_agent.box.view.BoxView` over the parts of a running agent."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._kept: tuple[float, BoxState] | None = None
        self._snapshot_turn = asyncio.Lock()
        self._snapshots: dict[str, tuple[float, bytes | None]] = {}
        self.stopping = False

    def state(self) -> BoxState:
        """The box now, at most half a second old."""
        steady_s = asyncio.get_running_loop().time()
        if self._kept is None or steady_s - self._kept[0] > STATE_KEPT_S:
            self._kept = steady_s, self._gathered()
        return self._kept[1]

    async def snapshot(self, camera_id: str) -> bytes | None:
        """The newest keyframe, shown by the vision process and kept nowhere; one at a time, when nothing else waits."""
        if camera_id not in self._parts.rings:
            return None
        log.info("a snapshot is shown", extra=facts(camera=camera_id))
        async with self._snapshot_turn:
            made_s, jpeg = self._snapshots.get(camera_id, (float("-inf"), None))
            if asyncio.get_running_loop().time() - made_s > SNAPSHOT_KEPT_S:
                jpeg = await self._fresh_snapshot(camera_id)
                self._snapshots[camera_id] = asyncio.get_running_loop().time(), jpeg
        return jpeg

    async def _fresh_snapshot(self, camera_id: str) -> bytes | None:
        job = SnapshotJob(f"snapshot-{camera_id}", camera_id)
        try:
            answer = await asyncio.wait_for(self._parts.dispatcher.ask(job, Urgency.GLANCE), SNAPSHOT_LIMIT_S)
        except TimeoutError:
            return None
        return answer.jpeg if isinstance(answer, SnapshotDone) else None

    def _gathered(self) -> BoxState:
        parts = self._parts
        now_s = parts.clock.now_s()
        fitness = parts.store.fitness()
        cameras = tuple(self._camera(camera, fitness.get(camera.id), now_s) for camera in parts.config.camera)
        midnight = from_seconds(now_s).astimezone(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0)
        return BoxState(
            now_s=now_s,
            started_s=parts.started_s,
            agent_version=renzheng.__version__,
            device_id=parts.identity.device_id,
            fixmedins_code=parts.config.fixmedins_code,
            cameras=cameras,
            problems=tuple(self._problems(cameras)),
            recent=self._recent(),
            checks_today=_verdicts(parts.store.counts_by_verdict(to_seconds(midnight))),
            server=ServerState.NONE if parts.uplink is None else _LINK[parts.uplink.status().state],
            outbox=self._outbox(now_s),
            evidence_bytes=parts.evidence.used_bytes(),
            evidence_budget_bytes=parts.evidence.budget_bytes,
            disk_free_bytes=shutil.disk_usage(parts.folders.data_dir).free,
            dropped=parts.store.drops() | {"glance": parts.dispatcher.glances_dropped},
            restarts=parts.restarts | parts.recorders.restarts | parts.vision.restarts,
            queues={"vision": parts.dispatcher.waiting, "swipes": parts.checks.waiting},
            rejected={source.name: source.rejected for source in parts.sources},
            events=tuple(numbered.event for numbered in reversed(parts.store.newest_events(EVENTS))),
        )

    def _camera(self, camera: CameraConfig, fitness: CameraFitness | None, now_s: float) -> CameraView:
        ring = self._parts.rings[camera.id]
        try:
            status, extent = ring.status(), ring.extent()
            gaps = sum(gap.why != RECORDING_BEGINS for gap in ring.gaps(TimeWindow(now_s - DAY_S, now_s)))
            ring_bytes = ring.size_bytes()
        except IndexUnusable as error:
            return CameraView(camera.id, CameraState.STOPPED, last_error=str(error))
        status = status or CameraStatus(CameraState.CONNECTING, now_s, now_s)
        silent = self._parts.clock.real_s(now_s - status.updated_s) > SILENT_AFTER_S
        return CameraView(
            camera_id=camera.id,
            state=self._state_of(camera.id, status.state, silent),
            since_s=status.since_s,
            last_packet_s=status.last_packet_s,
            packets=status.packets,
            received_bytes=status.bytes,
            dropped_packets=status.dropped,
            reconnects=status.reconnects,
            gaps=gaps,
            clock_steps=status.clock_steps,
            timestamp_jumps=status.timestamp_jumps,
            parameter_changes=status.parameter_changes,
            recorder_restarts=self._parts.recorders.restarts[f"recorder {camera.id}"],
            codec=status.codec or None,
            resolution_wh=status.wh,
            ring_bytes=ring_bytes,
            ring_budget_bytes=round(camera.ring_gib * GIB),
            recorded_from_s=extent.start_s if extent else None,
            recorded_until_s=extent.end_s if extent else None,
            disk_full=status.disk_full,
            last_error=status.last_error,
            fitness=fitness,
            footfall=self._parts.store.footfall(camera.id, now_s - DAY_S),
        )

    def _state_of(self, camera_id: str, told: CameraState, silent: bool) -> CameraState:
        """What the recorder says, unless it is gone or says nothing any more."""
        if not self._parts.recorders.is_alive(camera_id):
            return CameraState.STOPPED
        return CameraState.STALLED if silent else told

    def _recent(self) -> tuple[CheckView, ...]:
        store = self._parts.store
        waiting = [
            CheckView(record.setl_id, "swipe", record.terminal_id, to_seconds(record.swipe.setl_time), record.source)
            for record in store.newest_open_swipes(RECENT)
        ]
        return (*waiting, *(_finished(summary) for summary in store.recent_checks(RECENT)))[:RECENT]

    def _outbox(self, now_s: float) -> OutboxView:
        counts = self._parts.outbox.counts()
        return OutboxView(
            waiting={kind: states["pending"] + states["sending"] for kind, states in counts.items()},
            refused=sum(states["refused"] for states in counts.values()),
            oldest_s=self._parts.outbox.oldest_waiting_s(now_s),
            last_acknowledged_s=self._parts.uplink.status().last_success_s if self._parts.uplink else None,
        )

    def _problems(self, cameras: tuple[CameraView, ...]) -> Iterator[CurrentProblem]:
        parts = self._parts
        if self.stopping:
            yield CurrentProblem(Problem.STOPPING)
        if not parts.vision.ready:
            kind = Problem.VISION_DOWN if parts.vision.down else Problem.STARTING
            yield CurrentProblem(kind, detail=parts.vision.problem)
        if parts.checks.storage_full:
            yield CurrentProblem(Problem.STORAGE_FULL)
        for camera in cameras:
            if parts.recorders.was_started(camera.camera_id):
                yield from _camera_problems(camera, parts.recorders.is_alive(camera.camera_id))
        for terminal in sorted(parts.checks.lost_terminals):
            yield CurrentProblem(Problem.TERMINAL_LOST, terminal)
        for source in parts.sources:
            if source.trouble:
                yield CurrentProblem(Problem.SOURCE_FAILED, source.name, source.trouble)
        if parts.evidence.alarm:
            yield CurrentProblem(Problem.EVIDENCE_LOW, detail=parts.evidence.alarm)
        if parts.uplink is not None:
            status = parts.uplink.status()
            if status.state is LinkState.UNREACHABLE:
                yield CurrentProblem(Problem.SERVER_UNREACHABLE, detail=status.why, since_s=status.since_s)
            if status.state is LinkState.REVOKED:
                yield CurrentProblem(Problem.DEVICE_REVOKED, detail=status.why, since_s=status.since_s)


def _camera_problems(camera: CameraView, recorder_alive: bool) -> Iterator[CurrentProblem]:
    where = camera.camera_id
    if not recorder_alive:
        yield CurrentProblem(Problem.RECORDER_RESTARTING, where)
    elif camera.state is not CameraState.LIVE:
        yield CurrentProblem(Problem.CAMERA_NOT_LIVE, where, camera.last_error, camera.since_s)
    if camera.disk_full:
        yield CurrentProblem(Problem.RING_FULL, where)
    if camera.fitness is not None and camera.fitness.faults:
        measured_s = to_seconds(camera.fitness.measured_at)
        faults = ", ".join(fault.value for fault in camera.fitness.faults)
        yield CurrentProblem(Problem.CAMERA_UNFIT, where, faults, measured_s)


def _finished(summary: CheckSummary) -> CheckView:
    return CheckView(
        check_id=summary.check_id,
        kind=summary.kind,
        place=summary.place,
        at_s=summary.asked_s,
        verdict=summary.verdict,
        reasons=summary.reasons,
        finished_s=summary.finished_s,
    )


def _verdicts(counts: dict[str, int]) -> dict[Verdict | BedVerdict, int]:
    return {
        BedVerdict(name.removeprefix("bed_")) if name.startswith("bed_") else Verdict(name): count
        for name, count in counts.items()
    }
