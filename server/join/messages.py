"""What the routes of the join answer."""

from __future__ import annotations

from pydantic import Field

from renzheng.contracts.base import UtcTime
from server.messages import Message
from server.tables import PairingMethod, UnjoinedReason


class JoinRun(Message):
    """One run of the join."""

    settlements_looked_at: int
    checks_looked_at: int
    newly_joined: int = Field(description="pairings that were not there before, or changed")
    finished: bool = Field(description="false: the time for one request was over, and another run goes on")
    seconds: float


class JoinFigures(Message):
    """What was joined and what was not, of settlements and checks of swipes in one time."""

    since: UtcTime
    until: UtcTime
    settlements: int
    joined: dict[PairingMethod, int] = Field(description="settlements with a check, by how it was found")
    unjoined: dict[UnjoinedReason, int] = Field(description="settlements without a check, by why")
    checks: int
    checks_with_settlement: int
    checks_without_settlement: int = Field(description="looked at, and no settlement belongs to them")
    checks_to_look_at: int = Field(description="new since the last run")
