"""JSON routes of legal holds and certificates of deletion."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query

from server.access import Needs, Subject
from server.context import Transaction
from server.keeping import service
from server.keeping.messages import CertificatePage, HoldAnswer, HoldPage, NewHold
from server.permissions import Permission
from server.problems import Problem

router = APIRouter(tags=["keeping"])

Holder = Annotated[Subject, Depends(Needs(Permission.HOLD))]
After = Annotated[str, Query(max_length=32, pattern=r"^[0-9a-f]*$", description="id of the last of the page before")]
Limit = Annotated[int, Query(ge=1, le=200)]
HoldId = Annotated[str, Path(max_length=32, pattern=r"^[0-9a-f]+$")]

_NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"model": Problem, "description": "no such thing in your district"}}
_CONFLICT: dict[int | str, dict[str, Any]] = {409: {"model": Problem, "description": "it was released already"}}


@router.post("/v1/legal-holds", summary="Have something kept whatever its time", status_code=201, responses=_NOT_FOUND)
def place_hold(wanted: NewHold, subject: Holder, session: Transaction) -> HoldAnswer:
    """Nothing under a hold is purged or erased: a check, or all that belongs to a person, institution or settlement.

    A hold on a settlement keeps the check that is joined with it.
    """
    return service.place_hold(session, subject, wanted)


@router.post("/v1/legal-holds/{hold_id}/release", summary="Release a hold", responses=_NOT_FOUND | _CONFLICT)
def release_hold(hold_id: HoldId, subject: Holder, session: Transaction) -> HoldAnswer:
    """What was held is kept no longer on account of this hold; another may still keep it.

    A hold that was released already answers 409.
    """
    return service.release_hold(session, subject, hold_id)


@router.get("/v1/legal-holds", summary="See the holds of your district")
def list_holds(
    subject: Holder,
    session: Transaction,
    in_force: Annotated[bool, Query(description="false shows those that were released too")] = True,
    after: After = "",
    limit: Limit = 50,
) -> HoldPage:
    """Holds in the order they were placed."""
    return HoldPage(holds=service.list_holds(session, subject, in_force, after, limit))


@router.get("/v1/deletion-certificates", summary="See what was deleted, and why")
def list_certificates(
    subject: Annotated[Subject, Depends(Needs(Permission.SEE_AUDIT_LOG))],
    session: Transaction,
    after: After = "",
    limit: Limit = 50,
) -> CertificatePage:
    """Certificates of erasures in your district. What was purged when its time was over belongs to no district and is
    seen by those who see all."""
    return CertificatePage(certificates=service.list_certificates(session, subject, after, limit))
