"""JSON routes of the join."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from renzheng.contracts.base import UtcTime
from server.access import Needs, Subject
from server.context import ServerOfRequest, Transaction
from server.join import service
from server.join.messages import JoinFigures, JoinRun
from server.permissions import Permission

LONGEST_RUN_S = 50.0
FIGURES_DAYS = 30

router = APIRouter(tags=["join"])


@router.post("/v1/join-runs", summary="Join settlements with checks now")
def run_join(
    subject: Annotated[Subject, Depends(Needs(Permission.IMPORT_SETTLEMENTS))], server: ServerOfRequest
) -> JoinRun:
    """Looks at everything that came in or changed since the last run, in all districts.

    The server does this by itself every few minutes. A run may be repeated at any time and changes nothing that is
    settled. It ends after a minute at the latest; `finished` says whether another is needed.
    """
    until = time.monotonic() + LONGEST_RUN_S
    run = service.run_join(server, go_on=lambda: time.monotonic() < until)
    with server.database.transaction() as session:
        service.record_run(session, subject.actor, run)
    return run


@router.get("/v1/join-figures", summary="What was joined, and why the rest was not")
def join_figures(
    subject: Annotated[Subject, Depends(Needs(Permission.SEE_SETTLEMENTS))],
    session: Transaction,
    since: Annotated[UtcTime | None, Query(description="from this moment on; 30 days ago when left out")] = None,
    until: Annotated[UtcTime | None, Query(description="before this moment; now when left out")] = None,
) -> JoinFigures:
    """Settlements of a time by how they were joined or why they were not, and checks with and without settlement.

    Covers what lies in the asker's district. A settlement without a check, and a check without a settlement, are
    findings too.
    """
    end = until or datetime.now(UTC)
    return service.figures(session, subject, since or end - timedelta(days=FIGURES_DAYS), end)
