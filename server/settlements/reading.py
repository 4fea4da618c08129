"""Files of the platform as rows of values, one at a time, whatever they are written in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

from renzheng.errors import BadInput
from renzheng.tables.json_objects import stream_objects
from renzheng.tables.rows import WHOLE_ROW, BadRow
from renzheng.tables.streams import BrokenRow, RawRow, is_json, scan, stream_table
from server.settlements.cells import NO_VALUE, Unreadable
from server.settlements.kinds import FIELDS, Field, ImportKind, ImportWarning, names_of

NONE_FOUND = "expected a value, found none"
_PROBLEMS_MAX = 20


class ParsedRow(NamedTuple):
    """Values of one row by the platform's names, every field of its kind among them."""

    line: int
    values: dict[str, Any]


class RefusedRow(NamedTuple):
    """What is wrong with one row."""

    line: int
    problems: list[BadRow]


@dataclass
class OpenedFile:
    """A file that is being read; ``rows`` can be gone through once, ``notes`` count warnings and grow meanwhile."""

    sha256: str
    rows: Iterator[ParsedRow | RefusedRow]
    notes: dict[str, int]


def open_rows(stream: BinaryIO, kind: ImportKind) -> OpenedFile:
    """Begin to read a file.

    Raises :class:`BadInput` for one that is no table or lacks columns, and, while rows are read, for a workbook or
    JSON array that breaks off.
    """
    found = scan(stream)
    if is_json(stream):
        notes: dict[str, int] = {}
        return OpenedFile(found.sha256, _of_objects(kind, stream_objects(stream, found, notes)), notes)
    table = stream_table(stream, names_of(kind), found)
    reader = _RowReader(kind, table.header)
    if reader.ignored:
        table.notes[ImportWarning.IGNORED_COLUMNS] = reader.ignored
    return OpenedFile(found.sha256, reader.read_all(table.rows), table.notes)


class _RowReader:
    """Reads rows of one header."""

    def __init__(self, kind: ImportKind, header: tuple[str, ...]) -> None:
        names = names_of(kind)
        columns = [names.get(name.lower()) for name in header]
        places = {name: number for number, name in enumerate(columns) if name}
        _refuse_head(kind, columns)
        self._width = len(header)
        self._plan = [(places[one.name], one) for one in FIELDS[kind] if one.name in places]
        self._empty = {one.name: one.empty for one in FIELDS[kind]}  # every row has its fields in this order
        self._steps = [(place, one.name, one.read, one.needed) for place, one in self._plan]
        self.ignored = sum(1 for name, known in zip(header, columns, strict=True) if name and not known)

    def read_all(self, rows: Iterator[RawRow | BrokenRow]) -> Iterator[ParsedRow | RefusedRow]:
        """Every row as it comes."""
        for row in rows:
            if isinstance(row, BrokenRow):
                yield RefusedRow(row.line, [BadRow(row.line, WHOLE_ROW, row.expected)])
            else:
                yield self.read(row)

    def read(self, row: RawRow) -> ParsedRow | RefusedRow:
        """One row; everything that is wrong with it is told at once."""
        line, cells, doubts = row
        if len(cells) != self._width:
            if any(cell.strip() for cell in cells[self._width :]):
                return RefusedRow(line, [BadRow(line, WHOLE_ROW, f"expected {self._width} cells, found {len(cells)}")])
            cells = [*cells, *[""] * (self._width - len(cells))]
        values = self._empty.copy()
        problems = [BadRow(line, one.name, doubts[place]) for place, one in self._plan if place in doubts]
        for place, name, read, needed in self._steps:
            cell = cells[place].strip()
            if cell in NO_VALUE:
                if needed:
                    problems.append(BadRow(line, name, NONE_FOUND))
                continue
            try:
                values[name] = read(cell)
            except Unreadable as error:
                problems.append(BadRow(line, name, str(error)))
        return RefusedRow(line, _once(problems)) if problems else ParsedRow(line, values)


def _once(problems: list[BadRow]) -> list[BadRow]:
    """The first problem of each field."""
    return list({problem.field: problem for problem in reversed(problems[:_PROBLEMS_MAX])}.values())[::-1]


def _refuse_head(kind: ImportKind, columns: list[str | None]) -> None:
    missing = [one for one in FIELDS[kind] if one.needed and one.name not in columns]
    if missing:
        told = ", ".join(_shown(one) for one in missing)
        raise BadInput(f"the head lacks column{'s' * (len(missing) > 1)} {told} of kind {kind.value}")
    twice = sorted({name for name in columns if name and columns.count(name) > 1})
    if twice:
        raise BadInput(f"the head has more than one column {', '.join(twice)}")


def _shown(field: Field) -> str:
    return f"{field.name} ({field.names[0]})" if field.names else field.name


# --- JSON ------------------------------------------------------------------------------------------------------------


def _of_objects(kind: ImportKind, objects: Iterator[Any]) -> Iterator[ParsedRow | RefusedRow]:
    reader = _RowReader(kind, tuple(one.name for one in FIELDS[kind]))
    names = names_of(kind)
    for found in objects:
        if isinstance(found, BrokenRow):
            yield RefusedRow(found.line, [BadRow(found.line, WHOLE_ROW, found.expected)])
            continue
        for fields in _lines_of(kind, found.fields):
            yield _of_object(reader, kind, names, found.line, fields)


def _lines_of(kind: ImportKind, fields: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A purchase with its ``drugdetail`` (2102) is as many rows as that has; else the object is one row."""
    details = fields.get("drugdetail")
    if kind is not ImportKind.ITEMS or not isinstance(details, list):
        yield fields
        return
    for number, detail in enumerate(details, 1):
        own = detail if isinstance(detail, dict) else {}
        yield {"setl_id": fields.get("setl_id"), "feedetl_sn": str(number), **own}


def _of_object(
    reader: _RowReader, kind: ImportKind, names: dict[str, str], line: int, fields: dict[str, Any]
) -> ParsedRow | RefusedRow:
    texts: dict[str, str] = {}
    doubts: dict[int, str] = {}
    order = [one.name for one in FIELDS[kind]]
    for key, value in _with_trace_codes(fields).items():
        name = names.get(key.strip().lower())
        if name is None:
            continue
        if name in texts:
            doubts[order.index(name)] = "expected the field once"
        if value is not None and not isinstance(value, str):
            doubts[order.index(name)] = "expected text or a number"
            value = None
        texts[name] = value or ""
    return reader.read(RawRow(line, [texts.get(name, "") for name in order], doubts))


def _with_trace_codes(fields: dict[str, Any]) -> dict[str, Any]:
    """Trace codes as one text: they come as a list, or as the platform's list ``drugtracinfo``."""
    told = fields.get("drugtracinfo", fields.get("drug_trac_codg"))
    if not isinstance(told, list):
        return fields
    codes = [one.get("drug_trac_codg") if isinstance(one, dict) else one for one in told]
    texts = [code for code in codes if isinstance(code, str)]
    joined: Any = ";".join(texts) if len(texts) == len(codes) else codes
    return {name: value for name, value in fields.items() if name != "drugtracinfo"} | {"drug_trac_codg": joined}
