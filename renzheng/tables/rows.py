"""Rows of a table that somebody else wrote: CSV in UTF-8 or GB18030, or the first sheet of an .xlsx workbook.

What kind of file it is is told by its first bytes, not by its name. A row that cannot be read becomes a
:class:`BadRow` with its line number and reading goes on with the next line; only a file that cannot be read at all
raises :class:`~renzheng.errors.BadInput`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from renzheng.errors import BadInput

ZIP_MAGIC = b"PK\x03\x04"
OLD_OFFICE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
UTF8_BOM = b"\xef\xbb\xbf"
UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
DELIMITERS = ",\t;"
LINES_PER_ROW_MAX = 200
"""A row that runs over more lines is an unclosed quotation mark, not a cell with line breaks."""
SHOWN_MAX = 50
"""So many bad rows are listed in a message; the rest are counted."""
QUOTED_CHARS_MAX = 40

WHOLE_ROW = "row"
"""Stands in the place of a field's name where the row as a whole is wrong."""


@dataclass(frozen=True, order=True)
class BadRow:
    """What is wrong with one field of one row: the file's line (or the sheet's row), the field, what was expected."""

    line: int
    field: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.field}: {self.message}"


@dataclass(frozen=True)
class Cell:
    """One cell as text; ``doubt`` says why the text may not be what the writer meant (a formula, a rounded number)."""

    text: str
    doubt: str = ""


@dataclass(frozen=True)
class Row:
    """One row by column name, with the line it starts on; a short row's missing cells are empty."""

    line: int
    cells: dict[str, Cell]

    def text(self, name: str) -> str:
        """The cell without surrounding space."""
        return self.cells[name].text.strip()


@dataclass(frozen=True)
class RowFile:
    """A table's rows in the order of the file, with what could not be read."""

    header: tuple[str, ...]
    rows: tuple[Row, ...]
    bad_rows: tuple[BadRow, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass
class RawTable:
    """Lines of cells before the header is understood; filled while reading."""

    lines: list[tuple[int, list[Cell]]] = field(default_factory=list)
    bad_rows: list[BadRow] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def read_rows(path: Path, required: Sequence[str]) -> RowFile:
    """Read a table that must have the ``required`` columns (matched without regard to case).

    Raises :class:`BadInput` when the file is missing, empty, neither UTF-8 nor GB18030, not a workbook, or lacks
    columns; every missing column is named at once.
    """
    return rows_of(path, _read_bytes(path), required)


def rows_of(path: Path, data: bytes, required: Sequence[str]) -> RowFile:
    """:func:`read_rows` of bytes that were read already; ``path`` is for messages."""
    if not data.strip():
        raise BadInput(f"{path}: the file is empty; expected a header with {', '.join(required)}")
    if data.startswith(OLD_OFFICE_MAGIC):
        raise BadInput(
            f"{path}: an old .xls or a password-protected workbook; save it as .xlsx without a password, or as CSV"
        )
    if data.startswith(ZIP_MAGIC):
        from renzheng.tables.workbook import read_workbook  # openpyxl is slow to import

        raw = read_workbook(path, data)
    else:
        raw = _read_csv(path, decode_text(path, data), required)
    return _with_header(path, raw, required)


def quoted(text: str) -> str:
    """The text in quotation marks for a message, cut when long, control characters made visible."""
    shown = text if len(text) <= QUOTED_CHARS_MAX else f"{text[:QUOTED_CHARS_MAX]}… ({len(text)} characters)"
    return '"' + "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown) + '"'


def refuse_bad_rows(path: Path, bad_rows: Sequence[BadRow], advice: str = "") -> BadInput:
    """The error that lists the bad rows, at most :data:`SHOWN_MAX` of them, and says how many more there are."""
    count = len({bad.line for bad in bad_rows})
    lines = [f"{path}: {count} bad row{'s' if count != 1 else ''}", *(f"  {bad}" for bad in bad_rows[:SHOWN_MAX])]
    if len(bad_rows) > SHOWN_MAX:
        lines.append(f"  and {len(bad_rows) - SHOWN_MAX} more")
    return BadInput("\n".join([*lines, advice] if advice else lines))


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise BadInput(f"{path}: no such file") from error
    except IsADirectoryError as error:
        raise BadInput(f"{path}: expected a file, found a folder") from error
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}") from error


def decode_text(path: Path, data: bytes) -> str:
    """UTF-8 with or without BOM, else GB18030; :class:`BadInput` names the byte at which each stops."""
    if data.startswith(UTF16_BOMS):
        raise BadInput(f"{path}: UTF-16 text (byte offset 0); expected UTF-8 or GB18030")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        start = error.start + (len(UTF8_BOM) if data.startswith(UTF8_BOM) else 0)
        cut_off = error.reason == "unexpected end of data" and not data[:start].isascii()
        if cut_off or data.startswith(UTF8_BOM):
            raise BadInput(
                f"{path}: UTF-8 text that is broken at byte offset {start}; was the file cut off?"
            ) from error
    try:
        return data.decode("gb18030")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{path}: neither UTF-8 (stops at byte offset {start}) nor GB18030 (stops at byte offset {error.start})"
        ) from error


