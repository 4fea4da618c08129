"""The vision processes of a box. Each has its own cameras: what is remembered of a camera lies in one process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence

from edge_agent.agent_clock import AgentClock
from edge_agent.edge_config import EdgeConfig
from edge_agent.live.jobs import BedJob, GlanceJob, Job, SnapshotJob
from edge_agent.live.vision_process import VisionProcess
from edge_agent.ward.ward_file import Ward


class VisionPool:
    """Vision processes that are started, watched and stopped together; each lives and dies by itself."""

    def __init__(self, processes: Sequence[VisionProcess]) -> None:
        self.processes = tuple(processes)

    @property
    def restarts(self) -> dict[str, int]:
        """By process, how often one was started after the first."""
        return {process.name: process.restarts for process in self.processes}

    @property
    def ready(self) -> bool:
        """Whether every process is there and was able to start."""
        return all(process.ready for process in self.processes)

    @property
    def down(self) -> bool:
        """Whether one is not there that was there before, or could not start."""
        return any(not process.ready and (process.restarts or process.problem) for process in self.processes)

    @property
    def problem(self) -> str:
        """Why one could not start; empty when all could."""
        return next((process.problem for process in self.processes if process.problem), "")

    async def start(self) -> None:
        """Start them all and wait until they take jobs. Raises :class:`VisionDied` with why one does not."""
        started = await asyncio.gather(*(process.start() for process in self.processes), return_exceptions=True)
        for failure in started:
            if isinstance(failure, BaseException):
                raise failure

    async def stop(self, deadline_s: float) -> None:
        """Let the jobs in hand end, then the processes; kill those that take longer. Safe to call at any time."""
        await asyncio.gather(*(process.stop(deadline_s) for process in self.processes))


def vision_processes(config: EdgeConfig, clock: AgentClock) -> tuple[VisionProcess, ...]:
    """As many as are configured, but no more than there are cores, or cameras, which are dealt out in turn."""
    shares = _shares(config)
    if len(shares) == 1:
        return (VisionProcess(config, clock),)
    return tuple(
        VisionProcess(config, clock, f"vision {number}", cameras) for number, cameras in enumerate(shares, start=1)
    )


def _shares(config: EdgeConfig) -> tuple[tuple[str, ...], ...]:
    cameras = tuple(camera.id for camera in config.camera)
    count = min(config.vision.workers, os.cpu_count() or 1, len(cameras))
    return tuple(cameras[number::count] for number in range(count))


class Shares:
    """Says which of the processes a job is for."""

    def __init__(self, config: EdgeConfig, ward: Ward | None = None) -> None:
        shares = _shares(config)
        camera_at = {camera: number for number, cameras in enumerate(shares) for camera in cameras}
        self._at_terminal = {terminal.id: camera_at[terminal.camera] for terminal in config.terminal}
        self._at_bed = {bed.bed_id: camera_at[bed.camera_id] for bed in ward.beds} if ward else {}
        self._at_camera = camera_at

    def of(self, job: Job) -> int:
        """The number of the process; of what is not configured any more the first, which says so."""
        match job:
            case GlanceJob() | SnapshotJob():
                return self._at_camera.get(job.camera_id, 0)
            case BedJob():
                return self._at_bed.get(job.bed_id, 0)
            case _:
                return self._at_terminal.get(job.swipe.terminal_id, 0)
