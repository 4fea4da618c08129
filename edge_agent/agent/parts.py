"""The parts of a running agent, held together so that pages, reports and housekeeping can look at them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge_agent.agent.dispatcher import Dispatcher
from edge_agent.agent.recorders import Recorders
from edge_agent.agent.swipe_checks import SwipeChecks
from edge_agent.agent_clock import AgentClock
from edge_agent.edge_config import BoxFolders, EdgeConfig
from edge_agent.live.vision_pool import VisionPool
from edge_agent.outbox.evidence import Evidence
from edge_agent.outbox.outbox import Outbox
from edge_agent.outbox.store import Store
from edge_agent.ring.index import SegmentIndex
from edge_agent.swipe_sources.intake import SwipeSource
from edge_agent.uplink.device import DeviceIdentity
from edge_agent.uplink.uplink import Uplink


@dataclass(frozen=True)
class Parts:
    """Everything that has a state of its own."""

    config: EdgeConfig
    clock: AgentClock
    folders: BoxFolders
    identity: DeviceIdentity
    store: Store
    outbox: Outbox
    evidence: Evidence
    rings: Mapping[str, SegmentIndex]
    recorders: Recorders
    vision: VisionPool
    dispatcher: Dispatcher
    checks: SwipeChecks
    sources: Sequence[SwipeSource]
    restarts: Counter[str]
    uplink: Uplink | None
    started_s: float
