"""Times and days in every way that platforms and spreadsheets write them."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renzheng.clock import SHANGHAI
from renzheng.tables.values import parse_day, parse_time

NINE = datetime(2026, 5, 1, 1, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-05-01 09:00:00",
        "2026/5/1 9:00:00",
        "2026-05-01T09:00:00",
        "2026-05-01 09:00:00.000",
        "2026-05-01T09:00:00+08:00",
        "2026-05-01 09:00:00 +0800",
        "2026-05-01T01:00:00Z",
        "20260501T090000",
        "20260501T010000Z",
        "2026-04-30T20:00:00-05:00",
    ],
)
def test_the_same_moment_is_read_from_every_way_of_writing_it(text: str) -> None:
    assert parse_time(text) == NINE
    assert parse_time(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    ["", "x", "2026-05-01", "2026/05-01 09:00", "2026-02-30 09:00:00", "2026-05-01 24:00:00", "2026-05-01 09:00:60",
     "01/05/2026 09:00", "0001-01-01 00:00:00", "2026-05-01T", "２０２６-05-01 09:00:00", "46143.375", "9:00"],
)  # fmt: skip
def test_what_is_no_time_is_told_what_was_expected(text: str) -> None:
    with pytest.raises(ValueError, match="expected a time with seconds as yyyy-MM-dd HH:mm:ss"):
        parse_time(text)


@pytest.mark.parametrize(
    "text",
    ["2026/5/1 9:00", "2026-05-01 09:00", "2026-05-01T09:00", "20260501T0900", "2026-05-01T09:00+08:00",
     "2026-05-01T09:00Z", "20260501T0900-0500", "2026-05-01 09:00:"],
)  # fmt: skip
def test_a_time_without_seconds_is_not_taken_for_the_full_minute(text: str) -> None:
    with pytest.raises(ValueError, match="expected a time with seconds"):
        parse_time(text)


@given(st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2199, 1, 1)))
def test_a_written_time_is_read_back(moment: datetime) -> None:
    aware = moment.replace(tzinfo=SHANGHAI)

    assert parse_time(moment.isoformat(sep=" ")) == aware
    assert parse_time(aware.astimezone(UTC).isoformat()) == aware


def test_a_day_with_an_hour_is_no_day() -> None:
    assert parse_day("2026-05-01 00:00:00") == date(2026, 5, 1)
    for text in ("2026-05-01 09:00:00", "2026-13-01", "2026-5", ""):
        with pytest.raises(ValueError, match="expected a date as yyyy-MM-dd"):
            parse_day(text)
