"""Items that failed by themselves are put off ever longer, so that one of them does not hold up those behind it."""

from __future__ import annotations

from collections.abc import Callable

from edge_agent.agent_clock import AgentClock
from edge_agent.outbox.outbox import Outbox, OutboxItem

FIRST_S = 30.0
LONGEST_S = 3600.0
"""Real seconds."""

OnEvent = Callable[[str, str], None]
"""Takes an event's kind, a code, and its detail, which names no person."""


class PuttingOff:
    """Gives leased items back. How often one failed is remembered until it arrives or the agent starts anew."""

    def __init__(self, outbox: Outbox, clock: AgentClock, on_event: OnEvent) -> None:
        self._outbox, self._clock, self._on_event = outbox, clock, on_event
        self._failures: dict[int, int] = {}
        self._told: set[int] = set()

    def agent_s(self, real_s: float) -> float:
        """A real duration on the agent's clock, by which the outbox goes."""
        return real_s / self._clock.real_s(1.0)

    def release(self, item: OutboxItem, why: str) -> None:
        """Nothing is wrong with it: it may be sent as soon as anything may."""
        self._outbox.later(item.id, self._clock.now_s(), why)

    def after_failure(self, item: OutboxItem, why: str) -> None:
        """The server failed over this one alone: it is tried again after half a minute, then ever more seldom."""
        failures = self._failures.get(item.id, 0)
        self._failures[item.id] = failures + 1
        wait_s = min(LONGEST_S, FIRST_S * 2.0 ** min(failures, 16))
        self._outbox.later(item.id, self._clock.now_s() + self.agent_s(wait_s), why)

    def after_refusal(self, item: OutboxItem, why: str) -> None:
        """The server does not want it as it is, perhaps for a moment only. It is kept; an event tells so once."""
        if item.id not in self._told:
            self._told.add(item.id)
            self._on_event("delivery_not_taken", f"{item.kind} {item.name}: {why}")
        self.after_failure(item, why)

    def settle(self, item: OutboxItem) -> None:
        """It arrived, or never will."""
        self._failures.pop(item.id, None)
        self._told.discard(item.id)
