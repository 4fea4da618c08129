"""Tables of people: what is read, what is refused, and that nothing of it is repeated."""

from __future__ import annotations

import io
from contextlib import suppress
from datetime import UTC, datetime

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from renzheng.errors import BadInput
from server.enrolment import people_table
from server.enrolment.people_table import Sheet, read_sheet
from server.tables import BasisKind
from tests.server.enrolment.orders import ANNE, BO, NUMBERS, person, table


def workbook(*rows: dict[str, str]) -> bytes:
    book, stream = openpyxl.Workbook(), io.BytesIO()
    sheet = book.worksheets[0]
    sheet.append(list(rows[0]))
    for row in rows:
        sheet.append(list(row.values()))
    book.save(stream)
    return stream.getvalue()


def problems(sheet: Sheet) -> list[list[tuple[str, str]]]:
    return [[(one.field, one.code) for one in row.problems] for row in sheet.rows]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_row_is_read_from_every_encoding_and_delimiter(encoding: str, delimiter: str) -> None:
    (row,) = read_sheet(table(person(gend="1", brdy="1949/12/31"), encoding=encoding, delimiter=delimiter)).rows
    assert row.problems[0].field == "gend"  # her number is a woman's

    (row,) = read_sheet(table(person(gend="2", brdy="1949/12/31"), encoding=encoding, delimiter=delimiter)).rows
    assert row.problems == ()
    assert row.person is not None and row.basis is not None
    assert (row.line, row.person.psn_no, row.person.psn_name, row.person.certno) == (2, ANNE, "王1", NUMBERS[ANNE])
    assert (row.basis.basis, row.basis.version) == (BasisKind.CONSENT, "2026-01")
    assert row.basis.given_at == datetime(2026, 5, 1, 1, 0, tzinfo=UTC)


def test_a_workbook_says_the_same_as_a_csv() -> None:
    assert read_sheet(workbook(person(), person(BO))).rows == read_sheet(table(person(), person(BO))).rows


def test_columns_that_mean_nothing_here_are_left_alone() -> None:
    (row,) = read_sheet(table(person(phone="=1+1"))).rows
    assert row.problems == ()


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "  ="])
def test_a_cell_that_begins_as_a_formula_is_refused_by_its_field(start: str) -> None:
    sheet = read_sheet(table(person(psn_name=f"{start}HYPERLINK(1)"), person(BO)))
    assert problems(sheet) == [[("psn_name", "formula")], []]


def test_a_formula_and_a_rounded_number_of_a_workbook_are_refused_by_their_fields() -> None:
    book, stream = openpyxl.Workbook(), io.BytesIO()
    sheet = book.worksheets[0]
    sheet.append(["psn_no", "psn_name", "insuplc_admdvs", "certno"])
    sheet.append([ANNE, "=A1", "330281", 330281199001011235])
    book.save(stream)
    assert problems(read_sheet(stream.getvalue())) == [[("psn_name", "formula"), ("certno", "rounded")]]


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("psn_no", ""), ("psn_no", "3.30281E+19"), ("psn_no", "x" * 65), ("psn_name", ""), ("psn_name", "x" * 51),
        ("insuplc_admdvs", ""), ("insuplc_admdvs", "3302"), ("insuplc_admdvs", "余姚"),
        ("certno", "110105194912310021"), ("certno", "1101051949"), ("gend", "男"), ("brdy", "1949-02-30"),
        ("brdy", "1949-12-30"), ("insutype", "a b"), ("basis", "agreed"), ("basis_version", ""),
        ("basis_given_at", "yesterday"), ("basis_given_at", ""), ("basis_given_at", "2999-01-01"),
    ],
)  # fmt: skip
def test_a_cell_that_does_not_say_what_it_should_is_named(column: str, cell: str) -> None:
    ((found,), sound) = problems(read_sheet(table(person() | {column: cell}, person(BO))))
    assert found == (column, "unexpected")
    assert sound == []


def test_everything_that_is_wrong_with_a_row_is_told_at_once() -> None:
    sheet = read_sheet(table(person(psn_name="", basis="agreed")))
    assert problems(sheet) == [[("psn_name", "unexpected"), ("basis", "unexpected")]]


def test_a_row_that_breaks_costs_no_other() -> None:
    data = table(person(), person(BO)).replace("王1".encode(), '"王1'.encode())
    assert problems(read_sheet(data)) == [[("row", "row_unreadable")], []]


def test_a_row_repeated_word_for_word_is_taken_once() -> None:
    assert problems(read_sheet(table(person(), person()))) == [[], [("psn_no", "repeated")]]


def test_of_two_rows_that_contradict_each_other_neither_is_taken() -> None:
    sheet = read_sheet(table(person(), person(BO), person(psn_name="另一人")))
    assert problems(sheet) == [[("psn_no", "contradicted")], [], [("psn_no", "contradicted")]]
    assert "line 4" in sheet.rows[0].problems[0].en and "line 2" in sheet.rows[2].problems[0].en


def test_one_identity_number_of_two_people_is_a_contradiction() -> None:
    sheet = read_sheet(table(person(), person(BO, certno=NUMBERS[ANNE].lower())))
    assert problems(sheet) == [[("certno", "contradicted")]] * 2


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "the file is empty"),
        (b"psn_no,psn_name\n", "missing column insuplc_admdvs"),
        ("某某,330281199001011235\n某某,2".encode(), "missing columns psn_no, psn_name, insuplc_admdvs"),
        (b"PK\x03\x04nothing", "not a readable .xlsx"),
        (b"\xff\xfe", "UTF-16"),
    ],
)
def test_what_is_no_table_is_refused_without_quoting_it(data: bytes, expected: str) -> None:
    with pytest.raises(BadInput, match=expected) as refused:
        read_sheet(data)
    assert "某某" not in str(refused.value) and "3302" not in str(refused.value)


def test_problems_never_repeat_a_cell() -> None:
    secret = "某某某"
    rows = [person() | {column: secret + "\x07"} for column in person()]
    told = "".join(one.zh + one.en for row in read_sheet(table(*rows)).rows for one in row.problems)
    assert told and secret not in told


def test_a_table_that_is_too_long_or_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people_table, "ROWS_MAX", 1)
    with pytest.raises(BadInput, match="at most 1 rows"):
        read_sheet(table(person(), person(BO)))
    monkeypatch.setattr(people_table, "TABLE_BYTES_MAX", 100)
    with pytest.raises(BadInput, match="expected at most"):
        read_sheet(table(person()))


@settings(deadline=None, max_examples=300)
@given(body=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_no_bytes_at_all_make_more_of_a_table_than_a_refusal(body: bytes) -> None:
    with suppress(BadInput):
        rows = read_sheet(table(person()) + body).rows
        assert rows[0].problems == () or rows[0].problems[0].code in ("repeated", "contradicted")
