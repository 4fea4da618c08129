"""Time stamps of a camera against the box's clock, by tables of packets."""

from __future__ import annotations

import random

import pytest

from edge_agent.recorder.stream_clock import LONGEST_STEP_S, Arrival, Stamp, StreamClock

DAY_S = 1_800_000_000.0
"""The box's time when its steady clock shows 0."""

FRAME_S = 0.04


class Feed:
    """Feeds a clock with packets and begins a segment every 4 s, as the recorder does."""

    def __init__(self, clock: StreamClock | None = None) -> None:
        self.clock = clock or StreamClock()
        self.box_s = DAY_S
        self.last_s: float | None = None
        self._segment_s: float | None = None

    def packet(self, shown_s: float, steady_s: float, order_s: float | None = None) -> Stamp:
        order = shown_s if order_s is None else order_s
        return self.clock.saw(order, shown_s, Arrival(steady_s, self.box_s + steady_s))

    def time(self, shown_s: float) -> float:
        """Time of a picture, seconds after ``DAY_S``; begins a segment when one is due."""
        if self._segment_s is None or shown_s - self._segment_s >= 4:
            self._segment_s = shown_s
            self.clock.begin_segment(shown_s, self.last_s)
        self.last_s = self.clock.time_s(shown_s)
        return self.last_s - DAY_S


def test_times_are_those_of_the_least_delayed_packet() -> None:
    feed = Feed()
    for number, delay_s in enumerate((0.9, 0.5, 0.3, 0.1, 0.15, 0.1, 0.2)):
        feed.packet(1000 + number * FRAME_S, 50 + number * FRAME_S + delay_s)
    assert feed.time(1000) == pytest.approx(50.1)


def test_a_heap_at_the_start_does_not_date_the_first_pictures_late() -> None:
    """What was buffered while the stream was understood comes at once; the newest of it tells the time."""
    feed = Feed()
    for number in range(30):
        feed.packet(number * FRAME_S, 10 + 30 * FRAME_S)
    for number in range(30, 60):
        feed.packet(number * FRAME_S, 10 + (number + 1) * FRAME_S)
    assert feed.time(0) == pytest.approx(10.04)


def test_a_run_is_settled_after_a_second() -> None:
    feed = Feed()
    assert not feed.clock.is_settled(100)
    feed.packet(0, 10)
    assert not feed.clock.is_settled(10.9)
    assert feed.clock.is_settled(11)
    feed.clock.connected()
    assert not feed.clock.is_settled(100)


@pytest.mark.parametrize("drift", [-100e-6, 0.0, 100e-6])
def test_drift_of_the_cameras_crystal_is_followed_through_jitter(drift: float) -> None:
    draw = random.Random(3)
    feed, worst_s, steps = Feed(), 0.0, []
    before: tuple[float, float] | None = None
    for number in range(25 * 1800):
        shown_s = number * FRAME_S
        taken_s = shown_s * (1 + drift)
        assert feed.packet(shown_s, taken_s + 0.05 + abs(draw.gauss(0, 0.03))) is Stamp.GOOD
        time_s = feed.time(shown_s)
        worst_s = max(worst_s, abs(time_s - taken_s - 0.05))
        if before:
            steps.append(abs(time_s - before[1] - (shown_s - before[0])))
        before = shown_s, time_s
    assert worst_s < 0.02
    assert max(steps) <= LONGEST_STEP_S + 1e-6
    assert feed.clock.epoch == feed.clock.jumps == feed.clock.clock_steps == 0


def test_a_hiccup_of_the_network_moves_nothing() -> None:
    feed = Feed()
    for number in range(100):
        feed.packet(number * FRAME_S, number * FRAME_S + 0.1)
        feed.time(number * FRAME_S)
    for number in range(100, 225):  # 5 s of packets come together, 5 s late
        assert feed.packet(number * FRAME_S, 225 * FRAME_S + 0.1) is Stamp.GOOD
        feed.time(number * FRAME_S)
    for number in range(225, 400):
        assert feed.packet(number * FRAME_S, number * FRAME_S + 0.1) is Stamp.GOOD
        assert feed.time(number * FRAME_S) == pytest.approx(number * FRAME_S + 0.1)
    assert feed.clock.lag_s == pytest.approx(0)


def test_a_line_that_stays_clogged_is_noticed() -> None:
    feed = Feed()
    for number in range(25 * 100):
        delay_s = 0.1 if number < 250 else 3.0
        feed.packet(number * FRAME_S, number * FRAME_S + delay_s)
        feed.time(number * FRAME_S)
        if number < 25 * 60:
            assert feed.clock.lag_s < 0.1
    assert feed.clock.lag_s > 2


