"""A replay plays what happens and leaps over idle hours."""

from __future__ import annotations

from edge_agent.agent.legs import LEAD_S, LEAP_OVER_S, TAIL_S, legs_of
from edge_agent.agent_clock import Leg
from edge_agent.footage import TimeWindow


def test_windows_that_lie_close_together_are_one_leg_with_a_lead_and_a_tail() -> None:
    near = TimeWindow(100.0, 110.0), TimeWindow(110.0 + LEAD_S + TAIL_S + LEAP_OVER_S, 200.0), TimeWindow(105.0, 106.0)
    assert legs_of(near) == (Leg(100.0 - LEAD_S, 200.0 + TAIL_S - 100.0 + LEAD_S),)


def test_idle_time_is_leapt_over() -> None:
    legs = legs_of([TimeWindow(10_000.0, 10_010.0), TimeWindow(100.0, 110.0)])
    assert legs == (Leg(98.0, 20.0), Leg(9_998.0, 20.0))


def test_a_window_within_another_shortens_nothing() -> None:
    assert legs_of([TimeWindow(100.0, 200.0), TimeWindow(120.0, 130.0)]) == (Leg(98.0, 110.0),)


def test_nothing_to_play_has_no_leg() -> None:
    assert legs_of([]) == ()
