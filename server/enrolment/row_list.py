"""The report of an order as CSV, one line for each problem, for whoever puts the table right."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

from sqlalchemy.orm import Session

from server.enrolment import repository
from server.enrolment.messages import Outcome
from server.tables import BulkRow

HEADER = ("row", "outcome", "person_id", "photos_taken", "field", "code", "问题", "problem")
BLOCK = 1000
BOM = "\ufeff"
"""Without it spreadsheets take UTF-8 for something else."""


def csv_of(session: Session, order_id: str, outcome: Outcome | None = None) -> Iterator[str]:
    """The list, some rows at a time."""
    yield BOM + _lines([HEADER])
    after = 0
    while rows := repository.rows_after(session, order_id, after, BLOCK, outcome):
        yield _lines(line for row in rows for line in _lines_of(row))
        after = rows[-1].row


def _lines_of(row: BulkRow) -> Iterator[tuple[object, ...]]:
    told = (row.row, row.outcome, row.person_id or "", row.photos_taken)
    if not row.problems:
        yield (*told, "", "", "", "")
    for problem in row.problems:
        yield (*told, problem["field"], problem["code"], problem["zh"], problem["en"])


def _lines(lines: Iterable[tuple[object, ...]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(lines)
    return text.getvalue()
