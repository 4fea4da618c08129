"""When and how fast things are sent: tries that come ever more slowly, a share of the line, times of day."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import time, timedelta
from time import monotonic

from edge_agent.edge_config import ScheduleWindow
from renzheng.clock import SHANGHAI, from_seconds

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 300.0


class Backoff:
    """Waits that double up to a cap, each drawn between half of it and all of it.

    The draw keeps the boxes of a city from coming back all at once when their server does.
    """

    def __init__(
        self,
        first_s: float = FIRST_WAIT_S,
        longest_s: float = LONGEST_WAIT_S,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._first_s, self._longest_s, self._draw = first_s, longest_s, draw
        self.failures = 0

    def next_s(self) -> float:
        """How long to wait after one more failure, real seconds."""
        full_s = min(self._longest_s, self._first_s * 2.0 ** min(self.failures, 32))
        self.failures += 1
        return full_s * (0.5 + 0.5 * self._draw())

    def reset(self) -> None:
        """Something went well."""
        self.failures = 0


class TokenBucket:
    """Lets through so many bytes a second, in real time; ``None`` lets everything through.

    What is taken may exceed what is there: it is then paid off before the next is let through.
    """

    def __init__(self, bytes_per_s: float | None, steady_s: Callable[[], float] = monotonic) -> None:
        self.bytes_per_s = bytes_per_s
        self._steady_s = steady_s
        self._free_from_s = steady_s()

    async def take(self, size: int) -> None:
        """Return when ``size`` bytes may be sent."""
        if self.bytes_per_s is None:
            return
        now_s = self._steady_s()
        begin_s = max(now_s, self._free_from_s)
        self._free_from_s = begin_s + size / self.bytes_per_s
        await asyncio.sleep(begin_s - now_s)


def is_open(windows: Sequence[ScheduleWindow], now_s: float) -> bool:
    """Whether a time (seconds since 1970, UTC) lies in one of the times of day; without any, it always does.

    A window that ends when it starts is the whole day.
    """
    return not windows or opens_in_s(windows, now_s) == 0.0


def opens_in_s(windows: Sequence[ScheduleWindow], now_s: float) -> float:
    """Seconds until the next window opens; 0 in one, or without any."""
    if not windows:
        return 0.0
    return min(_until_open(window, now_s) for window in windows)


def _until_open(window: ScheduleWindow, now_s: float) -> float:
    local = from_seconds(now_s).astimezone(SHANGHAI)
    begins = local.replace(
        hour=window.start.hour, minute=window.start.minute, second=window.start.second, microsecond=0
    )
    length_s = (_of_day_s(window.end) - _of_day_s(window.start)) % 86400.0 or 86400.0
    if begins > local:
        begins -= timedelta(days=1)
    into_s = (local - begins).total_seconds()
    return 0.0 if into_s < length_s else 86400.0 - into_s


def _of_day_s(moment: time) -> float:
    return moment.hour * 3600.0 + moment.minute * 60.0 + moment.second
