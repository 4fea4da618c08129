"""What every source of swipes is given, and what a source is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal, Protocol

from renzheng.contracts import IdentityCheck, Swipe
from renzheng.errors import BadInput

ReceiptState = Literal["new", "known", "conflict"]
"""Not seen before; seen before and the same; seen before under this id and different, so the first stays."""


class UnknownTerminal(BadInput):
    """A swipe of a terminal that the box's configuration does not name; the message names the known ones."""


@dataclass(frozen=True)
class Receipt:
    """What became of a swipe that was handed in."""

    swipe_id: str
    state: ReceiptState


@dataclass(frozen=True)
class SwipeStatus:
    """A swipe the box has taken; ``check`` is its final check, ``None`` while there is none."""

    swipe_id: str
    terminal_id: str
    source: str
    received_s: float
    check: IdentityCheck | None = None


class Intake(Protocol):
    """The agent's side. Called on the agent's event loop only."""

    def take(self, swipe: Swipe, source: str, *, live: bool) -> Receipt:
        """Keep a swipe; it is on the disk when this returns, and handing it in again does no harm.

        ``live`` says that the source brings swipes as they happen (HTTP, MQTT), so that one which comes long after its
        own time has a clock or a line in doubt. Raises :class:`~renzheng.errors.StorageFull` when it could not be kept
        (hand it in again later), :class:`UnknownTerminal`, and :class:`BadInput` for an id that a bed check has.
        """
        ...

    async def opinion(self, swipe_id: str, timeout_s: float) -> IdentityCheck | None:
        """The first opinion, or the final check when that is there; ``None`` when neither comes in time."""
        ...

    async def final(self, swipe_id: str, timeout_s: float) -> IdentityCheck | None:
        """The final check; ``None`` when it does not come in time."""
        ...

    def find(self, swipe_id: str) -> SwipeStatus | None:
        """A swipe that was taken; ``None`` for one the box does not know."""
        ...


class SwipeSource(Protocol):
    """Brings swipes until it is told to stop."""

    @property
    def name(self) -> str:
        """What swipes of this source are marked with, such as ``csv``."""
        ...

    @property
    def rejected(self) -> int:
        """Rows, files or messages that were no swipe, since the source was made."""
        ...

    @property
    def trouble(self) -> str:
        """What keeps it from bringing swipes now; empty when nothing does."""
        ...

    async def run(self, intake: Intake, stop: asyncio.Event) -> None:
        """Hand in swipes until ``stop``. Trouble outside (no file, no broker, no room) is waited out and logged."""
        ...
