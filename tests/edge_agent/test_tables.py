"""The inspector's lists: what is accepted, and how what is wrong with them is told."""

from __future__ import annotations

import csv
import io
import string
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_agent.tables import read_agents, read_swipes
from renzheng.clock import SHANGHAI
from renzheng.errors import BadInput
from renzheng.tables.rows import SHOWN_MAX
from renzheng.tables.values import TIME_EXPECTED, parse_time

HEADER = "setl_id,psn_no,fixmedins_code,terminal_id,setl_time"
GOOD = "s1,330001,P33028100001,t1,2026-05-01 09:00:00"
NINE = datetime(2026, 5, 1, 1, 0, tzinfo=UTC)


def table(tmp_path: Path, *lines: str, header: str = HEADER, encoding: str = "utf-8", end: str = "\n") -> Path:
    path = tmp_path / "swipes.csv"
    path.write_bytes((end.join([header, *lines]) + end).encode(encoding))
    return path


def workbook(tmp_path: Path, *rows: Sequence[object], name: str = "swipes.xlsx") -> Path:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in rows:
        sheet.append(row)
    book.save(tmp_path / name)
    return tmp_path / name


def bad_rows(path: Path) -> list[tuple[int, str]]:
    return [(bad.line, bad.field) for bad in read_swipes(path, skip_bad_rows=True).bad_rows]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_utf8_with_and_without_bom_and_gb18030_give_the_same_swipes(tmp_path: Path, encoding: str) -> None:
    path = table(tmp_path, GOOD + ",王小明𠀀", header=HEADER + ",姓名", encoding=encoding)

    (swipe,) = read_swipes(path).swipes

    assert (swipe.setl_id, swipe.psn_no, swipe.setl_time) == ("s1", "330001", NINE)
    assert swipe.platform_fields == {"姓名": "王小明𠀀"}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"setl_id,\xff\xff\n", "neither UTF-8 (stops at byte offset 8) nor GB18030 (stops at byte offset 8)"),
        ("setl_id".encode("utf-16"), "UTF-16 text (byte offset 0)"),
        (b"\xef\xbb\xbfsetl_id,\xd6\xd0", "broken at byte offset 11"),
        ("setl_id,参保".encode()[:-1], "broken at byte offset 11"),
        (b"", "the file is empty"),
        (b"\n \n", "the file is empty"),
        (b"\xef\xbb\xbf,\n", "no rows"),
        (b"setl\0id,psn_no\n", "the header holds NUL bytes"),
        (b'"setl_id,psn_no\n', "the header cannot be read: a quotation mark that is opened here is never closed"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 and so on", "old .xls or a password-protected workbook"),
        (b"PK\x03\x04 and nothing that belongs there", "not a readable .xlsx workbook"),
    ],
)
def test_a_file_that_is_no_table_is_told_what_it_is(tmp_path: Path, data: bytes, expected: str) -> None:
    path = tmp_path / "swipes.csv"
    path.write_bytes(data)

    with pytest.raises(BadInput) as told:
        read_swipes(path)

    assert str(told.value).startswith(str(path))
    assert expected in str(told.value)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        read_swipes(tmp_path / "none.csv")
    with pytest.raises(BadInput, match="expected a file, found a folder"):
        read_swipes(tmp_path)


def test_all_missing_columns_are_named_at_once(tmp_path: Path) -> None:
    path = table(tmp_path, "s1,1", header="setl_id,psn_no")

    with pytest.raises(BadInput, match="missing columns fixmedins_code, terminal_id, setl_time; found"):
        read_swipes(path)


def test_a_column_named_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match='columns named more than once: "setl_id"'):
        read_swipes(table(tmp_path, GOOD + ",s2", header=HEADER + ",SETL_ID"))


@pytest.mark.parametrize("skip", [False, True])
def test_a_header_alone_has_no_swipes(tmp_path: Path, skip: bool) -> None:
    with pytest.raises(BadInput, match="no swipes"):
        read_swipes(table(tmp_path), skip_bad_rows=skip)