def _read_csv(path: Path, text: str, required: Sequence[str]) -> RawTable:
    lines = list(io.StringIO(text, newline=""))
    delimiter = _delimiter(lines, required)
    raw = RawTable()
    for line, outcome in csv_records(lines, delimiter):
        if isinstance(outcome, str):
            raw.bad_rows.append(BadRow(line, WHOLE_ROW, outcome))
            if not raw.lines:
                raise BadInput(f"{path}: line {line}: the header cannot be read: {outcome}")
        elif any(text.strip() for text in outcome):
            raw.lines.append((line, [Cell(text) for text in outcome]))
    return raw


def _delimiter(lines: Sequence[str], required: Sequence[str]) -> str:
    """The delimiter that splits the first line with text into most of the required columns; a comma when in doubt."""
    first = next((line for line in lines if line.strip()), "").lower()

    def known(delimiter: str) -> int:
        return len({name.strip().strip('"').strip() for name in first.split(delimiter)} & set(required))

    return max(DELIMITERS, key=known)


def csv_records(lines: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str] | str]]:
    """Each record with the line it starts on; where it cannot be parsed, what is wrong with it instead.

    After a broken record parsing starts afresh on the line below the one it began on, so that a stray quotation
    mark costs one row and does not swallow the rest of the file. No more lines are held than a record may have.
    """
    source = _Lines(lines)
    line = 1
    reader = csv.reader(source, delimiter=delimiter, strict=True)
    while True:
        try:
            for record in reader:
                yield line, record
                line += source.end_record()
            return
        except csv.Error as error:
            yield line, _in_words(error)
            source.keep_first_only()
            line += 1
            reader = csv.reader(source, delimiter=delimiter, strict=True)


class _Lines:
    """Lines for a csv reader, those of the record at hand kept, so that they can be read anew."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._again: list[str] = []
        self._taken: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if len(self._taken) >= LINES_PER_ROW_MAX:
            raise StopIteration
        line = self._again.pop() if self._again else next(self._lines)
        self._taken.append(line)
        return line

    def end_record(self) -> int:
        """How many lines the record had that was just read."""
        count = len(self._taken)
        self._taken.clear()
        return count

    def keep_first_only(self) -> None:
        """Have all lines of the record but its first read again."""
        self._again += self._taken[:0:-1]
        self._taken.clear()


def _in_words(error: csv.Error) -> str:
    """What the csv module says, in words that help whoever repairs the file."""
    said = str(error)
    if "unexpected end of data" in said:
        return "a quotation mark that is opened here is never closed"
    if "expected after" in said:
        return "text follows a closing quotation mark; a quotation mark inside a cell is written twice"
    if "field limit" in said:
        return f"a cell is longer than {csv.field_size_limit()} characters"
    return said


def _with_header(path: Path, raw: RawTable, required: Sequence[str]) -> RowFile:
    if not raw.lines:
        raise BadInput(f"{path}: no rows; expected a header with {', '.join(required)}")
    header = _header_names(path, raw.lines[0], required)
    rows, bad_rows = [], list(raw.bad_rows)
    for line, cells in raw.lines[1:]:
        problems = _row_problems(line, header, cells)
        if problems:
            bad_rows += problems
        else:
            padded = [*cells, *[Cell("")] * (len(header) - len(cells))]
            rows.append(Row(line, {name: cell for name, cell in zip(header, padded, strict=False) if name}))
    return RowFile(header, tuple(rows), tuple(sorted(bad_rows)), tuple(raw.warnings))


def _header_names(path: Path, first: tuple[int, list[Cell]], required: Sequence[str]) -> tuple[str, ...]:
    line, cells = first
    if any("\0" in cell.text for cell in cells):
        raise BadInput(f"{path}: line {line}: the header holds NUL bytes; expected text")
    stripped = [cell.text.strip() for cell in cells]
    header = tuple(name.lower() if name.lower() in required else name for name in stripped)
    missing = [name for name in required if name not in header]
    if missing:
        found = ", ".join(quoted(name) for name in header[:20] if name)
        raise BadInput(
            f"{path}: line {line}: missing column{'s' * (len(missing) > 1)} {', '.join(missing)}; found {found}"
        )
    repeated = sorted({name for name in header if name and header.count(name) > 1})
    if repeated:
        raise BadInput(f"{path}: line {line}: columns named more than once: {', '.join(map(quoted, repeated))}")
    return header


def _row_problems(line: int, header: tuple[str, ...], cells: list[Cell]) -> list[BadRow]:
    """A row has no text outside the named columns and no NUL bytes; empty cells past the end are let pass."""
    filled = max((number for number, cell in enumerate(cells, 1) if cell.text.strip()), default=0)
    if filled > len(header):
        return [BadRow(line, WHOLE_ROW, f"expected {len(header)} cells, found {filled}")]
    problems = []
    for number, (name, cell) in enumerate(zip(header, cells, strict=False), 1):
        if "\0" in cell.text:
            problems.append(BadRow(line, name or f"column {number}", "expected text, found NUL bytes"))
        elif not name and cell.text.strip():
            problems.append(
                BadRow(line, f"column {number}", f"expected nothing, for it has no name; found {quoted(cell.text)}")
            )
    return problems
