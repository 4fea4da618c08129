"""JSON routes of bulk enrolment."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import StreamingResponse
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from server.access import Needs, Subject
from server.context import Server, ServerOfRequest, Transaction
from server.enrolment import service
from server.enrolment.messages import Order, Outcome, RowPage
from server.enrolment.people_table import TABLE_BYTES_MAX, read_sheet
from server.enrolment.photo_sources import photos_of_zip
from server.enrolment.row_list import csv_of
from server.enrolment.runner import Runner, runner_lifespan, runner_of
from server.enrolment.service import Enroller, Given
from server.errors import Unacceptable
from server.permissions import Permission
from server.problems import Problem

router = APIRouter(lifespan=runner_lifespan, tags=["enrolment"])

FILES_MAX = 2
FIELDS_MAX = 2
FIELD_BYTES_MAX = 1000

ID = r"^[0-9a-f]{32}$"
OrderId = Annotated[str, Path(pattern=ID)]
Asking = Annotated[Subject, Depends(Needs(Permission.ENROL))]

NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"model": Problem, "description": "no such order in your district"}}
SENDING: dict[int | str, dict[str, Any]] = {
    409: {"model": Problem, "description": "these very files are being worked on"},
    429: {"model": Problem, "description": "other orders are waiting; come again after Retry-After"},
}

FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["table", "photos"],
                    "properties": {
                        "table": {"type": "string", "format": "binary", "description": "CSV or .xlsx"},
                        "photos": {"type": "string", "format": "binary", "description": "zip of <psn_no>.jpg, …"},
                        "dry_run": {"type": "boolean", "default": False, "description": "keep only the report"},
                    },
                }
            }
        },
    }
}


@dataclass
class Sent:
    """The form of a request. Its files are closed when the request ends, but for those that were taken out."""

    files: dict[str, UploadFile]
    dry_run: bool

    def stream(self, name: str) -> BinaryIO:
        """A file of the form. Raises :class:`Unacceptable` when it is not there."""
        if name not in self.files:
            raise Unacceptable("expected a file", name)
        return self.files[name].file


async def _sent(request: Request, _asking: Asking) -> AsyncIterator[Sent]:
    """The form, read only once it is known who asks: whoever may not enrol has nothing of theirs kept."""
    try:
        form = await request.form(max_files=FILES_MAX, max_fields=FIELDS_MAX, max_part_size=FIELD_BYTES_MAX)
    except HTTPException as error:
        raise Unacceptable("expected multipart/form-data with the files table and photos", "body") from error
    files = {name: value for name, value in form.items() if isinstance(value, UploadFile)}
    try:
        yield Sent(files, _flag(form.get("dry_run")))
    finally:
        for file in files.values():
            await file.close()


def _flag(text: object) -> bool:
    if text in (None, "", "false", "0"):
        return False
    if text in ("true", "1"):
        return True
    raise Unacceptable("expected true or false", "dry_run")


def _runner(request: Request) -> Runner:
    return runner_of(request.app)


@router.post(
    "/v1/bulk-enrolments",
    status_code=202,
    summary="Enrol many: a table with a zip of photos",
    responses=SENDING,
    openapi_extra=FORM,
)
def create_order(
    asking: Asking,
    sent: Annotated[Sent, Depends(_sent, scope="request")],
    server: ServerOfRequest,
    runner: Annotated[Runner, Depends(_runner)],
) -> Order:
    """Take a table of people and a zip of their photos; the work goes on after the answer.

    The table is CSV or .xlsx with the columns `psn_no`, `psn_name` and `insuplc_admdvs`, and as far as there are
    `certno`, `psn_cert_type`, `gend`, `brdy`, `insutype`, `psn_type`, `basis` (`consent` or `statutory_duty`),
    `basis_version`, `basis_given_at`, `guardian_name` and `guardian_relation`. Photos are named `<psn_no>.jpg`,
    `<psn_no>_2.jpg`. Each row is taken whole or refused; `dry_run` keeps the report alone. The same files sent again
    go on where they were cut off, and try refused rows anew.
    """
    given = _given(sent)
    enroller = Enroller.of(asking)
    runner.take_place()
    try:
        with server.database.transaction() as session:
            order = service.open_order(session, server, given, enroller, dry_run=sent.dry_run)
            session.flush()
            answer = service.order_of(session, asking, order.id)
    except BaseException:
        runner.leave()
        raise
    photos = sent.files.pop("photos").file
    runner.submit(lambda stop: _work(server, answer.id, given, enroller, photos, stop))
    return answer


def _given(sent: Sent) -> Given:
    table = sent.stream("table").read(TABLE_BYTES_MAX + 1)
    return Given.of(read_sheet(table), photos_of_zip(sent.stream("photos")))


def _work(
    server: Server, order_id: str, given: Given, enroller: Enroller, photos: BinaryIO, stop: threading.Event
) -> None:
    with photos:
        service.work_on(server, order_id, given, enroller, stop)


@router.get("/v1/bulk-enrolments", summary="List the orders of your district")
def list_orders(
    asking: Asking,
    session: Transaction,
    after: Annotated[str | None, Query(pattern=ID, description="id of the last order of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> list[Order]:
    """Orders of your district, the newest first."""
    return service.orders_of(session, asking, after, limit)


@router.get("/v1/bulk-enrolments/{order_id}", summary="See how far an order is", responses=NOT_FOUND)
def read_order(asking: Asking, session: Transaction, order_id: OrderId) -> Order:
    """How many rows of an order were enrolled, updated, left unchanged and refused so far."""
    return service.order_of(session, asking, order_id)


@router.get("/v1/bulk-enrolments/{order_id}/rows", summary="See what became of each row", responses=NOT_FOUND)
def list_rows(
    asking: Asking,
    session: Transaction,
    order_id: OrderId,
    after: Annotated[int, Query(ge=0, le=2**31 - 1, description="`next_after` of the page before")] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 100,
    outcome: Annotated[Outcome | None, Query(description="rows with this outcome alone")] = None,
) -> RowPage:
    """Rows in the order of the table with their problems in both languages. Nothing of what a row says is in it."""
    return service.rows_of(session, asking, order_id, after, limit, outcome)


@router.get(
    "/v1/bulk-enrolments/{order_id}/rows.csv",
    summary="The report of an order as CSV",
    response_class=StreamingResponse,
    responses={**NOT_FOUND, 200: {"content": {"text/csv": {}}, "description": "UTF-8 with a byte order mark"}},
)
def list_rows_as_csv(
    asking: Asking,
    server: ServerOfRequest,
    order_id: OrderId,
    outcome: Annotated[Outcome | None, Query(description="rows with this outcome alone")] = None,
) -> StreamingResponse:
    """One line for each problem of a row, or one for a row without, for whoever puts the table right."""
    with server.database.transaction(writes=False) as session:
        service.order_of(session, asking, order_id)
    headers = {"Content-Disposition": f'attachment; filename="bulk-enrolment-{order_id}.csv"'}
    return StreamingResponse(_csv(server, order_id, outcome), media_type="text/csv; charset=utf-8", headers=headers)


def _csv(server: Server, order_id: str, outcome: Outcome | None) -> Iterator[str]:
    with server.database.transaction(writes=False) as session:
        yield from csv_of(session, order_id, outcome)
