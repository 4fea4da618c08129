"""The clocks an agent may live by."""

from __future__ import annotations

import pickle
import time

import pytest

from edge_agent.agent_clock import Leg, ReplayClock, WallClock


def replay(speed: float, played_s: float, *legs: Leg) -> ReplayClock:
    """A clock that began so many replayed seconds ago."""
    return ReplayClock(legs or (Leg(1000.0, 60.0), Leg(5000.0, 30.0)), speed, time.monotonic() - played_s / speed)


def test_the_boxs_clock_is_the_systems() -> None:
    clock = WallClock()
    assert abs(clock.now_s() - time.time()) < 0.5
    assert abs(clock.steady_s() - time.monotonic()) < 0.5
    assert clock.real_s(3.0) == 3.0


@pytest.mark.parametrize(
    ("played_s", "shows_s"), [(0.0, 1000.0), (59.0, 1059.0), (61.0, 5001.0), (89.0, 5029.0), (200.0, 5140.0)]
)
def test_a_replay_runs_through_its_legs_leaps_between_them_and_runs_on_after_the_last(
    played_s: float, shows_s: float
) -> None:
    assert replay(10.0, played_s).now_s() == pytest.approx(shows_s, abs=0.5)


def test_before_its_beginning_a_replay_shows_the_start_of_the_first_leg() -> None:
    clock = ReplayClock((Leg(1000.0, 60.0),), 10.0, time.monotonic() + 60)
    assert clock.now_s() == 1000.0
    assert clock.steady_s() < 0


def test_durations_of_a_replay_leave_the_leaps_out() -> None:
    clock = replay(100.0, 50.0)
    before_s = clock.steady_s()
    time.sleep(0.2)
    assert clock.now_s() > 5000.0
    assert clock.steady_s() - before_s == pytest.approx(20.0, abs=8.0)
    assert clock.real_s(10.0) == 0.1


def test_every_process_of_a_box_can_have_the_same_clock() -> None:
    for clock in (WallClock(), replay(10.0, 70.0)):
        copy = pickle.loads(pickle.dumps(clock))
        assert copy.now_s() == pytest.approx(clock.now_s(), abs=0.5)


@pytest.mark.parametrize(("legs", "speed"), [((), 1.0), ((Leg(0.0, 1.0),), 0.0), ((Leg(0.0, 1.0),), -2.0)])
def test_a_replay_needs_something_to_play_and_a_speed(legs: tuple[Leg, ...], speed: float) -> None:
    with pytest.raises(ValueError, match="expected a leg and a speed"):
        ReplayClock(legs, speed, 0.0)
