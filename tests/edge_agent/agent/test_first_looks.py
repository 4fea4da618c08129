"""Looks at a window while it runs, and the order in which swipes fall due."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest

from edge_agent.agent import first_looks
from edge_agent.agent.due_swipes import DueSwipes
from edge_agent.agent.first_looks import FirstLooks
from edge_agent.live.jobs import AheadJob, Answer, GlanceJob, LookedAhead, SwipeJob
from tests.edge_agent.agent.small_box import HandClock, SmallBox


class LookingBox(SmallBox):
    """A small box that looks ahead."""

    def __init__(self, folder: Path, *script: Any) -> None:
        super().__init__(folder, *script, clock=HandClock(speed=5.0))
        self.recorded(0.0, 4e9)
        self.checks.first_looks = FirstLooks(self.clock, self.store, self.dispatcher, None)
        self.vision.answered = self.looked  # type: ignore[method-assign]

    def looked(self, job: Any) -> Awaitable[Answer]:
        if isinstance(job, AheadJob):
            return _now(LookedAhead(job.job_id))
        return type(self.vision).answered(self.vision, job)

    def run(self, until: Any) -> None:
        assert self.checks.first_looks is not None
        asyncio.run(self.work(until, self.checks.first_looks.run))

    def asked(self) -> list[str]:
        return [type(job).__name__ for job in self.vision.asked]


async def _now(answer: Answer) -> Answer:
    return answer


def test_a_window_is_looked_at_when_its_swipe_comes_and_again_shortly_before_its_end(tmp_path: Path) -> None:
    with LookingBox(tmp_path) as box:
        box.checks.take(box.swipe(), "http", live=True)
        box.run(lambda: box.verdict_of("S1"))
        assert box.asked() == ["AheadJob", "AheadJob", "SwipeJob"]


def test_a_look_goes_on_while_there_is_more(tmp_path: Path) -> None:
    async def more(job: Any) -> Answer:
        return LookedAhead(job.job_id, more=True)

    with LookingBox(tmp_path, more, more) as box:
        box.checks.take(box.swipe(), "http", live=True)
        box.run(lambda: box.verdict_of("S1"))
        assert box.asked() == ["AheadJob"] * 4 + ["SwipeJob"]


def test_a_window_that_is_over_is_not_looked_at_ahead(tmp_path: Path) -> None:
    with LookingBox(tmp_path) as box:
        box.checks.take(box.swipe(ago_s=60), "csv", live=False)
        box.run(lambda: box.verdict_of("S1"))
        assert box.asked() == ["SwipeJob"]


def test_with_much_to_do_nobody_looks_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_looks, "UNDER_WAY_MAX", -1)
    with LookingBox(tmp_path) as box:
        box.checks.take(box.swipe(), "http", live=True)
        box.run(lambda: box.verdict_of("S1"))
        assert box.asked() == ["SwipeJob"]


def test_a_first_look_that_fails_costs_nothing(tmp_path: Path) -> None:
    with LookingBox(tmp_path, RuntimeError("odd"), RuntimeError("odd")) as box:
        box.checks.take(box.swipe(), "http", live=True)
        box.run(lambda: box.verdict_of("S1"))
        final = box.vision.asked[-1]
        assert isinstance(final, SwipeJob) and not final.give_up
        assert not any(isinstance(job, GlanceJob) for job in box.vision.asked)


def test_the_swipe_at_the_counter_goes_before_a_backlog() -> None:
    due = DueSwipes()
    for number in range(3):
        due.push(f"old {number}", 1.0 + number, backlog=True)
    due.push("later", 9.0)
    due.push("now", 5.0)
    assert (len(due), due.next_s()) == (5, 1.0)
    assert [due.pop(6.0) for _ in range(5)] == ["now", "old 0", "old 1", "old 2", None]
    assert (due.next_s(), due.pop(9.0), due.next_s(), len(due)) == (9.0, "later", None, 0)
