"""The recorders of all cameras: started, watched, begun again with growing pauses, and ended in time."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge_agent.agent.tasks import pause
from edge_agent.agent_clock import AgentClock
from edge_agent.edge_config import BoxFolders, EdgeConfig
from edge_agent.logs import facts
from edge_agent.recorder.process import RecorderHandle
from edge_agent.recording_probe import RecordedFile

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
STEADY_AFTER_S = 60.0
"""A recorder that ran so long had a fresh start: its next pause is short again."""


@dataclass
class _Watched:
    handle: RecorderHandle
    started_at: float
    pause_s: float = FIRST_PAUSE_S
    next_start_at: float | None = None


class Recorders:
    """One recorder a camera. A box is unattended: a recorder that keeps dying is tried for ever, ever more slowly."""

    def __init__(
        self,
        config: EdgeConfig,
        folders: BoxFolders,
        clock: AgentClock,
        recordings: Mapping[str, Sequence[RecordedFile]],
    ) -> None:
        self.restarts: Counter[str] = Counter()
        self._watched = {
            camera.id: _Watched(
                RecorderHandle(camera, folders.ring(camera.id), config.keep, clock, recordings.get(camera.id, ())), 0.0
            )
            for camera in config.camera
        }

    def is_alive(self, camera_id: str) -> bool:
        """Whether the camera's recorder runs."""
        return self._watched[camera_id].handle.is_alive()

    def was_started(self, camera_id: str) -> bool:
        """Whether the camera's recorder ever ran."""
        return self._watched[camera_id].started_at > 0

    def kill(self, camera_id: str) -> None:
        """End a recorder that hangs; :meth:`run` begins it again."""
        self._watched[camera_id].handle.kill()

    async def run(self, stop: asyncio.Event) -> None:
        """Start them and keep them going until stopped."""
        for watched in self._watched.values():
            await self._start(watched)
        while await pause(stop, LOOK_EVERY_S):
            for watched in self._watched.values():
                if not watched.handle.is_alive():
                    await self._begin_again(watched)

    async def stop(self, within_s: float) -> None:
        """End all of them at once; those that do not end in time are killed."""
        await asyncio.gather(*(asyncio.to_thread(watched.handle.stop, within_s) for watched in self._watched.values()))

    async def _start(self, watched: _Watched) -> None:
        await asyncio.to_thread(watched.handle.start)
        watched.started_at, watched.next_start_at = time.monotonic(), None

    async def _begin_again(self, watched: _Watched) -> None:
        now = time.monotonic()
        if watched.next_start_at is None:
            if now - watched.started_at > STEADY_AFTER_S:
                watched.pause_s = FIRST_PAUSE_S
            watched.next_start_at = now + watched.pause_s
            watched.pause_s = min(LONGEST_PAUSE_S, watched.pause_s * 2)
            told = facts(camera=watched.handle.camera_id, exit_code=watched.handle.exit_code)
            log.warning("a recorder died and is begun again", extra=told)
        elif now >= watched.next_start_at:
            self.restarts[f"recorder {watched.handle.camera_id}"] += 1
            await self._start(watched)
