"""What a box tells the server of itself: without holes, each event once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from edge_agent.agent import reports
from edge_agent.agent.reports import Reports
from renzheng.clock import to_seconds
from renzheng.contracts import AgentReport, CameraState
from renzheng.errors import StorageFull
from tests.edge_agent.agent.small_box import HandClock
from tests.edge_agent.agent.whole_parts import PartsBox
from tests.edge_agent.outbox.builders import NOON_S, finish


def queued(box: PartsBox) -> list[AgentReport]:
    items = box.parts.outbox.lease("report", 100, box.clock.now_s(), 1e9)
    return [item.report() for item in items]


def made(box: PartsBox, times: int) -> list[AgentReport]:
    for _ in range(times):
        Reports(box.parts, 300.0).report()
        box.clock.set_by_s += 60.0
    return queued(box)


def test_periods_join_up_over_restarts_and_begin_with_the_first_start(tmp_path: Path) -> None:
    with PartsBox(tmp_path) as box:
        first, second = made(box, 2)
        assert to_seconds(first.period_start) == pytest.approx(box.parts.started_s, abs=1e-3)
        assert second.period_start == first.period_end
    with PartsBox(tmp_path, clock=HandClock(start_s=NOON_S + 7200)) as again:
        third = made(again, 1)[-1]
        assert third.period_start == second.period_end


def test_each_event_is_told_once_and_the_oldest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "EVENTS_MAX", 3)
    with PartsBox(tmp_path) as box:
        for number in range(5):
            box.store.note_event(f"e{number}", None, "", box.clock.now_s())
        told = [[event.kind for event in report.events] for report in made(box, 3)]
        assert told == [["e0", "e1", "e2"], ["e3", "e4"], []]


def test_a_report_that_could_not_be_kept_takes_no_event_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with PartsBox(tmp_path) as box:
        box.store.note_event("told later", None, "", box.clock.now_s())
        real = box.store.database.transaction

        def full(**given: Any) -> Any:
            raise StorageFull("no room")

        monkeypatch.setattr(box.store.database, "transaction", full)
        with pytest.raises(StorageFull):
            Reports(box.parts, 300.0).report()
        monkeypatch.setattr(box.store.database, "transaction", real)
        (report,) = made(box, 1)
        assert [event.kind for event in report.events] == ["told later"]
        assert to_seconds(report.period_start) == pytest.approx(box.parts.started_s, abs=1e-3)


def test_a_clock_that_was_set_back_gives_no_period_that_ends_before_it_begins(tmp_path: Path) -> None:
    with PartsBox(tmp_path) as box:
        made(box, 1)
        box.clock.set_by_s = -3600.0
        report = made(box, 1)[-1]
        assert report.period_start == report.period_end


def test_cameras_checks_and_what_waits_are_in_it_and_no_person_is(tmp_path: Path) -> None:
    with PartsBox(tmp_path) as box:
        box.recorded(NOON_S - 100, NOON_S)
        box.ring.note_gap(NOON_S - 30, NOON_S - 20, "stalled")
        box.ring.note_gap(NOON_S + 1, None, "refused")
        finish(box.store, "S1")
        box.clock.set_by_s = 10.0
        (report,) = made(box, 1)
        (camera,) = report.cameras
        assert (camera.camera_id, camera.state) == ("counter", CameraState.LIVE)
        assert [gap.why for gap in camera.gaps] == ["refused"] and camera.gaps[0].end is None  # of this period
        assert report.checks_by_verdict == {"mismatch": 1} and report.outbox_waiting == 2
        assert "33028119540321000X" not in report.model_dump_json()
        box.recorders.alive = False
        assert made(box, 1)[-1].cameras[0].state is CameraState.STOPPED


def test_reports_come_by_the_clock_and_once_more_at_the_end(tmp_path: Path) -> None:
    with PartsBox(tmp_path) as box:

        async def scene() -> None:
            stop = asyncio.Event()
            running = asyncio.create_task(Reports(box.parts, 4.0).run(stop))
            await asyncio.sleep(0.5)
            assert 1 <= len(queued(box)) <= 3
            stop.set()
            await running
            assert len(queued(box)) == 1

        asyncio.run(scene())
