"""Waits between tries, a share of the line, times of day."""

from __future__ import annotations

import asyncio
from datetime import datetime, time

import pytest

from edge_agent.edge_config import ScheduleWindow
from edge_agent.uplink.pace import Backoff, TokenBucket, is_open, opens_in_s
from renzheng.clock import SHANGHAI, to_seconds


def at(hour: int, minute: int = 0) -> float:
    return to_seconds(datetime(2026, 5, 1, hour, minute, tzinfo=SHANGHAI))


def window(start: str, end: str) -> ScheduleWindow:
    return ScheduleWindow(start=time.fromisoformat(start), end=time.fromisoformat(end))


def test_waits_double_up_to_the_longest_and_begin_anew_after_a_success() -> None:
    backoff = Backoff(1.0, 10.0, draw=lambda: 1.0)
    assert [backoff.next_s() for _ in range(6)] == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    backoff.reset()
    assert backoff.next_s() == 1.0


def test_a_wait_is_never_less_than_half_of_the_full_one() -> None:
    draws = iter((0.0, 0.5, 1.0))
    backoff = Backoff(8.0, 8.0, draw=lambda: next(draws))
    assert [backoff.next_s() for _ in range(3)] == [4.0, 6.0, 8.0]


def test_waits_stay_finite_after_a_month_without_a_server() -> None:
    backoff = Backoff(draw=lambda: 1.0)
    assert [backoff.next_s() for _ in range(20_000)][-1] == 300.0


@pytest.mark.parametrize(
    ("start", "end", "hour", "open_", "opens_h"),
    [
        ("09:00", "17:00", 8, False, 1),
        ("09:00", "17:00", 9, True, 0),
        ("09:00", "17:00", 16, True, 0),
        ("09:00", "17:00", 17, False, 16),
        ("22:00", "06:00", 23, True, 0),
        ("22:00", "06:00", 5, True, 0),
        ("22:00", "06:00", 6, False, 16),
        ("22:00", "06:00", 12, False, 10),
        ("08:00", "08:00", 3, True, 0),
    ],
)
def test_clips_go_within_a_time_of_day_in_shanghai(start: str, end: str, hour: int, open_: bool, opens_h: int) -> None:
    assert is_open([window(start, end)], at(hour)) is open_
    assert opens_in_s([window(start, end)], at(hour)) == opens_h * 3600


def test_without_windows_clips_may_always_go_and_of_several_the_next_counts() -> None:
    assert is_open((), at(3))
    both = [window("12:00", "13:00"), window("22:00", "23:00")]
    assert opens_in_s(both, at(14)) == 8 * 3600
    assert is_open(both, at(12, 30))


def test_a_bucket_lets_through_its_rate_and_no_credit_gathers_while_nothing_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = 100.0
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        nonlocal now_s
        slept.append(seconds)
        now_s += seconds

    monkeypatch.setattr(asyncio, "sleep", sleep)
    bucket = TokenBucket(1000.0, lambda: now_s)

    async def send() -> None:
        nonlocal now_s
        for _ in range(3):
            await bucket.take(500)
        now_s += 3600
        for _ in range(2):
            await bucket.take(500)

    asyncio.run(send())
    assert slept == [0.0, 0.5, 0.5, 0.0, 0.5]


def test_without_a_rate_nothing_waits() -> None:
    asyncio.run(asyncio.wait_for(TokenBucket(None).take(10**15), 1.0))
