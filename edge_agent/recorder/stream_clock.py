"""When a camera's pictures were taken, on the box's clock: from their time stamps and the moments they arrived.

A camera counts time from anywhere and a little fast or slow; the network delays its packets, by one more than by
another. The least delayed packet of the last minute tells best how the camera's time lies to the box's. That estimate
is used from one segment to the next, so that pictures within a segment keep the camera's own, even distances.

Nothing here asks for the time: arrivals are given, on the steady clock and on the box's.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum

SETTLE_S = 1.0
"""The first packets of a connection come late and in a heap, because they waited for the stream to be understood."""

WINDOW_S = 60.0
"""Over so long the least delay is sought: longer than most network hiccups, shorter than a camera's drift matters."""

LONGEST_STEP_S = 0.005
"""Most that one segment's times are moved against those before: 1 in 800 with segments of 4 s, where a camera's
crystal is off by 1 in 10,000, and well under half a picture, so that segments follow on each other."""

JUMP_S = 1.0
"""A packet cannot be this much less delayed than all before it; its time stamp jumped."""

SETTLING_JUMP_S = 5.0
"""In the heap at the start packets lie closer than their time stamps; more than this apart is a jump there too."""

REPEAT_S = 0.5
"""Time stamps that fall back by less belong to packets sent twice or out of order; by more, the camera began anew."""

LAG_S = 2.0
"""When even the least delayed packet is this much later than at first, the line is clogged or the stamps are slow."""

BOX_STEP_S = 0.2
"""NTP slews a clock by at most 1 in 2,000; a change by this much between two packets is a clock that was set."""

ERRATIC_JUMPS = 5
"""More jumps than this within ``WINDOW_S`` are no time stamps."""

_BUCKET_S = 1.0


@dataclass(frozen=True)
class Arrival:
    """When a packet was read: on the agent's steady clock, and on the box's in seconds since 1970 (UTC)."""

    steady_s: float
    now_s: float


class Stamp(Enum):
    """What a packet's time stamp is worth."""

    GOOD = "good"
    REPEATED = "repeated"
    JUMPED = "jumped"


class StreamClock:
    """The clock of one camera, over all its connections.

    ``epoch`` counts how often the box's clock was set. It goes up as well when a segment would begin before the last
    picture that was recorded, because then times contradict each other.
    """

    def __init__(self, epoch: int = 0) -> None:
        self.epoch = epoch
        self.jumps = 0
        self.clock_steps = 0
        self._run = _Run()
        self._jump_times: deque[float] = deque()
        self._box_s: float | None = None
        self._mapping_s: float | None = None
        self._was_set = False

    def connected(self) -> None:
        """A new connection: nothing is known of its time stamps."""
        self._run = _Run()
        self._jump_times.clear()

    def saw(self, order_s: float | None, shown_s: float, arrival: Arrival) -> Stamp:
        """A packet came. ``order_s`` is its decoding time, which must grow, ``shown_s`` its presentation time.

        A jump makes this packet the first of a new run: its times have nothing to do with those before.
        """
        self._watch_box(arrival)
        stamp = self._run.judge(order_s, shown_s, arrival)
        if stamp is Stamp.REPEATED:
            return stamp
        if stamp is Stamp.JUMPED:
            self._run = _Run()
            self.jumps += 1
            self._jump_times.append(arrival.steady_s)
        self._run.take(order_s, shown_s, arrival)
        return stamp

    def is_settled(self, steady_s: float) -> bool:
        """Whether enough of the run has come to tell its times."""
        return self._run.first_steady_s is not None and steady_s - self._run.first_steady_s >= SETTLE_S

    @property
    def was_set(self) -> bool:
        """Whether the box's clock was set since the last segment began, so that the next keyframe should begin one."""
        return self._was_set

    def begin_segment(self, shown_s: float, last_picture_s: float | None) -> float:
        """A segment begins with the picture stamped ``shown_s``; returns its time in seconds since 1970 (UTC).

        ``last_picture_s`` is the time of the last picture recorded before. Until the next call, :meth:`time_s` tells
        times by the same measure.
        """
        if self._box_s is None:
            raise ValueError("StreamClock: expected a packet before a segment begins")
        self._mapping_s = self._run.anchored() + self._box_s
        start_s = self.time_s(shown_s)
        goes_back = last_picture_s is not None and start_s < last_picture_s - 2 * LONGEST_STEP_S
        if self._was_set or goes_back:
            self.epoch += 1
        self._was_set = False
        return start_s

    def time_s(self, shown_s: float) -> float:
        """When a picture of the current segment was taken, seconds since 1970 (UTC) on the box's clock."""
        if self._mapping_s is None:
            raise ValueError("StreamClock: expected a segment to have begun")
        return shown_s + self._mapping_s

    @property
    def lag_s(self) -> float:
        """How much later than at first even the least delayed packets of the last minute come."""
        return self._run.lag_s

    @property
    def is_erratic(self) -> bool:
        """Whether time stamps jump so often that they tell nothing."""
        while self._jump_times and self._jump_times[0] < self._jump_times[-1] - WINDOW_S:
            self._jump_times.popleft()
        return len(self._jump_times) > ERRATIC_JUMPS

    def _watch_box(self, arrival: Arrival) -> None:
        """Notice that the box's clock was set. Small differences are followed: they are NTP's slewing."""
        ahead_s = arrival.now_s - arrival.steady_s
        if self._box_s is not None and abs(ahead_s - self._box_s) > BOX_STEP_S:
            self.clock_steps += 1
            self._was_set = True
        self._box_s = ahead_s


