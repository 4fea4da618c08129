"""JSON routes: boxes deliver checks and reports, people look at checks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Depends, Path, Query, Request, Response

from renzheng.contracts import DeliveryAnswer, DeliveryBatch, UtcTime
from server.access import Box, Needs, Subject
from server.checks import ingest, pending, service
from server.checks.batch import SENT_BYTES_MAX, read_batch, unpacked
from server.checks.messages import CheckList, CheckShown
from server.checks.repository import CheckFilter
from server.context import LoggedTransaction, ServerOfRequest, Transaction
from server.errors import TooLarge
from server.permissions import Permission
from server.problems import Problem
from server.query import NO_NUL, Purpose, Word

router = APIRouter(tags=["checks"])

CheckId = Annotated[int, Path(ge=1, lt=2**63)]
Limit = Annotated[int, Query(ge=1, le=200)]
Seer = Annotated[Subject, Depends(Needs(Permission.SEE_CHECKS))]
FaceSeer = Annotated[Subject, Depends(Needs(Permission.SEE_FACES))]


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": Problem} for status in statuses}


async def _sent(request: Request) -> bytes:
    """The body as it came, as far as it may be that long."""
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > SENT_BYTES_MAX:
            raise TooLarge(f"expected at most {SENT_BYTES_MAX} bytes at once")
    return bytes(data)


def _inlined(given: Any, definitions: dict[str, Any]) -> Any:
    """A JSON schema without references: OpenAPI keeps those of its own routes' models alone."""
    if isinstance(given, list):
        return [_inlined(one, definitions) for one in given]
    if not isinstance(given, dict):
        return given
    if "$ref" in given:
        return _inlined(definitions[given["$ref"].rpartition("/")[2]], definitions)
    return {key: _inlined(value, definitions) for key, value in given.items() if key not in ("$defs", "discriminator")}


def _batch_schema() -> dict[str, Any]:
    schema = DeliveryBatch.model_json_schema()
    return {"required": True, "content": {"application/json": {"schema": _inlined(schema, schema["$defs"])}}}


@router.post(
    "/v1/checks",
    summary="A box delivers checks and reports",
    responses=_problems(415),
    openapi_extra={"requestBody": _batch_schema()},
)
def deliver(
    request: Request,
    box: Box,
    server: ServerOfRequest,
    background: BackgroundTasks,
    data: Annotated[bytes, Depends(_sent)],
) -> DeliveryAnswer:
    """Keep a batch (JSON, best with `Content-Encoding: gzip`) and answer when it is kept.

    What was there already is accepted again. What is refused never will be accepted, and why is said. A check that
    waits for a decision is decided after the answer.
    """
    headers = request.headers
    batch = read_batch(unpacked(data, headers.get("Content-Type", ""), headers.get("Content-Encoding", "")))
    outcome = ingest.deliver(server, box, batch, datetime.now(UTC))
    if outcome.waiting:
        background.add_task(pending.decide_these, server, outcome.waiting)
    return outcome.answer()


@router.get("/v1/checks", summary="List checks", responses=_problems(404))
def list_checks(
    subject: Seer,
    session: Transaction,
    institution_id: Word | None = None,
    verdict: Word | None = None,
    kind: Word | None = None,
    setl_id: Word | None = None,
    person_id: Word | None = None,
    since: Annotated[UtcTime | None, Query(description="happened then or later")] = None,
    until: Annotated[UtcTime | None, Query(description="happened before")] = None,
    after: Annotated[int | None, Query(ge=1, lt=2**63, description="`next_after` of the page before")] = None,
    limit: Limit = 50,
) -> CheckList:
    """Checks of the asker's district, those that arrived last first. A person is told by the server's own id, since
    addresses end up in logs; a time without zone is Asia/Shanghai.
    """
    psn_no = None if person_id is None else service.psn_no_of(session, subject, person_id)
    wanted = CheckFilter(institution_id, verdict, kind, setl_id, psn_no, since, until)
    return service.list_checks(session, subject, wanted, after, limit)


@router.get("/v1/checks/{check_id}", summary="Show a check", responses=_problems(404))
def show_check(subject: Seer, session: Transaction, check_id: CheckId) -> CheckShown:
    """A check as its box sent it and as the server decided it, with the names of its files."""
    return service.show_check(session, subject, check_id)


@router.get(
    "/v1/checks/{check_id}/pieces/{piece_id}",
    summary="Look at a picture of a check",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}, **_problems(404)},
)
def look_at_piece(
    subject: FaceSeer,
    session: LoggedTransaction,
    server: ServerOfRequest,
    check_id: CheckId,
    piece_id: Annotated[str, Path(max_length=32, pattern=NO_NUL)],
    purpose: Purpose,
) -> Response:
    """A face or the still of a check. The look goes into the audit log with its purpose."""
    data = service.look_at_piece(session, server, subject, check_id, piece_id, purpose)
    return Response(data, media_type="image/jpeg")
