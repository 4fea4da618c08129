"""Pins in the rings: footage of what is still to be checked is not deleted.

A ring's index that cannot be written for the moment costs no check: the newest footage is the last to be deleted, and
every pin is set again at the next start.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable

from edge_agent.footage import TimeWindow
from edge_agent.logs import facts
from edge_agent.ring.index import SegmentIndex
from renzheng.errors import RenzhengError

log = logging.getLogger(__name__)


def pin(ring: SegmentIndex, check_id: str, window: TimeWindow) -> None:
    """Keep the footage of a window for a check."""
    try:
        ring.pin(check_id, window)
    except RenzhengError as error:
        log.warning("footage could not be pinned", extra=facts(check=check_id, why=str(error)))


def unpin(ring: SegmentIndex, check_id: str) -> None:
    """Let go of a finished check's footage."""
    try:
        ring.unpin(check_id)
    except RenzhengError as error:
        log.warning("footage stays pinned until the next start", extra=facts(check=check_id, why=str(error)))


def unpin_others(rings: Iterable[SegmentIndex], open_ids: Collection[str]) -> None:
    """Let go of pins whose check was finished just before the agent was killed."""
    for ring in rings:
        try:
            names = ring.pins()
        except RenzhengError as error:
            log.warning("a ring's index cannot be read", extra=facts(ring=ring.folder.name, why=str(error)))
            continue
        for name in names.keys() - set(open_ids):
            unpin(ring, name)
