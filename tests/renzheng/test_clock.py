"""Times: aware, in UTC, and Shanghai where no zone is given."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renzheng.clock import SHANGHAI, as_utc, from_seconds, local_text, to_seconds

NINE = datetime(2026, 5, 1, 1, 0, tzinfo=UTC)
moments = st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC))


@pytest.mark.parametrize(
    "moment",
    [
        NINE,
        datetime(2026, 5, 1, 9, 0),
        datetime(2026, 5, 1, 9, 0, tzinfo=SHANGHAI),
        datetime(2026, 4, 30, 20, 0, tzinfo=timezone(timedelta(hours=-5))),
    ],
)
def test_every_way_of_saying_nine_in_shanghai_is_one_in_utc(moment: datetime) -> None:
    assert as_utc(moment) == NINE
    assert as_utc(moment).tzinfo is UTC
    assert local_text(moment) == "2026-05-01 09:00:00"
    assert to_seconds(moment) == 1777597200.0


def test_text_shows_milliseconds_when_asked() -> None:
    moment = NINE + timedelta(microseconds=7900)

    assert local_text(moment, milliseconds=True) == "2026-05-01 09:00:00.007"
    assert local_text(moment) == "2026-05-01 09:00:00"


@given(moments)
def test_seconds_there_and_back_are_the_same_to_the_microsecond(moment: datetime) -> None:
    assert abs(from_seconds(to_seconds(moment)) - moment) <= timedelta(microseconds=1)


@given(moments, moments)
def test_seconds_keep_the_order_of_times(first: datetime, second: datetime) -> None:
    if first <= second:
        assert to_seconds(first) <= to_seconds(second)


def test_zero_is_the_epoch() -> None:
    assert from_seconds(0) == datetime(1970, 1, 1, tzinfo=UTC)
    assert from_seconds(-0.5) == datetime(1969, 12, 31, 23, 59, 59, 500_000, tzinfo=UTC)
