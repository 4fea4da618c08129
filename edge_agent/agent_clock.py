"""The clock an agent lives by: the box's own, or that of a replay, which runs faster and leaps over idle hours.

Values are plain, so that every process of an agent can be given the same clock: ``time.monotonic`` is one for the
whole machine.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Protocol

LONGEST_NAP_S = 1.0
"""Waiting looks at the clock this often, in its own seconds: it may be set meanwhile, or leap."""


class AgentClock(Protocol):
    """Seconds since 1970 (UTC) as the box knows them, and real waiting."""

    def now_s(self) -> float:
        """The time of day; may be set forward or back by an operator or NTP."""
        ...

    def steady_s(self) -> float:
        """Seconds that only ever grow, at the pace of ``now_s``; for durations and for noticing that it was set."""
        ...

    def real_s(self, agent_s: float) -> float:
        """How long a duration on this clock really takes, seconds."""
        ...


@dataclass(frozen=True)
class WallClock:
    """The box's clock."""

    def now_s(self) -> float:
        """The operating system's time."""
        return time.time()

    def steady_s(self) -> float:
        """The operating system's monotonic time."""
        return time.monotonic()

    def real_s(self, agent_s: float) -> float:
        """The same."""
        return agent_s


@dataclass(frozen=True)
class Leg:
    """A stretch of a replay: ``length_s`` of its time from ``start_s`` on."""

    start_s: float
    length_s: float


@dataclass(frozen=True)
class ReplayClock:
    """Runs ``speed`` times as fast as real time through each leg in turn, leaping from one to the next.

    After the last leg it runs on. ``began_monotonic_s`` is the machine's monotonic time at the start of the first.
    """

    legs: tuple[Leg, ...]
    speed: float
    began_monotonic_s: float
    _ends_s: tuple[float, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.legs or self.speed <= 0:
            raise ValueError(f"ReplayClock: expected a leg and a speed above 0, got {self}")
        ends, total = [], 0.0
        for leg in self.legs:
            total += leg.length_s
            ends.append(total)
        object.__setattr__(self, "_ends_s", tuple(ends))

    def steady_s(self) -> float:
        """Replayed seconds so far, without the leaps."""
        return (time.monotonic() - self.began_monotonic_s) * self.speed

    def now_s(self) -> float:
        """The moment of the replay."""
        played_s = max(0.0, self.steady_s())
        number = min(bisect_right(self._ends_s, played_s), len(self.legs) - 1)
        before_s = self._ends_s[number] - self.legs[number].length_s
        return self.legs[number].start_s + played_s - before_s

    def real_s(self, agent_s: float) -> float:
        """A duration divided by the speed."""
        return agent_s / self.speed