def test_a_table_of_bad_rows_only_has_no_swipes_and_lists_them(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"(?s)line 2, setl_time: expected a time.*no swipes"):
        read_swipes(table(tmp_path, "s1,1,P33028100001,t1,yesterday"), skip_bad_rows=True)


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends_are_found_out(tmp_path: Path, delimiter: str, end: str) -> None:
    path = table(tmp_path, GOOD.replace(",", delimiter), header=HEADER.replace(",", delimiter), end=end)

    assert [swipe.setl_id for swipe in read_swipes(path).swipes] == ["s1"]


def test_columns_come_in_any_order_and_case(tmp_path: Path) -> None:
    path = table(tmp_path, "t1,2026-05-01 09:00:00,P33028100001,330001,s1", header=",".join(
        ["Terminal_ID", " setl_time ", "fixmedins_code", "PSN_NO", "setl_id"]
    ))  # fmt: skip

    assert read_swipes(path).swipes[0].terminal_id == "t1"


def test_swipes_are_sorted_by_time_then_number(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "b,1,P33028100001,t1,2026-05-01 09:00:00",
        "a,1,P33028100001,t1,2026-05-01 09:00:00",
        "c,1,P33028100001,t1,2026-05-01T00:59:59Z",
    )

    assert [swipe.setl_id for swipe in read_swipes(path).swipes] == ["c", "a", "b"]


def test_a_row_whose_time_lost_its_seconds_in_a_spreadsheet_is_a_bad_row(tmp_path: Path) -> None:
    result = read_swipes(table(tmp_path, GOOD, "s2,1,P33028100001,t1,2026/5/1 9:05"), skip_bad_rows=True)

    assert [swipe.setl_id for swipe in result.swipes] == ["s1"]
    assert [(bad.line, bad.field) for bad in result.bad_rows] == [(3, "setl_time")]
    assert result.bad_rows[0].message.startswith("expected a time with seconds")


def test_every_bad_row_is_listed_with_line_field_and_what_was_expected(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        GOOD,
        "s2,,P33028100001,t1,bad",
        "",
        "s3,1,P33028100001,t1,2026-05-01 09:00:00,extra",
        f"{'x' * 65},1,P33028100001,t1,2026-05-01 09:00:00",
        "s4,1\a,P33028100001,t1,2026-05-01 09:00:00",
        "s5,1,P33028100001,t1",
        "s6,1,P33028100001,t\0,2026-05-01 09:00:00",
    )

    with pytest.raises(BadInput) as told:
        read_swipes(path)

    assert str(told.value).splitlines() == [
        f"{path}: 6 bad rows",
        "  line 3, psn_no: expected a value, found none",
        f'  line 3, setl_time: {TIME_EXPECTED}, found "bad"',
        "  line 5, row: expected 5 cells, found 6",
        "  line 6, setl_id: expected at most 64 characters, found 65",
        '  line 7, psn_no: expected characters that can be printed, found "1\\x07"',
        f'  line 8, setl_time: {TIME_EXPECTED}, found ""',
        "  line 9, terminal_id: expected text, found NUL bytes",
        "Put the rows right, or go on without them with --skip-bad-rows.",
    ]


def test_skipping_keeps_the_good_rows_and_still_lists_the_bad(tmp_path: Path) -> None:
    result = read_swipes(table(tmp_path, "s0,1,P33028100001,t1,bad", GOOD), skip_bad_rows=True)

    assert [swipe.setl_id for swipe in result.swipes] == ["s1"]
    assert [(bad.line, bad.field) for bad in result.bad_rows] == [(2, "setl_time")]


def test_a_long_list_of_bad_rows_is_cut_and_counted(tmp_path: Path) -> None:
    path = table(tmp_path, *(f"s{i},1,P33028100001,t1,bad" for i in range(SHOWN_MAX + 7)))

    with pytest.raises(BadInput) as told:
        read_swipes(path)

    lines = str(told.value).splitlines()
    assert len([line for line in lines if "setl_time" in line]) == SHOWN_MAX
    assert "  and 7 more" in lines


