"""What cells say, and how it is told what is wrong with them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renzheng.clock import local_text
from renzheng.tables.values import TIME_EXPECTED
from server.settlements.cells import (
    CODES_MAX,
    FORMULA_EXPECTED,
    Unreadable,
    amount,
    codes,
    day,
    four_decimals,
    text,
    time,
    unsigned_amount,
)

NINE = datetime(2026, 5, 1, 1, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cell", "fen"),
    [
        ("12.50", 1250),
        ("0.05", 5),
        ("12", 1200),
        ("12.5", 1250),
        ("12.500", 1250),
        ("46.050000000000004", 4605),
        ("99999999999999.99", 9999999999999999),
        ("0", 0),
        ("-0.00", 0),
    ],
)
def test_yuan_are_exact_fen(cell: str, fen: int) -> None:
    assert amount(cell) == fen


@pytest.mark.parametrize(
    "cell",
    ["-12.50", "12.505", "1,200.00", "12.5元", "１２.５０", "1e3", "NaN", "=1+1", ".50", "1_0.00", "100000000000000.00",
     "--1.00", "+1.00", "0x1.00", "1 2.00"],
)  # fmt: skip
def test_what_is_no_amount_is_refused(cell: str) -> None:
    with pytest.raises(Unreadable):
        amount(cell)


@given(st.decimals(0, 10**13, places=2))
def test_every_amount_with_two_decimals_is_read_as_it_is_written(value: Decimal) -> None:
    assert amount(f"{value:.2f}") == int(value * 100)


@given(st.text(max_size=20))
def test_no_text_makes_a_reader_fail_in_another_way(cell: str) -> None:
    for read in (amount, unsigned_amount, four_decimals, time, day, codes, text(10)):
        if cell.strip():
            try:
                read(cell.strip())
            except Unreadable as error:
                assert len(cell) < 3 or cell.isdigit() or cell not in str(error)


def test_a_reversal_may_write_its_amount_negative() -> None:
    assert unsigned_amount("-12.50") == unsigned_amount("12.50") == 1250


def test_counts_and_prices_have_four_decimals() -> None:
    assert four_decimals("0.3333") == 3333
    for cell in ("-1", "0.33333"):
        with pytest.raises(Unreadable):
            four_decimals(cell)


@pytest.mark.parametrize(
    "cell", ["2026-05-01 09:00:00", "2026/5/1 9:00:00", "2026-05-01T01:00:00Z", "2026-05-01T09:00:00+08:00"]
)
def test_a_time_without_zone_is_shanghais(cell: str) -> None:
    assert time(cell) == NINE


@pytest.mark.parametrize(
    "cell", ["2026-05-01", "2026-05-01 09:00", "01.05.2026 09:00:00", "2026-13-01 09:00:00",
             "2026-05-01 25:00:00", "46143.375"]
)  # fmt: skip
def test_a_time_in_another_form_is_refused_with_those_that_are_taken(cell: str) -> None:
    with pytest.raises(Unreadable, match="yyyy-MM-dd HH:mm:ss") as told:
        time(cell)
    assert str(told.value) == TIME_EXPECTED


def test_nothing_was_settled_in_the_last_century_or_the_day_after_tomorrow() -> None:
    for moment in (datetime(1899, 12, 30, tzinfo=UTC), datetime.now(UTC) + timedelta(days=2)):
        with pytest.raises(Unreadable, match="that has come"):
            time(local_text(moment))
    assert time(local_text(datetime.now(UTC) + timedelta(hours=2)))


def test_a_day_is_its_beginning() -> None:
    assert day("2026-05-01") == day("2026/5/1") == datetime(2026, 4, 30, 16, tzinfo=UTC)
    assert day("2026-05-01 09:00:00") == NINE
    for cell in ("1899-12-30", "9999-12-31", "2026-02-30", "0001-01-01"):
        with pytest.raises(Unreadable):
            day(cell)


@pytest.mark.parametrize("cell", ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)"])
def test_a_text_that_a_spreadsheet_would_run_is_refused(cell: str) -> None:
    with pytest.raises(Unreadable) as told:
        text(64)(cell)
    assert str(told.value) == FORMULA_EXPECTED


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("x" * 11, "1 to 10 characters"),
        ("a\0b", "can be printed"),
        ("a\ufffd", "UTF-8 or GB18030"),
        ("\ud800", "can be printed"),
        ("3.30E+17", "rounded"),
        ("'", "1 to 10 characters"),
    ],
)
def test_a_text_says_what_it_should(cell: str, expected: str) -> None:
    with pytest.raises(Unreadable, match=expected):
        text(10)(cell)


def test_the_mark_of_text_in_a_spreadsheet_is_no_part_of_it() -> None:
    assert text(10)("'0012") == "0012"


def test_codes_are_each_once_in_their_order() -> None:
    assert codes("B1; A1，B1、C1|D1 E1") == ("B1", "A1", "C1", "D1", "E1")
    for cell in ("A" * 101, " ".join(str(number) for number in range(CODES_MAX + 1)), "=A1"):
        with pytest.raises(Unreadable):
            codes(cell)
