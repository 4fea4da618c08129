"""Tables of any length, one row at a time: CSV, the first sheet of an .xlsx workbook, JSON and JSON lines.

:mod:`renzheng.tables.rows` holds a whole table and tells every mistake at once; here memory stays the same however
long the file is. What is wrong is told without a word of the file, for a table in the wrong columns may show anybody.
"""

from __future__ import annotations

import codecs
import hashlib
import io
import itertools
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple, TextIO

from renzheng.errors import BadInput
from renzheng.tables.rows import DELIMITERS, OLD_OFFICE_MAGIC, UTF8_BOM, UTF16_BOMS, ZIP_MAGIC, csv_records

CHUNK_BYTES = 1 << 20
"""A file is scanned in such pieces, and no line of it is longer."""

ENCODING_EXPECTED = "expected text in UTF-8 or GB18030"
_CJK_FROM = "\u2e80"
"""GB18030 is sometimes valid UTF-8 by chance, but then hardly ever gives a Chinese character."""


class RawRow(NamedTuple):
    """Cells of a row in the order of the header, from its line on; ``doubts`` says by index which are not as meant."""

    line: int
    cells: list[str]
    doubts: Mapping[int, str] = {}


class BrokenRow(NamedTuple):
    """A row that cannot be read at all."""

    line: int
    expected: str


@dataclass
class TableStream:
    """A table that is being read; ``rows`` can be gone through once. ``notes`` is complete when they were."""

    header: tuple[str, ...]
    rows: Iterator[RawRow | BrokenRow]
    notes: dict[str, int] = field(default_factory=dict)


class Scan(NamedTuple):
    """What one pass over a file tells: its digest, its length and whether all of it is UTF-8."""

    sha256: str
    size_bytes: int
    is_utf8: bool


def scan(stream: BinaryIO) -> Scan:
    """Read a file once, in pieces, and go back to its start."""
    digest, size = hashlib.sha256(), 0
    decoder, is_utf8 = codecs.getincrementaldecoder("utf-8")(), True
    stream.seek(0)
    while chunk := stream.read(CHUNK_BYTES):
        digest.update(chunk)
        size += len(chunk)
        if is_utf8:
            is_utf8 = _decodes(decoder, chunk)
    is_utf8 = is_utf8 and _decodes(decoder, b"", final=True)
    stream.seek(0)
    return Scan(digest.hexdigest(), size, is_utf8)


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True


def is_json(stream: BinaryIO) -> bool:
    """Whether a file begins as JSON does. The stream goes back to its start."""
    first = stream.read(4096).removeprefix(UTF8_BOM).lstrip()
    stream.seek(0)
    return first.startswith((b"[", b"{"))


def stream_table(stream: BinaryIO, known: Collection[str], found: Scan) -> TableStream:
    """Rows of CSV or .xlsx; the delimiter is the one that gives the most ``known`` columns (lower case).

    Raises :class:`BadInput` for a file that is no table.
    """
    magic = stream.read(8)
    stream.seek(0)
    if not found.size_bytes:
        raise BadInput("the file is empty; expected a table with a head")
    if magic.startswith(OLD_OFFICE_MAGIC):
        raise BadInput("an old .xls or a password-protected workbook; save it as .xlsx without a password, or as CSV")
    if magic.startswith(UTF16_BOMS):
        raise BadInput(f"UTF-16 text; {ENCODING_EXPECTED}")
    if magic.startswith(ZIP_MAGIC):
        from renzheng.tables.workbook import stream_workbook  # openpyxl is slow to import

        return _table(stream_workbook(stream), {})
    notes: dict[str, int] = {}
    lines = text_lines(stream, found, notes)
    blank, first = 0, next(lines, "")
    while first and not first.strip():
        blank, first = blank + 1, next(lines, "")
    return _table(_csv_rows(_rejoined(blank, first, lines), _delimiter(first, known)), notes)


def _rejoined(blank: int, first: str, rest: Iterator[str]) -> Iterator[str]:
    """The lines as they were, so that their numbers stay."""
    yield from itertools.repeat("\n", blank)
    yield first
    yield from rest


def _delimiter(head: str, known: Collection[str]) -> str:
    """A comma when in doubt."""

    def hits(delimiter: str) -> int:
        return len({name.strip().strip('"').strip().lower() for name in head.split(delimiter)} & set(known))

    return max(DELIMITERS, key=hits)


def _csv_rows(lines: Iterator[str], delimiter: str) -> Iterator[RawRow | BrokenRow]:
    for line, outcome in csv_records(lines, delimiter):
        if isinstance(outcome, str):
            yield BrokenRow(line, f"expected cells that a CSV reader understands: {outcome}")
        elif any(outcome) and any(map(str.strip, outcome)):
            yield RawRow(line, outcome)


def _table(rows: Iterator[RawRow | BrokenRow], notes: dict[str, int]) -> TableStream:
    head = next(rows, None)
    if head is None:
        raise BadInput("no rows; expected a table with a head")
    if isinstance(head, BrokenRow):
        raise BadInput(f"line {head.line}, the head: {head.expected}")
    return TableStream(tuple(cell.strip() for cell in head.cells), rows, notes)


def text_lines(stream: BinaryIO, found: Scan, notes: dict[str, int]) -> Iterator[str]:
    """Lines of text with their ends. What is not UTF-8 throughout is decoded line by line, so a file that was put
    together from both encodings gives both; ``notes`` counts its lines in UTF-8 under ``mixed_encodings``.

    A line that is neither comes with U+FFFD, which no cell may hold. Raises :class:`BadInput` for an overlong line.
    """
    if found.is_utf8:
        with as_text(stream, "utf-8-sig") as text:
            while line := text.readline(CHUNK_BYTES):
                _refuse_long(len(line))
                yield line
        return
    stream.seek(len(UTF8_BOM) if stream.read(len(UTF8_BOM)) == UTF8_BOM else 0)
    while data := stream.readline(CHUNK_BYTES):
        _refuse_long(len(data))
        yield data.decode() if data.isascii() else _decoded(data, notes)


@contextmanager
def as_text(stream: BinaryIO, encoding: str) -> Iterator[TextIO]:
    """The stream's text with its line ends, what cannot be decoded as U+FFFD; the stream stays open."""
    text = io.TextIOWrapper(stream, encoding, errors="replace", newline="")
    try:
        yield text
    finally:
        if not stream.closed:  # a request that failed has closed its files before what read them ends
            text.detach()


def _refuse_long(length: int) -> None:
    if length >= CHUNK_BYTES:
        raise BadInput(f"a line is longer than {CHUNK_BYTES:,} bytes; expected a table with line breaks")


def _decoded(data: bytes, notes: dict[str, int]) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return data.decode("gb18030", errors="replace")
    if max(text) < _CJK_FROM:
        return data.decode("gb18030", errors="replace")
    notes["mixed_encodings"] = notes.get("mixed_encodings", 0) + 1
    return text
