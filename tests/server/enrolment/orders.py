"""Tables and zips of invented people."""

from __future__ import annotations

import csv
import io
import threading
import zipfile

from renzheng.ids import new_id
from server.audit_log.service import Actor
from server.context import Server
from server.enrolment import repository, service
from server.enrolment.messages import RowReport
from server.enrolment.people_table import read_sheet
from server.enrolment.photo_sources import photos_of_zip
from server.enrolment.service import Enroller, Given

COLUMNS = ("psn_no", "psn_name", "insuplc_admdvs", "certno", "basis", "basis_version", "basis_given_at")
ANNE, BO, CHEN = "33028100000001", "33028100000002", "33028100000003"
NUMBERS = {ANNE: "11010519491231002X", BO: "330281199001011235", CHEN: "330281198502021226"}
"""Invented, with right check digits."""

ANYBODY = Enroller(Actor("user", new_id()), None)


def person(psn_no: str = ANNE, **cells: str) -> dict[str, str]:
    """A sound row; empty text takes a cell away."""
    sound = {
        "psn_no": psn_no, "psn_name": f"王{psn_no[-1]}", "insuplc_admdvs": "330281", "certno": NUMBERS.get(psn_no, ""),
        "basis": "consent", "basis_version": "2026-01", "basis_given_at": "2026-05-01 09:00:00",
    }  # fmt: skip
    return sound | cells


def table(*rows: dict[str, str], encoding: str = "utf-8", delimiter: str = ",") -> bytes:
    """CSV of rows, with every column that any of them has."""
    names = list(dict.fromkeys([*COLUMNS, *(name for row in rows for name in row)]))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode(encoding)


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """A zip of files by name."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def given(rows: bytes, files: dict[str, bytes]) -> Given:
    """The files of an order as the service takes them."""
    return Given.of(read_sheet(rows), photos_of_zip(io.BytesIO(zipped(files))))


def enrol(
    server: Server, rows: bytes, files: dict[str, bytes], enroller: Enroller = ANYBODY, *, dry_run: bool = False
) -> list[RowReport]:
    """Open an order, work on it to its end, and give its report."""
    files_given = given(rows, files)
    with server.database.transaction() as session:
        order_id = service.open_order(session, server, files_given, enroller, dry_run=dry_run).id
    assert service.work_on(server, order_id, files_given, enroller, threading.Event())
    return reported(server, order_id)


def reported(server: Server, order_id: str) -> list[RowReport]:
    """The rows of an order so far."""
    with server.database.transaction(writes=False) as session:
        return [service.row_told(row) for row in repository.rows_after(session, order_id, 0, 1000)]


def told(report: RowReport) -> list[tuple[str, str]]:
    """Field and code of each problem."""
    return [(problem.field, problem.code) for problem in report.problems]
