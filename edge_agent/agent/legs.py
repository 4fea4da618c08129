"""Which stretches of time a replay plays, and which it leaps over."""

from __future__ import annotations

from collections.abc import Iterable

from edge_agent.agent_clock import Leg
from edge_agent.footage import TimeWindow

LEAD_S = 2.0
TAIL_S = 8.0
"""Played before and after what happens, so that cameras begin and checks end."""

LEAP_OVER_S = 30.0
"""A shorter idle time is played like the rest."""


def legs_of(windows: Iterable[TimeWindow]) -> tuple[Leg, ...]:
    """Legs that hold every window, in order of time, leaping over idle times."""
    legs: list[tuple[float, float]] = []
    for start_s, end_s in sorted((w.start_s - LEAD_S, w.end_s + TAIL_S) for w in windows):
        if legs and start_s <= legs[-1][1] + LEAP_OVER_S:
            legs[-1] = legs[-1][0], max(legs[-1][1], end_s)
        else:
            legs.append((start_s, end_s))
    return tuple(Leg(start_s, end_s - start_s) for start_s, end_s in legs)
