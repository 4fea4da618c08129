"""The parts of an agent with nothing running: store, ring and outbox are real, processes stand still."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from pathlib import Path

from edge_agent.agent.box_state import AgentView
from edge_agent.agent.parts import Parts
from edge_agent.agent.recorders import Recorders
from edge_agent.edge_config import EdgeConfig
from edge_agent.live.vision_pool import VisionPool
from edge_agent.outbox.evidence import Evidence
from edge_agent.outbox.outbox import Outbox
from edge_agent.ring.segment import CameraStatus
from edge_agent.uplink.device import load_identity
from renzheng.contracts import CameraState
from tests.edge_agent.agent.small_box import HandClock, SmallBox


class WatchedRecorders(Recorders):
    """Recorders of which a test says whether they run."""

    alive = True

    def was_started(self, camera_id: str) -> bool:
        """They always were."""
        return True

    def kill(self, camera_id: str) -> None:
        """Note it."""
        self.killed.append(camera_id)

    @cached_property
    def killed(self) -> list[str]:
        """Cameras whose recorder was ended."""
        return []

    def is_alive(self, camera_id: str) -> bool:
        return self.alive


class PartsBox(SmallBox):
    """A small box with all its parts and the view over them."""

    def __init__(self, folder: Path, config: EdgeConfig | None = None, clock: HandClock | None = None) -> None:
        super().__init__(folder, config=config, clock=clock)
        folders = self.folders
        self.recorders = WatchedRecorders(self.config, folders, self.clock, {})
        self.parts = Parts(
            config=self.config,
            clock=self.clock,
            folders=folders,
            identity=load_identity(folders.device),
            store=self.store,
            outbox=Outbox(self.store),
            evidence=Evidence(self.store, folders.evidence, self.config.keep),
            rings={"counter": self.ring},
            recorders=self.recorders,
            vision=VisionPool([self.vision.as_process()]),
            dispatcher=self.dispatcher,
            checks=self.checks,
            sources=(),
            restarts=Counter(),
            uplink=None,
            started_s=self.clock.now_s(),
        )
        self.view = AgentView(self.parts)
        self.tell()

    def tell(self, state: CameraState = CameraState.LIVE, **given: object) -> None:
        """What the camera's recorder says of itself."""
        now_s = self.clock.now_s()
        self.ring.write_status(CameraStatus(state, now_s, now_s, **given))  # type: ignore[arg-type]
