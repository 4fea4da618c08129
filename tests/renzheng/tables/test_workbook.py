"""Workbooks that were made to fill a memory."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import openpyxl
import pytest

from renzheng.errors import BadInput
from renzheng.tables import workbook
from renzheng.tables.rows import rows_of

PATH = Path("table.xlsx")


def _book(more: bytes) -> bytes:
    """A sound workbook with one more part."""
    book, stream = openpyxl.Workbook(), io.BytesIO()
    book.worksheets[0].append(["psn_no"])
    book.save(stream)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/more.bin", more)
    return stream.getvalue()


def test_a_part_that_packs_too_well_is_refused_unread() -> None:
    with pytest.raises(BadInput, match=r"table.xlsx: holds a part that unpacks to over 200 times its size"):
        rows_of(PATH, _book(b" " * 2**22), ["psn_no"])


def test_a_workbook_that_unpacks_to_too_much_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "UNPACKED_BYTES_MAX", 100_000)
    with pytest.raises(BadInput, match="expected at most 100,000"):
        rows_of(PATH, _book(bytes(100_001)), ["psn_no"])


def test_a_small_part_may_pack_as_it_likes() -> None:
    assert rows_of(PATH, _book(b" " * 2**19), ["psn_no"]).header == ("psn_no",)


def _wide(column: int, value: str | None) -> bytes:
    book, stream = openpyxl.Workbook(), io.BytesIO()
    sheet = book.worksheets[0]
    sheet.append(["psn_no"])
    sheet.append(["1"])
    sheet.cell(2, column, value).number_format = "0.00"
    book.save(stream)
    return stream.getvalue()


def test_a_cell_in_the_last_column_does_not_make_thousands_of_them() -> None:
    with pytest.raises(BadInput, match="row 2 of the sheet has 16,384 columns; expected at most 1,000"):
        rows_of(PATH, _wide(16_384, "x"), ["psn_no"])


def test_empty_cells_that_were_only_formatted_are_let_pass() -> None:
    assert [row.text("psn_no") for row in rows_of(PATH, _wide(16_384, None), ["psn_no"]).rows] == ["1"]
