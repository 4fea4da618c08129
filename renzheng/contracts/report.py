"""What an agent says of itself: its cameras, its clock, what it keeps and what it dropped."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from renzheng.contracts.base import CONTRACT_VERSION, Contract, UtcTime
from renzheng.contracts.check import Unit
from renzheng.contracts.reasons import Reason


class CameraState(StrEnum):
    """Where a camera's connection stands."""

    CONNECTING = "connecting"
    LIVE = "live"
    STALLED = "stalled"
    WAITING = "waiting"
    REFUSED = "refused"
    STOPPED = "stopped"


class RecordingGap(Contract):
    """A time in which a camera recorded nothing."""

    start: UtcTime
    end: UtcTime | None = Field(None, description="null while it lasts")
    why: str


class HourlyFootfall(Contract):
    """People at the counter in one hour, counted from keyframes."""

    hour_start: UtcTime
    visits: int = Field(ge=0, description="faces that came to the counter zone, staff left out")
    most_at_once: int = Field(ge=0)
    looks: int = Field(ge=0, description="keyframes looked at; few looks make the count a lower bound")


class CameraFitness(Contract):
    """Whether this camera can identify anyone."""

    measured_at: UtcTime
    looks: int = Field(ge=0)
    faces: int = Field(ge=0)
    assessable_share: Unit | None = Field(None, description="of the faces seen; null when none was")
    eye_distance_px: float | None = Field(None, ge=0, description="median between the eyes, full picture")
    faults: tuple[Reason, ...] = Field((), description="what is wrong with the picture now")


class CameraReport(Contract):
    """One camera over the period of a report."""

    camera_id: str
    state: CameraState
    packets: int = Field(ge=0)
    reconnects: int = Field(ge=0)
    recorded_from: UtcTime | None = None
    recorded_until: UtcTime | None = None
    ring_bytes: int = Field(0, ge=0)
    gaps: tuple[RecordingGap, ...] = ()
    footfall: tuple[HourlyFootfall, ...] = ()
    fitness: CameraFitness | None = None


class AgentEvent(Contract):
    """Something an operator should know of."""

    at: UtcTime
    kind: str = Field(description="a code, such as clock_stepped or evidence_space_low")
    camera_id: str | None = None
    detail: str = ""


class AgentReport(Contract):
    """The state of one box over a period."""

    contract_version: Literal[1] = CONTRACT_VERSION
    report_id: str
    device_id: str
    fixmedins_code: str
    agent_version: str
    period_start: UtcTime
    period_end: UtcTime
    cameras: tuple[CameraReport, ...]
    checks_by_verdict: dict[str, int]
    outbox_waiting: int = Field(ge=0)
    outbox_oldest_s: float | None = Field(None, ge=0, description="age of what has waited longest")
    evidence_bytes: int = Field(ge=0)
    evidence_budget_bytes: int = Field(ge=0)
    disk_free_bytes: int = Field(ge=0)
    dropped: dict[str, int] = Field(default_factory=dict, description="what was dropped, by kind; all of it counted")
    events: tuple[AgentEvent, ...] = ()
