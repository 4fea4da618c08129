"""Joining settlements with checks, in steps that are a transaction each.

A step that fails is as if it had not begun; what it was given waits on. Steps may be run by several servers: they take
turns.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy.orm import Session

from server.access import Subject
from server.audit_log.service import Actor, Deed, record
from server.context import Server
from server.errors import Unacceptable
from server.join import near, repository
from server.join.messages import JoinFigures, JoinRun
from server.keeping.turns import take_turn
from server.tables import PairingMethod, UnjoinedReason

TURN: Final = "join step"
STEP: Final = 20_000
"""Settlements and checks of one step: about a second, for which nobody else writes on SQLite."""

WAITS: Final = timedelta(days=3)
"""So long a settlement waits for a box that was not heard of since; its checks are taken at any later time too."""


@dataclass(frozen=True)
class _Step:
    settlements: int
    checks: int
    joined: int
    last_settlement_id: int


def run_join(
    server: Server,
    *,
    everything: bool = False,
    step: int = STEP,
    go_on: Callable[[], bool] = lambda: True,
) -> JoinRun:
    """Look at all that waits, or at every settlement; ``go_on`` is asked before each step."""
    begun, settlements, checks, joined, last = time.monotonic(), 0, 0, 0, 0
    with server.database.transaction() as session:
        repository.adopt_known_institutions(session)
    finished = False
    while not finished and go_on():
        with server.database.transaction() as session:
            one = join_step(session, server, last, step, everything=everything)
        settlements, checks, joined = settlements + one.settlements, checks + one.checks, joined + one.joined
        last = one.last_settlement_id
        finished = not one.settlements and not one.checks
    return JoinRun(
        settlements_looked_at=settlements,
        checks_looked_at=checks,
        newly_joined=joined,
        finished=finished,
        seconds=round(time.monotonic() - begun, 3),
    )


def join_step(session: Session, server: Server, after: int, limit: int, *, everything: bool = False) -> _Step:
    """Look at the next waiting settlements with an id after ``after``, and at as many checks."""
    take_turn(session, TURN)
    now, tolerance_s = datetime.now(UTC), server.settings.join_tolerance_s
    near.prepare(session)
    taken = near.take(session, after, limit, everything=everything)
    if not taken.settlements and not taken.checks:
        return _Step(0, 0, 0, after)
    if after == 0 and limit in (taken.settlements, taken.checks):
        near.look_at_sizes(session)
    near.widen(session, tolerance_s)
    repository.leave_alone(session)
    repository.find_by_id(session, tolerance_s)
    repository.find_nearest(session, tolerance_s)
    joined = repository.keep_found(session, now)
    why = repository.Circumstances(now - WAITS, tuple(server.settings.ward_med_types))
    repository.keep_reasons(session, why)
    repository.finish(session)
    return _Step(taken.settlements, taken.checks, joined, taken.last_settlement_id)


def checks_were_added(session: Session, check_ids: Sequence[int]) -> None:
    """To be called in the transaction that adds checks of swipes; the next run looks at them."""
    repository.enqueue(session, check_ids)


def settlements_will_change(session: Session, server: Server, settlement_ids: Any) -> None:
    """To be called before person, place or time of settlements (ids, or a SELECT of them) is corrected.

    Their pairings are forgotten, and the next run looks at them and at all that stood near.
    """
    take_turn(session, TURN)
    repository.enqueue_near(session, settlement_ids, server.settings.join_tolerance_s)
    repository.unpair(session, settlement_ids)


def record_run(session: Session, actor: Actor, run: JoinRun) -> None:
    """Note a run that somebody asked for."""
    detail = {"joined": run.newly_joined, "settlements": run.settlements_looked_at, "checks": run.checks_looked_at}
    record(session, Deed(actor, "joined", "join_run", "-", detail=detail))


def figures(session: Session, subject: Subject, since: datetime, until: datetime) -> JoinFigures:
    """How many were joined and how, and why the others were not. Raises :class:`Unacceptable` for an empty time."""
    if until <= since:
        raise Unacceptable("expected a moment after `since`", "query.until")
    counted = repository.settlement_figures(session, subject, since, until)
    checks, joined, waiting = repository.check_figures(session, subject, since, until)
    return JoinFigures(
        since=since,
        until=until,
        settlements=sum(counted.values()),
        joined={method: counted.get(method.value, 0) for method in PairingMethod},
        unjoined={reason: counted.get(reason.value, 0) for reason in UnjoinedReason},
        checks=checks,
        checks_with_settlement=joined,
        checks_without_settlement=checks - joined - waiting,
        checks_to_look_at=waiting,
    )
