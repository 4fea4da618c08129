"""Tables read a row at a time: what is a row, in which encoding, and how much of it is in memory."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from renzheng.errors import BadInput
from renzheng.tables import workbook
from renzheng.tables.rows import csv_records
from renzheng.tables.streams import CHUNK_BYTES, BrokenRow, RawRow, TableStream, scan, stream_table

KNOWN = ("a", "b")


def read(data: bytes) -> tuple[TableStream, list[RawRow | BrokenRow]]:
    stream = io.BytesIO(data)
    table = stream_table(stream, KNOWN, scan(stream))
    return table, list(table.rows)


def book(*rows: list[object]) -> bytes:
    made, stream = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        made.worksheets[0].append(row)
    made.save(stream)
    return stream.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_either_encoding_and_any_delimiter_give_the_same_rows(encoding: str, delimiter: str, end: str) -> None:
    text = end.join([delimiter.join("ab"), delimiter.join(["余姚", "1"]), "", delimiter.join(["𠀀", '"x']) + 'y"'])
    table, rows = read(text.encode(encoding))
    assert table.header == ("a", "b")
    assert rows[0] == RawRow(2, ["余姚", "1"], {})
    assert rows[-1].line == 4
    assert not table.notes


def test_lines_are_counted_from_the_files_first_one() -> None:
    _, rows = read(b'\n\na,b\n"two\nlines",1\n\n3,4\n')
    assert [(row.line, row.cells) for row in rows if isinstance(row, RawRow)] == [
        (4, ["two\nlines", "1"]),
        (7, ["3", "4"]),
    ]


def test_a_file_of_both_encodings_gives_both_and_says_so() -> None:
    table, rows = read("a,b\n余姚市,1\n".encode() + "余姚市,联通\n".encode("gb18030"))
    assert [row.cells for row in rows if isinstance(row, RawRow)] == [["余姚市", "1"], ["余姚市", "联通"]]
    assert table.notes == {"mixed_encodings": 1}


def test_gb18030_that_happens_to_be_utf8_is_read_as_what_it_is() -> None:
    _, rows = read("a,b\n联通,1\n余姚,2\n".encode("gb18030"))
    assert [row.cells[0] for row in rows if isinstance(row, RawRow)] == ["联通", "余姚"]


def test_a_line_that_is_in_neither_shows_it() -> None:
    _, rows = read("a,b\n余姚市,1\n".encode("gb18030") + b"\xff\xff,2\n")
    assert isinstance(rows[1], RawRow)
    assert "\ufffd" in rows[1].cells[0]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "the file is empty"),
        (b"\n \n", "no rows"),
        (b"\xff\xfea\0", "UTF-16"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1....", "old .xls"),
        (b"PK\x03\x04....", "not a readable .xlsx workbook"),
        (b'"a,b\n1,2\n', "the head"),
        (b"a,b\n" + b"x" * CHUNK_BYTES, "a line is longer"),
        (b"a,b\n\xff" + b"x" * CHUNK_BYTES, "a line is longer"),
    ],
)
def test_what_is_no_table_is_refused_with_what_was_expected(data: bytes, expected: str) -> None:
    with pytest.raises(BadInput, match=expected):
        read(data)


def test_a_stray_quotation_mark_costs_one_row() -> None:
    _, rows = read(b'a,b\n"1,2\n3,4\n5,"6"7\n8,9\n')
    assert [row if isinstance(row, BrokenRow) else row.cells for row in rows] == [
        BrokenRow(2, "expected cells that a CSV reader understands: text follows a closing quotation mark; "
                  "a quotation mark inside a cell is written twice"),
        ["3", "4"],
        BrokenRow(4, "expected cells that a CSV reader understands: text follows a closing quotation mark; "
                  "a quotation mark inside a cell is written twice"),
        ["8", "9"],
    ]  # fmt: skip


@given(st.lists(st.lists(st.text('a",\n\r;', max_size=4), min_size=1, max_size=3), max_size=6))
def test_broken_records_never_lose_or_repeat_a_line(records: list[list[str]]) -> None:
    lines = list(io.StringIO("\n".join(",".join(cells) for cells in records), newline=""))
    found = [line for line, _ in csv_records(lines, ",")]
    assert found == sorted(set(found))
    assert all(1 <= line <= len(lines) for line in found)


def test_rows_are_read_as_they_are_asked_for() -> None:
    stream = io.BytesIO(b"a,b\n" + b"1,2\n" * 100_000)
    table = stream_table(stream, KNOWN, scan(stream))
    assert [next(table.rows).line for _ in range(3)] == [2, 3, 4]
    assert stream.tell() < 50_000


def test_memory_does_not_grow_with_the_file() -> None:
    def lines() -> Iterator[str]:
        yield "a,b\n"
        for number in range(50_000):
            yield f"{number},{'x' * 200}\n"

    tracemalloc.start()
    try:
        count = sum(1 for _ in csv_records(lines(), ","))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 50_001
    assert peak < 1_000_000


def test_a_workbook_gives_its_rows_with_the_cells_that_are_in_doubt() -> None:
    table, rows = read(book(["a", "b"], ["x", 1.5], [None, None], ["=1+1", 12345678901234567890]))
    assert table.header == ("a", "b")
    assert rows[0] == RawRow(2, ["x", "1.5"], {})
    assert isinstance(rows[1], RawRow)
    assert rows[1].line == 4
    assert "formula" in rows[1].doubts[0]
    assert "spreadsheet loses the rest" in rows[1].doubts[1]


def test_a_workbook_whose_texts_do_not_fit_into_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "TEXTS_BYTES_MAX", 100)
    with pytest.raises(BadInput, match=r"beside its sheets.*expected at most 100: save it as CSV"):
        read(book(["a", "b"], ["x" * 200, 1]))


def test_a_workbook_that_is_damaged_is_refused_before_its_first_row() -> None:
    data = bytearray(book(["a", "b"], *([str(number), "y"] for number in range(2000))))
    middle = bytes(data).index(b"xl/worksheets/sheet1.xml") + 200
    data[middle] ^= 0xFF
    with pytest.raises(BadInput, match="not a readable"):
        read(bytes(data))