@pytest.mark.parametrize(
    ("stamp_s", "expected"),
    [
        (4.04, Stamp.GOOD),
        (4.5, Stamp.GOOD),  # pictures were lost on the way, or a few came early
        (4.0, Stamp.REPEATED),
        (3.6, Stamp.REPEATED),
        (3.4, Stamp.JUMPED),
        (0.0, Stamp.JUMPED),
        (6.0, Stamp.JUMPED),
        (95_443.7, Stamp.JUMPED),
    ],
)
def test_stamps_that_jump_are_told_from_those_that_go_on(stamp_s: float, expected: Stamp) -> None:
    feed = Feed()
    for number in range(101):
        feed.packet(number * FRAME_S, number * FRAME_S)
        feed.time(number * FRAME_S)
    assert feed.packet(stamp_s, 4.04) is expected
    assert feed.clock.jumps == (expected is Stamp.JUMPED)


def test_after_a_jump_times_go_on_by_the_new_stamps() -> None:
    feed = Feed()
    for number in range(101):
        feed.packet(number * FRAME_S, number * FRAME_S + 0.1)
        feed.time(number * FRAME_S)
    assert feed.packet(70_000.0, 4.14) is Stamp.JUMPED
    assert not feed.clock.is_settled(4.2)
    for number in range(1, 30):
        assert feed.packet(70_000 + number * FRAME_S, 4.14 + number * FRAME_S) is Stamp.GOOD
    assert feed.time(70_000.0) == pytest.approx(4.14, abs=1e-5)
    assert feed.clock.epoch == 0


def test_packets_lost_on_the_way_are_no_jump() -> None:
    feed = Feed()
    for number in range(101):
        feed.packet(number * FRAME_S, number * FRAME_S)
        feed.time(number * FRAME_S)
    assert feed.packet(30.0, 30.0) is Stamp.GOOD


def test_a_jump_while_the_connection_settles_is_noticed() -> None:
    """Some cameras stamp their first packet 0 and the next with their time of day."""
    feed = Feed()
    feed.packet(0.0, 10)
    assert feed.packet(52_000.0, 10.04) is Stamp.JUMPED
    assert feed.packet(52_000.04, 10.08) is Stamp.GOOD
    assert feed.time(52_000.0) == pytest.approx(10.04)


def test_pictures_sent_ahead_of_those_shown_before_them_are_no_jump() -> None:
    feed = Feed()
    for number, shown in enumerate((0, 3, 1, 2, 6, 4, 5, 9, 7, 8)):
        stamp = feed.packet(shown * FRAME_S, max(shown, number) * FRAME_S, order_s=(number - 1) * FRAME_S)
        assert stamp is Stamp.GOOD
    assert feed.time(0) == pytest.approx(0, abs=0.001)


def test_packets_without_a_decoding_time_are_dated_too() -> None:
    clock = StreamClock()
    for shown in (0, 3, 1, 2):
        assert clock.saw(None, shown * FRAME_S, Arrival(10 + 3 * FRAME_S, DAY_S)) is Stamp.GOOD


@pytest.mark.parametrize("set_by_s", [-3600.0, -0.5, 0.5, 3600.0])
def test_a_clock_that_was_set_begins_a_new_epoch_at_the_next_segment(set_by_s: float) -> None:
    feed = Feed()
    for number in range(60):
        feed.packet(number * FRAME_S, number * FRAME_S)
        feed.time(number * FRAME_S)
    feed.box_s += set_by_s
    feed.packet(2.4, 2.4)
    assert feed.clock.was_set
    assert feed.time(2.4) == pytest.approx(2.4)  # the segment that is open keeps its measure
    assert feed.clock.epoch == 0
    assert feed.clock.begin_segment(2.44, feed.last_s) - DAY_S == pytest.approx(2.44 + set_by_s)
    assert (feed.clock.epoch, feed.clock.clock_steps, feed.clock.was_set) == (1, 1, False)
    assert feed.clock.jumps == 0


def test_a_clock_that_is_slewed_is_followed_without_a_new_epoch() -> None:
    feed = Feed()
    for number in range(25 * 600):
        feed.box_s += FRAME_S * 500e-6
        feed.packet(number * FRAME_S, number * FRAME_S)
        time_s = feed.time(number * FRAME_S)
    assert feed.clock.epoch == feed.clock.clock_steps == 0
    assert time_s == pytest.approx(number * FRAME_S + 600 * 500e-6, abs=0.003)


def test_a_segment_that_begins_before_the_last_picture_is_of_another_epoch() -> None:
    clock = StreamClock(epoch=4)
    clock.saw(0.0, 0.0, Arrival(10.0, DAY_S))
    clock.begin_segment(0.0, DAY_S + 0.005)
    assert clock.epoch == 4
    clock.connected()
    clock.saw(0.0, 0.0, Arrival(10.0, DAY_S))
    clock.begin_segment(0.0, DAY_S + 0.5)
    assert clock.epoch == 5


def test_stamps_that_jump_again_and_again_are_erratic() -> None:
    feed, number = Feed(), 0
    while not feed.clock.is_erratic:
        feed.packet(number * 100.0, number * 1.0)
        number += 1
        assert number < 20
    assert feed.clock.jumps == 6
    feed.clock.connected()
    assert not feed.clock.is_erratic


def test_jumps_far_apart_are_not_erratic() -> None:
    feed = Feed()
    for number in range(40):
        feed.packet(number * 1000.0, number * 30.0)
    assert feed.clock.jumps == 39
    assert not feed.clock.is_erratic
