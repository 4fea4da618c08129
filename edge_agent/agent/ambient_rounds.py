"""The ambient pass: each camera's newest keyframe is looked at now and then, when nothing more urgent waits."""

from __future__ import annotations

import asyncio
import logging

from edge_agent.agent.dispatcher import Dispatcher, Urgency
from edge_agent.agent.tasks import pause
from edge_agent.agent_clock import LONGEST_NAP_S, AgentClock
from edge_agent.edge_config import CameraConfig
from edge_agent.live.jobs import GlanceDone, GlanceJob
from edge_agent.outbox.store import Store

log = logging.getLogger(__name__)


class AmbientRounds:
    """Asks for one glance a camera at a time; the cameras take turns."""

    def __init__(
        self, cameras: tuple[CameraConfig, ...], clock: AgentClock, store: Store, dispatcher: Dispatcher
    ) -> None:
        self._cameras = [camera for camera in cameras if camera.ambient_every_s]
        self._clock = clock
        self._store = store
        self._dispatcher = dispatcher

    async def run(self, stop: asyncio.Event) -> None:
        """One loop a camera until stopped."""
        await asyncio.gather(*(self._glance_at(camera, stop) for camera in self._cameras))

    async def _glance_at(self, camera: CameraConfig, stop: asyncio.Event) -> None:
        every_s = camera.ambient_every_s
        next_s = self._clock.steady_s() + every_s * (self._cameras.index(camera) + 1) / len(self._cameras)
        number = 0
        while not stop.is_set():
            wait_s = self._clock.real_s(next_s - self._clock.steady_s())
            if wait_s > 0:
                await pause(stop, min(wait_s, LONGEST_NAP_S))
                continue
            number += 1
            answer = await self._dispatcher.ask(GlanceJob(f"glance-{camera.id}-{number}", camera.id), Urgency.GLANCE)
            if isinstance(answer, GlanceDone):
                self._store.add_glance(answer)
            next_s = max(next_s + every_s, self._clock.steady_s())
