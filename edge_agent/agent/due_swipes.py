"""In which order swipes are checked: those whose window has just ended first, a backlog of old ones after them."""

from __future__ import annotations

import heapq

_Queue = list[tuple[float, str]]


class DueSwipes:
    """Two queues by due time: a table of a year's swipes must not hold up the one at the counter. Steady seconds."""

    def __init__(self) -> None:
        self._running: _Queue = []
        self._backlog: _Queue = []

    def __len__(self) -> int:
        return len(self._running) + len(self._backlog)

    def push(self, swipe_id: str, at_s: float, *, backlog: bool = False) -> None:
        """Note when a swipe is due; ``backlog`` where its window was over before it came."""
        heapq.heappush(self._backlog if backlog else self._running, (at_s, swipe_id))

    def pop(self, now_s: float) -> str | None:
        """The next that is due by now; ``None`` when none is."""
        for queue in (self._running, self._backlog):
            if queue and queue[0][0] <= now_s:
                return heapq.heappop(queue)[1]
        return None

    def next_s(self) -> float | None:
        """When the next one is due; ``None`` when none waits."""
        return min((queue[0][0] for queue in (self._running, self._backlog) if queue), default=None)
