"""The table of an enrolment: one row a person, columns as the platform names them, with what allows the enrolment.

Messages and problems never repeat a cell: it may be a name, and what is said of a row is kept longer than the person.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, time
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from renzheng.clock import as_utc
from renzheng.errors import BadInput
from renzheng.tables.rows import Cell, Row, rows_of
from renzheng.tables.values import parse_day, parse_id, parse_time
from server.enrolment.words import EXPECTED, RowProblem, Trouble, problem
from server.people.messages import BasisFields, PersonFields
from server.tables import Purpose

REQUIRED = ("psn_no", "psn_name", "insuplc_admdvs")
COLUMNS = frozenset(EXPECTED)
PERSON_COLUMNS = frozenset(PersonFields.model_fields)
BASIS_COLUMNS = {
    "basis": "basis",
    "basis_version": "version",
    "basis_given_at": "given_at",
    "guardian_name": "guardian_name",
    "guardian_relation": "guardian_relation",
}
"""Columns of what allows the enrolment, and the fields of :class:`BasisFields` they fill."""

TABLE_BYTES_MAX = 32 * 2**20
"""The whole table is in memory while it is worked on."""

ROWS_MAX = 100_000
"""At so many stored people the law asks for a filing; a table of more is better cut up."""

FORMULA_STARTS = ("=", "+", "-", "@")
"""A spreadsheet that opens the table, or a list made of it, would calculate what begins so."""


@dataclass(frozen=True)
class SheetRow:
    """One line. Nobody is enrolled of one that has problems; without a basis, one must be in force already."""

    line: int
    psn_no: str | None = None
    person: PersonFields | None = None
    basis: BasisFields | None = None
    problems: tuple[RowProblem, ...] = ()


@dataclass(frozen=True)
class Sheet:
    """All lines in order. ``sha256`` is of the file's bytes."""

    rows: tuple[SheetRow, ...]
    sha256: str

    @property
    def psn_nos(self) -> set[str]:
        """Everybody's number, as far as it could be read."""
        return {row.psn_no for row in self.rows if row.psn_no is not None}


def read_sheet(data: bytes) -> Sheet:
    """Read CSV (UTF-8, GB18030; comma, semicolon or tab) or the first sheet of an .xlsx.

    Raises :class:`BadInput`, which quotes nothing of the table, when it is none with the :data:`REQUIRED` columns.
    """
    if len(data) > TABLE_BYTES_MAX:
        raise BadInput(f"table: expected at most {TABLE_BYTES_MAX >> 20} MiB")
    try:
        table = rows_of(Path("table"), data, REQUIRED)
    except BadInput as error:
        raise BadInput(_without_content(str(error))) from None
    broken = {bad.line for bad in table.bad_rows}
    if len(table.rows) + len(broken) > ROWS_MAX:
        raise BadInput(f"table: expected at most {ROWS_MAX:,} rows")
    rows = [_sheet_row(row) for row in table.rows]
    rows += [SheetRow(line, problems=(problem("row", Trouble.ROW_UNREADABLE),)) for line in broken]
    told = _without_doubles(sorted(rows, key=lambda row: row.line))
    return Sheet(tuple(told), hashlib.sha256(data).hexdigest())


def _without_content(message: str) -> str:
    return message.partition("; found")[0].partition(", found")[0]


def _sheet_row(row: Row) -> SheetRow:
    cells = {name.lower(): cell for name, cell in row.cells.items() if name.lower() in COLUMNS}
    values: dict[str, Any] = {}
    problems = []
    for name, cell in cells.items():
        trouble = _trouble(cell)
        if trouble is None and (text := cell.text.strip()):
            try:
                values[name] = _PARSERS.get(name, str)(text)
            except ValueError:
                trouble = Trouble.UNEXPECTED
        if trouble is not None:
            problems.append(problem(name, trouble))
    told = {one.field for one in problems}
    understood = _understood(row.line, values)
    problems += [one for one in understood.problems if one.field not in told]
    return replace(understood, problems=tuple(problems)) if problems else understood


def _trouble(cell: Cell) -> Trouble | None:
    if cell.text.strip().startswith(FORMULA_STARTS):
        return Trouble.FORMULA
    return Trouble.ROUNDED if cell.doubt else None


def _moment(text: str) -> datetime:
    """A time, or the beginning of a day in Asia/Shanghai."""
    try:
        return parse_time(text)
    except ValueError:
        return as_utc(datetime.combine(parse_day(text), time()))


_PARSERS: dict[str, Callable[[str], Any]] = {
    "psn_no": parse_id,
    "certno": parse_id,
    "brdy": parse_day,
    "basis_given_at": _moment,
}


def _understood(line: int, values: dict[str, Any]) -> SheetRow:
    """The row as the fields of a person and of a basis, or with everything that keeps it from being these."""
    problems: list[RowProblem] = []
    person = basis = None
    try:
        person = PersonFields(**{name: value for name, value in values.items() if name in PERSON_COLUMNS})
    except ValidationError as error:
        problems += _unexpected(error, {})
    given = {field: values[name] for name, field in BASIS_COLUMNS.items() if name in values}
    if given and "given_at" not in given:
        problems.append(problem("basis_given_at", Trouble.UNEXPECTED))  # a list sent again next year says the same
    try:
        basis = BasisFields(purpose=Purpose.IDENTITY_CHECK, **given) if given else None
    except ValidationError as error:
        problems += _unexpected(error, {field: name for name, field in BASIS_COLUMNS.items()})
    return SheetRow(line, values.get("psn_no"), person, basis, tuple(problems))


def _unexpected(error: ValidationError, columns: dict[str, str]) -> Iterator[RowProblem]:
    """One problem for each field that is wrong; what pydantic says of it may hold the cell."""
    for field in dict.fromkeys(str(one["loc"][0]) for one in error.errors() if one["loc"]):
        yield problem(columns.get(field, field), Trouble.UNEXPECTED)


def _without_doubles(rows: list[SheetRow]) -> Iterator[SheetRow]:
    """The rows, those that repeat or contradict another marked: of two that differ nobody can tell which is right."""
    by_value: dict[tuple[str, str], list[SheetRow]] = defaultdict(list)
    for row in rows:
        if row.person is not None:
            by_value["psn_no", row.person.psn_no].append(row)
            if row.person.certno is not None:
                by_value["certno", row.person.certno].append(row)
    found: dict[int, RowProblem] = {}
    for (name, _value), same in by_value.items():
        for line, told in _doubles(name, same):
            found.setdefault(line, told)
    for row in rows:
        yield replace(row, problems=(*row.problems, found[row.line])) if row.line in found else row


def _doubles(name: str, same: list[SheetRow]) -> Iterable[tuple[int, RowProblem]]:
    first, *others = same
    if all((row.person, row.basis) == (first.person, first.basis) for row in others):
        for row in others:
            yield row.line, problem(name, Trouble.REPEATED, line=first.line)
        return
    for row in same:
        yield row.line, problem(name, Trouble.CONTRADICTED, line=(first if row is not first else others[0]).line)
