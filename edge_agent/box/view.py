"""What the box's pages and metrics show. Nothing here can hold a person number, a name or a face."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol

from renzheng.contracts import (
    AgentEvent,
    BedVerdict,
    CameraFitness,
    CameraState,
    HourlyFootfall,
    Reason,
    Verdict,
)


class Problem(StrEnum):
    """What keeps a box from doing all of its work (words in ``box_words``)."""

    STARTING = "starting"
    STOPPING = "stopping"
    VISION_DOWN = "vision_down"
    STORAGE_FULL = "storage_full"
    CAMERA_NOT_LIVE = "camera_not_live"
    CAMERA_UNFIT = "camera_unfit"
    RING_FULL = "ring_full"
    RECORDER_RESTARTING = "recorder_restarting"
    EVIDENCE_LOW = "evidence_low"
    SERVER_UNREACHABLE = "server_unreachable"
    DEVICE_REVOKED = "device_revoked"
    CLOCK_STEPPED = "clock_stepped"
    SOURCE_FAILED = "source_failed"
    TERMINAL_LOST = "terminal_lost"


NOT_READY = frozenset({Problem.STARTING, Problem.STOPPING, Problem.VISION_DOWN, Problem.STORAGE_FULL})
"""With one of these a box cannot take or check any swipe; ``/readyz`` says no. The others leave part of it working."""


@dataclass(frozen=True)
class CurrentProblem:
    """A problem there is now; ``where`` is a camera, a process or a source, ``detail`` short and without secrets."""

    kind: Problem
    where: str | None = None
    detail: str = ""
    since_s: float | None = None


class ServerState(StrEnum):
    """How the line to the review server stands."""

    NONE = "none"
    REACHED = "reached"
    UNREACHABLE = "unreachable"
    REVOKED = "revoked"


@dataclass(frozen=True)
class CameraView:
    """One camera. Counters only grow while the agent runs; times are seconds since 1970 (UTC)."""

    camera_id: str
    state: CameraState
    since_s: float | None = None
    last_packet_s: float | None = None
    packets: int = 0
    received_bytes: int = 0
    dropped_packets: int = 0
    reconnects: int = 0
    gaps: int = 0
    clock_steps: int = 0
    timestamp_jumps: int = 0
    parameter_changes: int = 0
    recorder_restarts: int = 0
    codec: str | None = None
    resolution_wh: tuple[int, int] | None = None
    ring_bytes: int = 0
    ring_budget_bytes: int = 0
    recorded_from_s: float | None = None
    recorded_until_s: float | None = None
    disk_full: bool = False
    last_error: str = ""
    fitness: CameraFitness | None = None
    footfall: tuple[HourlyFootfall, ...] = ()


@dataclass(frozen=True)
class CheckView:
    """One check: ``check_id`` is the swipe's setl_id or the bed check's id, ``place`` its terminal or bed.

    ``at_s`` is the swipe's own time or when the bed was due, ``received_s`` when the box learned of the swipe.
    ``verdict`` is ``None`` while the check is open.
    """

    check_id: str
    kind: Literal["swipe", "bed"]
    place: str
    at_s: float
    source: str = ""
    received_s: float | None = None
    verdict: Verdict | BedVerdict | None = None
    reasons: tuple[Reason, ...] = ()
    finished_s: float | None = None


@dataclass(frozen=True)
class OutboxView:
    """What waits for the server, by kind (check, clip, report), and the age of what has waited longest, seconds."""

    waiting: Mapping[str, int] = field(default_factory=dict)
    refused: int = 0
    oldest_s: float | None = None
    last_acknowledged_s: float | None = None


@dataclass(frozen=True)
class BoxState:
    """The box at one moment, ``now_s``. Lists are newest first and short; the page shows all of them."""

    now_s: float
    started_s: float
    agent_version: str
    device_id: str
    fixmedins_code: str
    cameras: tuple[CameraView, ...]
    problems: tuple[CurrentProblem, ...] = ()
    recent: tuple[CheckView, ...] = ()
    checks_today: Mapping[Verdict | BedVerdict, int] = field(default_factory=dict)
    server: ServerState = ServerState.NONE
    outbox: OutboxView = field(default_factory=OutboxView)
    evidence_bytes: int = 0
    evidence_budget_bytes: int = 0
    disk_free_bytes: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    restarts: Mapping[str, int] = field(default_factory=dict)
    queues: Mapping[str, int] = field(default_factory=dict)
    rejected: Mapping[str, int] = field(default_factory=dict)
    events: tuple[AgentEvent, ...] = ()

    @property
    def is_ready(self) -> bool:
        """Whether swipes are taken and checked."""
        return not any(problem.kind in NOT_READY for problem in self.problems)


class BoxView(Protocol):
    """The agent's side. Called on the agent's event loop only; must be cheap, for a scrape may come every second."""

    def state(self) -> BoxState:
        """The box now."""
        ...

    async def snapshot(self, camera_id: str) -> bytes | None:
        """The camera's newest picture as JPEG with private zones black; ``None`` for no such camera or no picture."""
        ...