def test_line_numbers_hold_after_cells_with_line_breaks_and_quotes(tmp_path: Path) -> None:
    path = table(tmp_path, GOOD + ',"two\nlines, ""quoted"""', "s2,1,P33028100001,t1,bad,", header=HEADER + ",note")

    assert bad_rows(path) == [(4, "setl_time")]
    assert read_swipes(path, skip_bad_rows=True).swipes[0].platform_fields == {"note": 'two\nlines, "quoted"'}


@pytest.mark.parametrize("after", [0, 1, 2, 300])
def test_an_unclosed_quotation_mark_costs_its_own_row_only(tmp_path: Path, after: int) -> None:
    rest = [f"r{i},1,P33028100001,t1,2026-05-01 09:00:00" for i in range(after)]
    path = table(tmp_path, GOOD, '"s2,1,P33028100001,t1,2026-05-01 09:00:00', *rest)

    result = read_swipes(path, skip_bad_rows=True)

    assert [(bad.line, bad.field, bad.message) for bad in result.bad_rows] == [
        (3, "row", "a quotation mark that is opened here is never closed")
    ]
    assert len(result.swipes) == 1 + after


def test_two_stray_quotation_marks_cost_two_rows(tmp_path: Path) -> None:
    lines = [GOOD, '"s2,1,P33028100001,t1,x', "s3,1,P33028100001,t1,2026-05-01 09:00:00", '"s4,1,P33028100001,t1,x']
    path = table(tmp_path, *lines, "s5,1,P33028100001,t1,2026-05-01 09:00:00")

    assert [line for line, _ in bad_rows(path)] == [3, 5]
    assert [swipe.setl_id for swipe in read_swipes(path, skip_bad_rows=True).swipes] == ["s1", "s3", "s5"]


def test_a_very_long_cell_is_kept_and_a_monstrous_one_is_a_bad_row(tmp_path: Path) -> None:
    path = table(tmp_path, GOOD + "," + "x" * 100_000, "s2" + GOOD[2:] + "," + "y" * 200_000, header=HEADER + ",note")

    result = read_swipes(path, skip_bad_rows=True)

    assert len(result.swipes[0].platform_fields["note"]) == 100_000
    assert [(bad.line, "longer than" in bad.message) for bad in result.bad_rows] == [(3, True)]


def test_a_row_repeated_word_for_word_is_kept_once_with_a_warning(tmp_path: Path) -> None:
    result = read_swipes(table(tmp_path, GOOD, GOOD))

    assert len(result.swipes) == 1
    assert ["line 3 repeats line 2" in warning for warning in result.warnings] == [True]


def test_a_number_used_again_for_something_else_is_a_bad_row_naming_both_lines(tmp_path: Path) -> None:
    other = "s1,330002,P33028100001,t1,2026-05-01 09:00:01"

    with pytest.raises(BadInput, match='line 3, setl_id: "s1" was used on line 2 already, there with another psn_no, '):
        read_swipes(table(tmp_path, GOOD, other))

    assert read_swipes(table(tmp_path, GOOD, other), skip_bad_rows=True).swipes[0].psn_no == "330001"


def test_an_odd_institution_code_is_a_warning_once_and_never_a_rejection(tmp_path: Path) -> None:
    path = table(tmp_path, "s1,1,X1,t1,2026-05-01 09:00:00", "s2,1,X1,t1,2026-05-01 09:00:00")

    result = read_swipes(path)

    assert len(result.swipes) == 2
    assert result.warnings == (
        f'{path}: line 2, fixmedins_code: expected H or P and 11 digits, found "X1"; kept as given',
    )


def test_columns_without_a_name_must_be_empty(tmp_path: Path) -> None:
    path = table(tmp_path, GOOD + ",", "s2" + GOOD[2:] + ",oops", header=HEADER + ",")

    assert bad_rows(path) == [(3, "column 6")]


CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(notes=st.lists(CELL, min_size=1, max_size=8), encoding=st.sampled_from(["utf-8", "utf-8-sig", "gb18030"]))
def test_whatever_a_spreadsheet_writes_comes_back_as_written(tmp_path: Path, notes: list[str], encoding: str) -> None:
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow([*HEADER.split(","), "备注"])
    for number, note in enumerate(notes):
        writer.writerow([f"s{number}", "1", "P33028100001", "t1", "2026-05-01 09:00:00", note])
    path = tmp_path / "swipes.csv"
    path.write_bytes(text.getvalue().encode(encoding))

    assert [swipe.platform_fields["备注"] for swipe in read_swipes(path).swipes] == notes


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(body=st.one_of(st.binary(max_size=200), st.text(string.printable, max_size=200).map(str.encode)))
def test_no_bytes_at_all_crash_the_reader(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "swipes.csv"
    path.write_bytes(f"{HEADER}\n{GOOD}\n".encode() + body)

    try:
        result = read_swipes(path, skip_bad_rows=True)
    except BadInput:
        return
    assert "s1" in {swipe.setl_id for swipe in result.swipes}


def test_a_workbook_is_read_with_times_as_cells_or_text_and_numbers_as_ids(tmp_path: Path) -> None:
    path = workbook(
        tmp_path,
        [*HEADER.split(","), "medfee_sumamt", "note"],
        [1001, 330001.0, "P33028100001", 7, datetime(2026, 5, 1, 9, 0), 12.5, None],
        ["1002", "330001", "P33028100001", "7", "2026/5/1 9:05:00", 12, date(2026, 5, 1)],
    )

    first, second = read_swipes(path).swipes

    assert (first.setl_id, first.psn_no, first.terminal_id, first.setl_time) == ("1001", "330001", "7", NINE)
    assert first.platform_fields == {"medfee_sumamt": "12.5", "note": ""}
    assert second.setl_time == NINE + timedelta(minutes=5)


def test_a_time_that_a_sheet_keeps_as_a_fraction_of_a_day_is_not_off(tmp_path: Path) -> None:
    moments = [datetime(2026, 5, 1) + timedelta(seconds=7919 * i) for i in range(10)]
    rows = [[f"s{i}", "1", "P33028100001", "t1", moment] for i, moment in enumerate(moments)]

    swipes = read_swipes(workbook(tmp_path, HEADER.split(","), *rows)).swipes

    assert [swipe.setl_time for swipe in swipes] == [moment.replace(tzinfo=SHANGHAI) for moment in moments]


def test_bad_rows_of_a_workbook_carry_the_sheets_row_numbers(tmp_path: Path) -> None:
    path = workbook(
        tmp_path,
        HEADER.split(","),
        ["s1", 1, "P33028100001", "t1", "2026-05-01 09:00:00"],
        [],
        ["=A2", 1, "P33028100001", "t1", "2026-05-01 09:00:00"],
        ["s3", 330281199001011234, "P33028100001", "t1", "bad"],
        ["s4", "#N/A", "P33028100001", "t1", "2026-05-01 09:00:00"],
    )

    wrong = read_swipes(path, skip_bad_rows=True).bad_rows

    assert [(bad.line, bad.field) for bad in wrong] == [
        (4, "setl_id"), (5, "psn_no"), (5, "setl_time"), (6, "psn_no")
    ]  # fmt: skip
    assert "found a formula" in wrong[0].message
    assert "over 15 digits" in wrong[1].message


def test_a_formula_in_another_column_is_kept_with_a_warning(tmp_path: Path) -> None:
    path = workbook(tmp_path, [*HEADER.split(","), "fee"], [*GOOD.split(","), "=1+1"])

    result = read_swipes(path)

    assert result.swipes[0].platform_fields == {"fee": "=1+1"}
    assert ["found a formula" in warning for warning in result.warnings] == [True]


def test_the_first_visible_sheet_is_read_and_named(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.worksheets[0].sheet_state = "hidden"
    for title in ("五月", "六月"):
        sheet = book.create_sheet(title)
        sheet.append(HEADER.split(","))
        sheet.append(GOOD.split(","))
    book.save(tmp_path / "swipes.xlsx")

    result = read_swipes(tmp_path / "swipes.xlsx")

    assert len(result.swipes) == 1
    assert result.warnings == (f'{tmp_path / "swipes.xlsx"}: read the first of 2 sheets, "五月"',)


def test_a_workbook_is_known_by_its_bytes_and_an_empty_or_cut_off_one_is_told(tmp_path: Path) -> None:
    path = workbook(tmp_path, HEADER.split(","), GOOD.split(",")).rename(tmp_path / "swipes.csv")
    assert len(read_swipes(path).swipes) == 1

    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(BadInput, match=r"not a readable \.xlsx workbook"):
        read_swipes(path)

    with pytest.raises(BadInput, match="no rows"):
        read_swipes(workbook(tmp_path, name="empty.xlsx"))


AGENTS = "psn_no,agent_psn_no,valid_from,valid_to"


def at(text: str) -> datetime:
    return parse_time(text)


def test_agents_hold_from_the_first_to_the_last_day_in_shanghai(tmp_path: Path) -> None:
    agents = read_agents(table(tmp_path, "1,2,2026-05-01,2026-05-03", "1,3,2026/5/2,", header=AGENTS))

    assert agents.agents_of("1", at("2026-04-30 23:59:59")) == ()
    assert agents.agents_of("1", at("2026-05-01 00:00:00")) == ("2",)
    assert agents.agents_of("1", datetime(2026, 4, 30, 16, 0, tzinfo=UTC)) == ("2",)
    assert agents.agents_of("1", at("2026-05-03 23:59:59")) == ("2", "3")
    assert agents.agents_of("1", at("2026-05-04 00:00:00")) == ("3",)
    assert agents.agents_of("2", at("2026-05-02 00:00:00")) == ()


def test_a_table_without_agents_is_one(tmp_path: Path) -> None:
    assert read_agents(table(tmp_path, header=AGENTS)).agents_of("1", NINE) == ()


def test_bad_agent_rows_are_all_listed(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "1,1,2026-05-01,",
        "1,2,2026-05-03,2026-05-01",
        "1,2,,soon",
        "1,3,2026-05-01,2026-05-31",
        header=AGENTS,
    )

    with pytest.raises(BadInput) as told:
        read_agents(path)

    assert str(told.value).splitlines()[1:-1] == [
        '  line 2, agent_psn_no: expected somebody other than the holder, found "1"',
        "  line 3, valid_to: expected 2026-05-03 (valid_from) or later, found 2026-05-01",
        '  line 4, valid_from: expected a date as yyyy-MM-dd, found ""',
        '  line 4, valid_to: expected a date as yyyy-MM-dd, found "soon"',
    ]
    assert "--skip-bad-rows" not in str(told.value)


def test_days_in_a_workbook_are_read_as_days(tmp_path: Path) -> None:
    path = workbook(tmp_path, AGENTS.split(","), [1, 2, date(2026, 5, 1), datetime(2026, 5, 1)], name="agents.xlsx")

    assert read_agents(path).agents_of("1", at("2026-05-01 23:00:00")) == ("2",)


@pytest.mark.parametrize("rounded", ["3.30281E+19", "3E+17", "1.2e+5"])
def test_a_number_that_a_spreadsheet_has_rounded_is_a_bad_row(tmp_path: Path, rounded: str) -> None:
    path = tmp_path / "swipes.csv"
    path.write_text(
        f"setl_id,psn_no,fixmedins_code,terminal_id,setl_time\nS1,{rounded},P33028100001,T01,2026-05-01 09:00:00\n"
    )
    with pytest.raises(BadInput, match=r"psn_no: expected the number in full"):
        read_swipes(path)