class _Run:
    """Packets whose time stamps go on from each other."""

    def __init__(self) -> None:
        self.first_steady_s: float | None = None
        self._anchor_s: float | None = None
        self._last_order_s: float | None = None
        self._last_steady_s = 0.0
        self._delays: deque[tuple[float, float]] = deque()  # when a second began, the least delay in it

    @property
    def lag_s(self) -> float:
        return 0.0 if self._anchor_s is None else self._least_delay_s() - self._anchor_s

    def judge(self, order_s: float | None, shown_s: float, arrival: Arrival) -> Stamp:
        """Whether a packet belongs to this run."""
        ahead_s = 0.0
        if order_s is not None and self._last_order_s is not None:
            ahead_s = order_s - self._last_order_s
            if ahead_s <= 0:
                return Stamp.REPEATED if ahead_s > -REPEAT_S else Stamp.JUMPED
        if self._anchor_s is None:
            waited_s = arrival.steady_s - self._last_steady_s
            return Stamp.JUMPED if ahead_s - waited_s > SETTLING_JUMP_S else Stamp.GOOD
        is_early = arrival.steady_s - shown_s < self._least_delay_s() - JUMP_S
        return Stamp.JUMPED if is_early else Stamp.GOOD

    def take(self, order_s: float | None, shown_s: float, arrival: Arrival) -> None:
        """Learn from a packet of this run."""
        steady_s, delay_s = arrival.steady_s, arrival.steady_s - shown_s
        if self.first_steady_s is None:
            self.first_steady_s = steady_s
        self._last_order_s = self._last_order_s if order_s is None else order_s
        self._last_steady_s = steady_s
        if self._delays and steady_s - self._delays[-1][0] < _BUCKET_S:
            since_s, least_s = self._delays[-1]
            self._delays[-1] = (since_s, min(least_s, delay_s))
        else:
            self._delays.append((steady_s, delay_s))
        while self._delays[0][0] < steady_s - WINDOW_S:
            self._delays.popleft()

    def anchored(self) -> float:
        """What to add to a presentation time to get the steady clock's; moves a little towards the latest estimate."""
        least_s = self._least_delay_s()
        if self._anchor_s is None:
            self._anchor_s = least_s
        self._anchor_s += max(-LONGEST_STEP_S, min(LONGEST_STEP_S, least_s - self._anchor_s))
        return self._anchor_s

    def _least_delay_s(self) -> float:
        return min(least_s for _, least_s in self._delays)
