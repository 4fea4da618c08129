"""What was done, for the auditor."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from renzheng.clock import as_utc
from server.access import Needs, Subject
from server.audit_log import repository
from server.audit_log.messages import EntryAnswer, EntryPage
from server.context import Transaction
from server.permissions import Permission

router = APIRouter(tags=["audit log"])

_MOST = 2**53
Word = Annotated[str | None, Query(max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]


@router.get("/v1/audit-log", summary="See who did what")
def list_entries(
    subject: Annotated[Subject, Depends(Needs(Permission.SEE_AUDIT_LOG))],
    session: Transaction,
    actor_id: Word = None,
    action: Word = None,
    object_kind: Word = None,
    object_id: Word = None,
    since: Annotated[datetime | None, Query(description="without zone: Asia/Shanghai")] = None,
    until: Annotated[datetime | None, Query(description="and before this time")] = None,
    after: Annotated[int, Query(ge=0, le=_MOST, description="number of the last entry of the page before")] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    newest_first: Annotated[bool, Query()] = False,
) -> EntryPage:
    """Entries of your district in the order they were written, or the newest first.

    What belongs to no district, such as work of the server itself, is seen by those who see all districts. Whether
    the log is whole is told by ``renzheng server verify-audit-log``.
    """
    wanted = {"actor_id": actor_id, "action": action, "object_kind": object_kind, "object_id": object_id}
    entries = repository.page_of_entries(
        session,
        subject,
        {name: value for name, value in wanted.items() if value is not None},
        as_utc(since) if since else None,
        as_utc(until) if until else None,
        after,
        limit,
        newest_first=newest_first,
    )
    logins = repository.logins_of(session, (entry.actor_id for entry in entries if entry.actor_kind == "user"))
    return EntryPage(
        entries=[
            EntryAnswer(
                number=entry.number,
                at=entry.at,
                actor_kind=entry.actor_kind,
                actor_id=entry.actor_id,
                actor_login=logins.get(entry.actor_id),
                action=entry.action,
                object_kind=entry.object_kind,
                object_id=entry.object_id,
                purpose=entry.purpose,
                district_code=entry.district_code,
                detail=entry.detail,
                digest=entry.digest,
            )
            for entry in entries
        ]
    )
