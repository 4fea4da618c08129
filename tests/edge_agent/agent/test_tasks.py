"""Tasks are begun again when they die, and end together."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from itertools import pairwise

import pytest

from edge_agent.agent import tasks
from edge_agent.agent.tasks import Tasks, pause
from edge_agent.outbox.store import StoreDamaged
from tests.edge_agent.agent.small_box import wait_for


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(tasks, "LONGEST_PAUSE_S", 0.08)


def test_a_task_that_dies_is_told_counted_and_begun_again_ever_more_slowly(caplog: pytest.LogCaptureFixture) -> None:
    begun: list[float] = []

    async def work(stop: asyncio.Event) -> None:
        begun.append(time.monotonic())
        if len(begun) < 5:
            raise RuntimeError("no more")
        await stop.wait()

    async def scene() -> None:
        restarts: Counter[str] = Counter()
        together = Tasks(restarts)
        together.start("worker", work)
        await wait_for(lambda: len(begun) == 5)
        await together.end(1.0)
        assert restarts == {"worker": 4}

    asyncio.run(scene())
    waits = [later - sooner for sooner, later in pairwise(begun)]
    assert waits[0] >= 0.02 and waits[1] >= 0.04 and waits[3] >= 0.08
    told = [record for record in caplog.records if "died" in record.getMessage()]
    assert [record.facts["task"] for record in told] == ["worker"] * 4  # type: ignore[attr-defined]


def test_a_task_that_ran_long_before_it_died_is_begun_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "STEADY_AFTER_S", 0.1)
    monkeypatch.setattr(tasks, "LONGEST_PAUSE_S", 60.0)
    monkeypatch.setattr(tasks, "FIRST_PAUSE_S", 0.05)
    runs = 0

    async def work(stop: asyncio.Event) -> None:
        nonlocal runs
        runs += 1
        await asyncio.sleep(0.12 if runs > 3 else 0)
        raise RuntimeError

    async def scene() -> None:
        together = Tasks()
        together.start("worker", work)
        began = time.monotonic()
        await wait_for(lambda: runs == 7)  # pauses of 0.05 + 0.1 + 0.2, then 0.05 each; grown on they were 6 s
        assert time.monotonic() - began < 2.0
        await together.end(1.0)

    asyncio.run(scene())


def test_damage_of_the_store_ends_the_agent_and_is_not_tried_again() -> None:
    async def scene() -> None:
        damaged: list[str] = []
        together = Tasks(on_damage=lambda: damaged.append("damaged"))
        runs = 0

        async def work(stop: asyncio.Event) -> None:
            nonlocal runs
            runs += 1
            raise StoreDamaged("torn")

        together.start("worker", work)
        await wait_for(lambda: damaged)
        await asyncio.sleep(0.1)
        assert runs == 1 and together.restarts == {}
        await together.end(1.0)

    asyncio.run(scene())


def test_a_task_that_is_done_is_not_begun_again() -> None:
    async def scene() -> None:
        runs: list[int] = []

        async def work(stop: asyncio.Event) -> None:
            runs.append(1)

        together = Tasks()
        together.start("worker", work)
        await asyncio.sleep(0.1)
        assert runs == [1]
        await together.end(1.0)

    asyncio.run(scene())


def test_the_end_waits_for_all_and_cuts_off_who_is_late() -> None:
    ended: list[str] = []

    async def in_time(stop: asyncio.Event) -> None:
        await stop.wait()
        await asyncio.sleep(0.05)
        ended.append("in time")

    async def late(stop: asyncio.Event) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("cut off")

    async def scene() -> None:
        together = Tasks()
        together.start("a", in_time)
        together.start("b", late)
        await asyncio.sleep(0)
        began = time.monotonic()
        await together.end(0.3)
        assert time.monotonic() - began < 2
        await Tasks().end(1.0)

    asyncio.run(scene())
    assert ended == ["in time", "cut off"]


def test_the_end_does_not_wait_for_a_pause_before_a_new_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "FIRST_PAUSE_S", 60.0)

    async def dies(stop: asyncio.Event) -> None:
        raise RuntimeError

    async def scene() -> None:
        together = Tasks()
        together.start("a", dies)
        await wait_for(lambda: together.restarts)
        began = time.monotonic()
        await together.end(30)
        assert time.monotonic() - began < 2

    asyncio.run(scene())


def test_a_pause_ends_with_its_time_or_with_the_stop() -> None:
    async def scene() -> None:
        stop = asyncio.Event()
        assert await pause(stop, 0.01)
        assert await pause(stop, -1.0)
        stop.set()
        assert not await pause(stop, 60.0)

    asyncio.run(scene())
