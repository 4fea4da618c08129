"""The first sheet of an .xlsx workbook as rows of text. Formulas are not evaluated."""

from __future__ import annotations

import io
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.xml.constants import ARC_CONTENT_TYPES, WORKSHEET_TYPE
from openpyxl.xml.functions import fromstring

from renzheng.errors import BadInput
from renzheng.tables.rows import Cell, RawTable
from renzheng.tables.streams import BrokenRow, RawRow

EXACT_DIGITS = 15
"""A spreadsheet keeps so many digits of a number; of a longer one the rest is lost."""

UNPACKED_BYTES_MAX = 512 * 2**20
"""A workbook that unpacks to more is refused before anything of it is."""

PACKED_TIMES_MAX = 200
"""Sheets pack to a tenth or a thirtieth; what packs this well was made to fill a memory."""

COLUMNS_MAX = 1000
"""A row that has a cell in the last column of a sheet stands for thousands of cells."""

_SMALL_BYTES = 2**20
"""Parts below this size are not asked how well they pack."""

TEXTS_BYTES_MAX = 64 * 2**20
"""Read a row at a time, only the table of texts is in memory as a whole: about twice what it unpacks to."""

_UNREADABLE = (
    zipfile.BadZipFile,
    InvalidFileException,
    zlib.error,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    EOFError,
    OSError,
    SyntaxError,  # of the XML
    NotImplementedError,  # an encrypted or oddly packed zip member
    RuntimeError,
)


def read_workbook(path: Path, data: bytes) -> RawTable:
    """Lines are the sheet's row numbers. Raises :class:`BadInput` when it is not a readable workbook."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl warns of styles and extensions that do not matter here
        try:
            _refuse_bombs(path, io.BytesIO(data))
            book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=False)
            try:
                return _first_sheet(path, book)
            finally:
                book.close()
        except _UNREADABLE as error:
            raise BadInput(f"{path}: not a readable .xlsx workbook: {error}") from error


def stream_workbook(stream: BinaryIO) -> Iterator[RawRow | BrokenRow]:
    """The filled rows of the first visible sheet, one at a time.

    Raises :class:`BadInput` when it is not a readable workbook, and when its table of texts, which has to be held
    whole, is too long for that.
    """
    try:
        _refuse_bombs("the workbook", stream)
        _refuse_long_texts(stream)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(stream, read_only=True, data_only=False)
        try:
            for line, cells in _filled(_sheet(book)[0].rows):
                yield RawRow(line, [cell.text for cell in cells], {i: c.doubt for i, c in enumerate(cells) if c.doubt})
        finally:
            book.close()
    except _UNREADABLE as error:
        raise BadInput("not a readable .xlsx workbook") from error


def _refuse_long_texts(stream: BinaryIO) -> None:
    """All but the sheets is read into memory, under whichever names it goes."""
    with zipfile.ZipFile(stream) as archive:
        with archive.open(ARC_CONTENT_TYPES) as part:
            types = fromstring(part.read(_SMALL_BYTES))
        sheets = {one.get("PartName", "").lstrip("/") for one in types if one.get("ContentType") == WORKSHEET_TYPE}
        size = sum(one.file_size for one in archive.infolist() if one.filename not in sheets)
        broken = archive.testzip()
    if broken is not None:
        raise zipfile.BadZipFile(broken)
    if size > TEXTS_BYTES_MAX:
        raise BadInput(
            f"a workbook with {size:,} bytes beside its sheets, such as its table of texts; expected at most "
            f"{TEXTS_BYTES_MAX:,}: save it as CSV"
        )


def _refuse_bombs(path: Path | str, stream: BinaryIO) -> None:
    """A part that states less than it holds is cut off there by the unpacking, so what is stated can be believed."""
    with zipfile.ZipFile(stream) as archive:
        parts = archive.infolist()
    unpacked = sum(part.file_size for part in parts)
    if unpacked > UNPACKED_BYTES_MAX:
        raise BadInput(f"{path}: unpacks to {unpacked:,} bytes; expected at most {UNPACKED_BYTES_MAX:,}")
    if any(part.file_size > _SMALL_BYTES and part.file_size > PACKED_TIMES_MAX * part.compress_size for part in parts):
        raise BadInput(f"{path}: holds a part that unpacks to over {PACKED_TIMES_MAX} times its size; not a workbook")


def _sheet(book: Any) -> tuple[Any, int]:
    """The first visible sheet, and how many there are."""
    sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
    if not sheets:
        raise BadInput("the workbook has no visible sheet")
    sheets[0].reset_dimensions()  # some writers state a size that is too small
    return sheets[0], len(sheets)


def _first_sheet(path: Path, book: Any) -> RawTable:
    try:
        sheet, count = _sheet(book)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error
    raw = RawTable()
    if count > 1:
        raw.warnings.append(f'{path}: read the first of {count} sheets, "{sheet.title}"')
    raw.lines += _filled(sheet.rows)
    return raw


def _filled(rows: Iterable[Sequence[Any]]) -> Iterable[tuple[int, list[Cell]]]:
    for number, row in enumerate(rows, 1):
        cells = [_cell(cell) for cell in (row if len(row) <= COLUMNS_MAX else _trimmed(number, row))]
        if any(cell.text.strip() for cell in cells):
            yield number, cells


def _trimmed(number: int, row: Sequence[Any]) -> Sequence[Any]:
    """A wide row without the empty cells at its end, which a sheet may have by the thousand, each a few bytes long."""
    last = max((place for place, cell in enumerate(row, 1) if cell.value is not None), default=0)
    if last > COLUMNS_MAX:
        raise BadInput(f"row {number} of the sheet has {last:,} columns; expected at most {COLUMNS_MAX:,}")
    return row[:last]


def _cell(cell: Any) -> Cell:
    value, kind = cell.value, cell.data_type
    if value is None:
        return Cell("")
    if kind == "f":
        return Cell(str(value), "expected a value, found a formula; paste the column as values")
    if kind == "e":
        return Cell(str(value), f"expected a value, found the spreadsheet error {value}")
    if isinstance(value, datetime):
        return Cell(_time_text(value))
    if isinstance(value, date):
        return Cell(value.isoformat())
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _number(value)
    return Cell(str(value))


def _time_text(moment: datetime) -> str:
    """To the millisecond: a sheet keeps times as fractions of a day, which come back a little off."""
    rounded = moment + timedelta(microseconds=500)
    return rounded.isoformat(sep=" ", timespec="milliseconds").removesuffix(".000")


def _number(value: int | float) -> Cell:
    whole = int(value) if float(value).is_integer() else None
    if whole is None:
        return Cell(repr(value))
    text = str(whole)
    if len(text.lstrip("-")) > EXACT_DIGITS:
        return Cell(
            text,
            f"a number of over {EXACT_DIGITS} digits, of which a spreadsheet loses the rest; keep the column as text",
        )
    return Cell(text)
