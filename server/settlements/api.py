"""JSON routes of settlements and of the files they come in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from renzheng.contracts.base import UtcTime
from server.access import Needs, Subject
from server.context import ServerOfRequest, Transaction
from server.errors import Unacceptable
from server.permissions import Permission
from server.problems import Problem
from server.settlements import service
from server.settlements.imports import Importer, import_file
from server.settlements.kinds import ImportKind
from server.settlements.messages import (
    ImportAnswer,
    ImportPage,
    RejectedPage,
    SettlementDetail,
    SettlementPage,
    SettlementQuestion,
)
from server.settlements.repository import Wanted

router = APIRouter(tags=["settlements"])

Importing = Annotated[Subject, Depends(Needs(Permission.IMPORT_SETTLEMENTS))]
Seeing = Annotated[Subject, Depends(Needs(Permission.SEE_SETTLEMENTS))]
Limit = Annotated[int, Query(ge=1, le=200)]
ID = "^[0-9a-f]{32}$"
ImportId = Annotated[str, Path(pattern=ID)]
MAX_BIGINT = 2**63

_FIELD_BYTES_MAX = 1000

_NO_IMPORT: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "no such import in your district"}
}
_NO_SETTLEMENT: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "no such settlement or person in your district"}
}
_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["kind", "file"],
                    "properties": {
                        "kind": {"type": "string", "enum": [kind.value for kind in ImportKind]},
                        "file": {"type": "string", "format": "binary", "description": "CSV, .xlsx, JSON, JSON lines"},
                    },
                }
            }
        },
    }
}


@dataclass(frozen=True)
class Sent:
    """The form of an import."""

    kind: ImportKind
    file: UploadFile


async def _sent(request: Request, _importing: Importing) -> AsyncIterator[Sent]:
    """The form, read only once it is known who asks: whoever may not import has nothing of theirs kept."""
    try:
        form = await request.form(max_files=1, max_fields=1, max_part_size=_FIELD_BYTES_MAX)
    except HTTPException as error:
        raise Unacceptable("expected multipart/form-data with the field kind and the file file", "body") from error
    try:
        yield _of_form(form.get("kind"), form.get("file"))
    finally:
        await form.close()


def _of_form(kind: Any, file: Any) -> Sent:
    if kind not in list(ImportKind):
        raise Unacceptable(f"expected one of {', '.join(one.value for one in ImportKind)}", "body.kind")
    if not isinstance(file, UploadFile):
        raise Unacceptable("expected a file", "body.file")
    return Sent(ImportKind(kind), file)


@router.post("/v1/settlement-imports", summary="Import a file", status_code=201, openapi_extra=_FORM)
def add_import(
    subject: Importing, sent: Annotated[Sent, Depends(_sent, scope="request")], server: ServerOfRequest
) -> ImportAnswer:
    """Takes settlements, reversals (2103), stays (2401, 2402) or line items (2102) under the platform's names.

    A million rows take about a minute; `renzheng server import` does the same without a connection that has to last.
    Rows that are wrong are rejected one by one and listed. Of the others the same content twice changes nothing and
    other content corrects what is there, so a file may be sent again at any time. Rows of institutions outside your
    district are rejected.
    """
    told = import_file(server, sent.kind, sent.file.filename or "", sent.file.file, Importer.of(subject))
    return service.import_answer(told)


@router.get("/v1/settlement-imports", summary="List imports")
def list_imports(
    subject: Seeing,
    session: Transaction,
    after: Annotated[
        str, Query(description="id of the last import of the page before", pattern="^([0-9a-f]{32})?$")
    ] = "",
    limit: Limit = 50,
) -> ImportPage:
    """The imports that users of your district made, the newest first."""
    return ImportPage(imports=service.list_imports(session, subject, after, limit))


@router.get("/v1/settlement-imports/{import_id}", summary="See an import", responses=_NO_IMPORT)
def see_import(import_id: ImportId, subject: Seeing, session: Transaction) -> ImportAnswer:
    """What became of its rows; while it runs, so far."""
    return service.find_import(session, subject, import_id)


@router.get("/v1/settlement-imports/{import_id}/rejected-rows", summary="List rejected rows", responses=_NO_IMPORT)
def list_rejected(
    import_id: ImportId,
    subject: Seeing,
    session: Transaction,
    after: Annotated[int, Query(ge=0, lt=2**31, description="number of the last problem of the page before")] = 0,
    limit: Limit = 50,
) -> RejectedPage:
    """What is wrong with which field of which row."""
    return RejectedPage(rows=service.list_rejected(session, subject, import_id, after, limit))


@router.get(
    "/v1/settlement-imports/{import_id}/rejected-rows.csv",
    summary="Download rejected rows",
    responses={200: {"content": {"text/csv": {}}, "description": "row, field, expected"}, **_NO_IMPORT},
    response_class=Response,
)
def download_rejected(import_id: ImportId, subject: Seeing, session: Transaction) -> Response:
    """All that is kept of what is wrong, as a table to put the file right by."""
    rows = service.list_rejected(session, subject, import_id, 0, None)
    headers = {"Content-Disposition": f'attachment; filename="rejected-{import_id}.csv"'}
    return Response(service.rejected_csv(rows), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/v1/settlements", summary="List settlements", responses=_NO_SETTLEMENT)
def list_settlements(
    subject: Seeing,
    session: Transaction,
    person_id: Annotated[str | None, Query(pattern=ID, description="id of an enrolled person")] = None,
    institution_id: Annotated[str | None, Query(max_length=32)] = None,
    setl_id: Annotated[str | None, Query(min_length=1, max_length=64)] = None,
    since: Annotated[UtcTime | None, Query(description="settled from this moment on")] = None,
    until: Annotated[UtcTime | None, Query(description="settled before this moment")] = None,
    after: Annotated[
        int | None, Query(ge=1, lt=MAX_BIGINT, description="id of the last one of the page before")
    ] = None,
    limit: Limit = 50,
) -> SettlementPage:
    """Settlements at institutions of your district, the newest first, of a person or an institution."""
    psn_no = service.psn_no_of(session, subject, person_id) if person_id is not None else None
    wanted = Wanted(psn_no, institution_id, setl_id, since, until)
    return SettlementPage(settlements=service.list_settlements(session, subject, wanted, after, limit))


@router.post("/v1/settlements/search", summary="Find settlements of a person number")
def search_settlements(asked: SettlementQuestion, subject: Seeing, session: Transaction) -> SettlementPage:
    """As the list, of somebody who need not be enrolled; that it was asked goes into the audit log."""
    wanted = Wanted(psn_no=asked.psn_no, since=asked.since, until=asked.until)
    found = service.search_settlements(session, subject, wanted, asked.after, asked.limit)
    return SettlementPage(settlements=found)


@router.get("/v1/settlements/{settlement_id}", summary="See a settlement", responses=_NO_SETTLEMENT)
def see_settlement(
    settlement_id: Annotated[int, Path(ge=1, lt=MAX_BIGINT)], subject: Seeing, session: Transaction
) -> SettlementDetail:
    """One settlement with its line items and trace codes."""
    return service.see_settlement(session, subject, settlement_id)
