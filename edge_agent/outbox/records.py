"""What the store hands out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from renzheng.contracts import (
    FLAGGED,
    FLAGGED_BEDS,
    AgentEvent,
    BedCheck,
    BedVerdict,
    IdentityCheck,
    Reason,
    RoundKind,
    Swipe,
    Verdict,
)

FORGOTTEN = "forgotten"
"""Stands for the person's number of a swipe whose evidence was sent and has left the box."""


@dataclass(frozen=True)
class SwipeRecord:
    """A swipe as the box keeps it: without the platform's other fields, which may carry names.

    ``check`` is there once it is done, until it is forgotten. ``attempts`` counts how often its check was begun.
    """

    setl_id: str
    terminal_id: str
    source: str
    received_s: float
    state: Literal["accepted", "done"]
    attempts: int
    clock_doubt: bool
    swipe: Swipe = field(repr=False)  # they hold a person's number, and logs must not
    check: IdentityCheck | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Accepted:
    """What became of a swipe that came in. Of a conflict, ``record`` is the one that came first and stays."""

    state: Literal["new", "known", "conflict"]
    record: SwipeRecord


class PlannedBedCheck(NamedTuple):
    """A look at a bed that is due at a time, seconds since 1970 (UTC)."""

    check_id: str
    bed_id: str
    round_kind: RoundKind
    due_s: float


@dataclass(frozen=True)
class CheckSummary:
    """A finished check as pages and counts need it: nothing in it tells who somebody is.

    ``place`` is the terminal or the bed; ``asked_s`` the time of the swipe or the round. ``sent`` says that all that
    had to leave the box is with the server.
    """

    check_id: str
    kind: Literal["swipe", "bed"]
    place: str
    camera_id: str | None
    verdict: Verdict | BedVerdict
    reasons: tuple[Reason, ...]
    flagged: bool
    asked_s: float
    finished_s: float
    sent: bool


class NumberedEvent(NamedTuple):
    """An event and its number; numbers grow also when the box's clock is set back."""

    number: int
    event: AgentEvent


def is_flagged(verdict: Verdict | BedVerdict) -> bool:
    """Whether a reviewer should look at it."""
    return verdict in FLAGGED if isinstance(verdict, Verdict) else verdict in FLAGGED_BEDS


def id_of(check: IdentityCheck | BedCheck) -> str:
    """The id under which a check is kept and delivered: that of its swipe, or its own."""
    return check.swipe_id if isinstance(check, IdentityCheck) else check.check_id
