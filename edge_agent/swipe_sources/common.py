"""What the sources of swipes share: handing in, a list of what was refused, naps, and trouble that is told once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path

from edge_agent.logs import facts
from edge_agent.swipe_sources.intake import Intake
from renzheng.clock import from_seconds
from renzheng.contracts import Swipe
from renzheng.errors import BadInput
from renzheng.files import storage_errors
from renzheng.tables.rows import quoted

REJECTS_BYTES_MAX = 2**20
"""Of a list of what was refused; past it the list becomes ``….1`` and a new one is begun."""


def hand_in(intake: Intake, swipe: Swipe, source: str, *, live: bool) -> str | None:
    """Hand a swipe in; ``None`` when it is safe with the box, else why it is refused for good.

    Raises :class:`~renzheng.errors.StorageFull`: hand it in again later.
    """
    try:
        receipt = intake.take(swipe, source, live=live)
    except BadInput as error:  # an unknown terminal, or an id that is a bed check's
        return str(error)
    if receipt.state == "conflict":
        return f"setl_id: {quoted(swipe.setl_id)} was used before for another swipe, which stays"
    return None


class Rejects:
    """A text file of what was refused: time, place, reason; nothing of what the row said but ids and times."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def note(self, now_s: float, place: str, why: str) -> None:
        """Add a line. Raises :class:`~renzheng.errors.StorageFull`."""
        with storage_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._path.exists() and self._path.stat().st_size > REJECTS_BYTES_MAX:
                self._path.replace(self._path.with_name(f"{self._path.name}.1"))
            with self._path.open("a", encoding="utf-8") as stream:
                stream.write(f"{from_seconds(now_s).isoformat(timespec='seconds')}\t{place}\t{why}\n")


class Trouble:
    """Trouble that lasts: its first word is a warning, the same again is for debugging only, its end is told."""

    def __init__(self, log: logging.Logger, source: str) -> None:
        self._log, self._source = log, source
        self.why = ""

    def begins(self, why: str) -> None:
        """It is there, or still there."""
        self._log.log(logging.DEBUG if why == self.why else logging.WARNING, why, extra=facts(source=self._source))
        self.why = why

    def ends(self) -> None:
        """It is over, if it was there."""
        if self.why:
            self._log.info("swipes come again", extra=facts(source=self._source))
        self.why = ""


async def nap(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, but no longer than until ``stop``."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
