"""An intake that keeps swipes in memory and can run full, and what drives a source in a test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from edge_agent.swipe_sources.intake import Receipt, SwipeSource, SwipeStatus, UnknownTerminal
from renzheng.contracts import IdentityCheck, Swipe
from renzheng.errors import BadInput, StorageFull

BOX = "P33028100001"
TERMINAL = "T01"


class RememberingIntake:
    """Knows one terminal. ``checks`` are final, ``opinions`` come first; ``taken`` are the calls in their order."""

    def __init__(self, swipes: Iterable[Swipe] = ()) -> None:
        self.swipes = {swipe.setl_id: swipe for swipe in swipes}
        self.taken: list[tuple[str, str, bool]] = []
        self.opinions: dict[str, IdentityCheck] = {}
        self.checks: dict[str, IdentityCheck] = {}
        self.waited: list[float] = []
        self.is_full = False

    @property
    def ids(self) -> list[str]:
        """Settlement numbers in the order they were first taken."""
        return list(self.swipes)

    def take(self, swipe: Swipe, source: str, *, live: bool) -> Receipt:
        """As the agent does."""
        if self.is_full:
            raise StorageFull("agent.sqlite: no space left on the disk")
        if swipe.terminal_id != TERMINAL:
            raise UnknownTerminal(f'terminal_id: expected {TERMINAL}, found "{swipe.terminal_id}"')
        if swipe.setl_id.startswith("bed-"):
            raise BadInput("setl_id: expected an id of its own, a bed check has it")
        self.taken.append((swipe.setl_id, source, live))
        first = self.swipes.setdefault(swipe.setl_id, swipe)
        state = "new" if first is swipe else "known" if first == swipe else "conflict"
        return Receipt(swipe.setl_id, state)  # type: ignore[arg-type]

    async def opinion(self, swipe_id: str, timeout_s: float) -> IdentityCheck | None:
        """What was put there."""
        self.waited.append(timeout_s)
        return self.checks.get(swipe_id) or self.opinions.get(swipe_id)

    async def final(self, swipe_id: str, timeout_s: float) -> IdentityCheck | None:
        """What was put there."""
        self.waited.append(timeout_s)
        return self.checks.get(swipe_id)

    def find(self, swipe_id: str) -> SwipeStatus | None:
        """As the agent does."""
        if swipe_id not in self.swipes:
            return None
        return SwipeStatus(swipe_id, self.swipes[swipe_id].terminal_id, "http", 1.75e9, self.checks.get(swipe_id))


@asynccontextmanager
async def running(source: SwipeSource, intake: RememberingIntake) -> Any:
    """The source at work; stopped at the end, which must not take long."""
    stop = asyncio.Event()
    task = asyncio.create_task(source.run(intake, stop))
    try:
        yield task
    finally:
        stop.set()
        await asyncio.wait_for(task, 10)


async def until(condition: Callable[[], object], within_s: float = 8.0) -> None:
    """Wait for it; fails the test when it does not come."""
    for _ in range(int(within_s / 0.02)):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"did not come within {within_s} s")


def fields(number: int = 1, **changed: Any) -> dict[str, Any]:
    """A swipe as a terminal writes it, with a name that must go no further."""
    return {
        "setl_id": f"S{number:04d}",
        "psn_no": "33028100000000000001",
        "fixmedins_code": BOX,
        "terminal_id": TERMINAL,
        "setl_time": f"2026-05-01 09:00:{number % 60:02d}",
        "psn_name": "张三",
    } | changed
