"""What people are shown of checks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from server.messages import Message


class CheckSummary(Message):
    """One check in a list."""

    id: int = Field(description="the server's own id")
    delivery_id: str = Field(description="id of the check on its box")
    kind: str = Field(description="swipe or bed")
    setl_id: str | None
    institution_id: str
    terminal_id: str | None
    bed_id: str | None
    camera_id: str | None
    psn_no: str | None
    happened_at: datetime
    verdict: str = Field(description="the box's, or the server's where it decided")
    reasons: list[str]
    score: float | None
    received_at: datetime


class CheckList(Message):
    """Checks, those that arrived last first."""

    checks: list[CheckSummary]
    next_after: int | None = Field(description="give it as `after` for the next page; null at the end")


class PieceShown(Message):
    """One picture of a check."""

    id: str
    path: str = Field(description="as the check names it")
    kind: str = Field(description="sample or still")
    sha256: str
    size_bytes: int


class ClipShown(Message):
    """The video of a check."""

    id: str
    sha256: str
    size_bytes: int
    start: datetime
    end: datetime
    key_id: str = Field(description="key of the device that signed its manifest")
    received_at: datetime


class CheckShown(CheckSummary):
    """One check with everything but pictures."""

    device_id: str
    body: dict[str, Any] = Field(description="the contract as the box sent it")
    decided: dict[str, Any] | None = Field(description="the contract as the server decided it, where it did")
    decided_at: datetime | None
    clip_due: bool = Field(description="whether the box said that a clip follows")
    clip: ClipShown | None
    pieces: list[PieceShown]
