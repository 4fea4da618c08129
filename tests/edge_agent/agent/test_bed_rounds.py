"""Bed checks of a box: drawn once a day, made when their window is over, and missed ones told."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from pathlib import Path

import pytest

from edge_agent.agent import bed_rounds
from edge_agent.agent.bed_rounds import FAILURES_MAX, BedRounds
from edge_agent.agent.dispatcher import TRIES
from edge_agent.live.jobs import BedJob, JobFailed
from edge_agent.live.vision_process import VisionDied
from edge_agent.outbox.store import Store
from edge_agent.ward.ward_file import read_ward
from renzheng.clock import SHANGHAI, to_seconds
from renzheng.contracts import RoundKind
from renzheng.errors import StorageFull
from tests.edge_agent.agent.small_box import HandClock, SmallBox, Step, wait_for
from tests.edge_agent.outbox.builders import NOON_S

WARD = """
admissions = "admissions.csv"
window_s = 4
late_after_s = 600

[rounds]
fixed = ["12:00"]
surprise = {{ rounds = 2, start = "13:00", end = "20:00" }}
{beds}
"""
BED = """
[[bed]]
id = "{bed}"
camera = "counter"
polygon = [[0.1, 0.{bed}], [0.5, 0.{bed}], [0.5, 0.{bed}8], [0.1, 0.{bed}8]]
head = "right"
"""
NOON_1 = "bed-P33028100001-20260501-fixed1-1"


class WardBox(SmallBox):
    """A small box with a ward of beds 1 and 2."""

    def __init__(self, folder: Path, *script: Step, beds: str = "12", clock: HandClock | None = None) -> None:
        super().__init__(folder, *script, clock=clock)
        (folder / "ward.toml").write_text(WARD.format(beds="".join(BED.format(bed=bed) for bed in beds)), "utf-8")
        (folder / "admissions.csv").write_text(
            "ipt_no,psn_no,adm_bed,begntime,endtime\nZ1,33028100000000000011,1,2026-04-30 10:00:00,\n", "utf-8"
        )
        self.asked_for: list[tuple[str, datetime]] = []
        ward = read_ward(folder / "ward.toml", ["counter"])
        rings = {"counter": self.ring}
        self.beds = BedRounds(self.config, ward, self.clock, self.store, self.dispatcher, rings, self, None)

    async def ensure(self, psn_no: str, at: datetime) -> None:
        """Templates that are brought."""
        self.asked_for.append((psn_no, at))

    def bed_jobs(self) -> list[BedJob]:
        return [job for job in self.vision.asked if isinstance(job, BedJob)]

    def made(self) -> list[str]:
        return [check.check_id for check in self.store.recent_checks(100)]

    def events(self) -> list[tuple[str, str]]:
        return [(numbered.event.kind, numbered.event.detail) for numbered in self.store.events_since()]


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bed_rounds, "RETRY_S", 1.0)


def test_a_day_is_drawn_once_and_its_windows_are_pinned_beforehand(tmp_path: Path) -> None:
    with WardBox(tmp_path) as box:
        box.beds.resume()
        planned = box.store.open_bed_checks()
        assert [(p.bed_id, p.round_kind) for p in planned[:2]] == [("1", RoundKind.FIXED), ("2", RoundKind.FIXED)]
        assert len(planned) == 6 and planned[0].due_s == NOON_S
        assert set(box.ring.pins()) == {p.check_id for p in planned}
        box.beds.resume()
        assert box.store.open_bed_checks() == planned
    with WardBox(tmp_path) as again:
        again.beds.resume()
        assert again.store.open_bed_checks() == planned  # not drawn a second time


def test_each_bed_is_looked_at_when_its_window_is_over(tmp_path: Path) -> None:
    with WardBox(tmp_path) as box:
        asyncio.run(box.work(lambda: len(box.made()) == 2, box.beds.run))
        assert box.clock.now_s() >= NOON_S + 4
        jobs = box.bed_jobs()
        assert [(job.bed_id, job.asked_s, job.give_up) for job in jobs] == [("1", NOON_S, False), ("2", NOON_S, False)]
        assert not set(box.ring.pins()) & set(box.made())
        assert [psn_no for psn_no, _ in box.asked_for] == ["33028100000000000011"]  # nobody lies in the other bed


def test_a_round_the_box_was_away_for_is_missed_told_of_and_not_looked_at(tmp_path: Path) -> None:
    with WardBox(tmp_path, clock=HandClock(start_s=NOON_S + 700)) as box:
        asyncio.run(box.work(lambda: len(box.events()) == 2, box.beds.run))
        assert box.bed_jobs() == [] and len(box.store.open_bed_checks()) == 4
        assert box.events()[0] == ("bed_check_missed", f"{NOON_1}: the box could not look in time")
        assert box.store.drops() == {"bed_check_missed": 2}
        assert len(box.ring.pins()) == 4


def test_a_bed_that_left_the_wards_file_is_missed(tmp_path: Path) -> None:
    with WardBox(tmp_path) as box:
        box.beds.resume()
    with WardBox(tmp_path, beds="2") as fewer:
        fewer.beds.resume()
        asyncio.run(fewer.work(lambda: fewer.made() and fewer.events(), fewer.beds.run))
        assert [job.bed_id for job in fewer.bed_jobs()] == ["2"]
        assert fewer.events() == [("bed_check_missed", f"{NOON_1}: the bed is no longer in the ward's file")]


def test_the_next_day_is_drawn_at_midnight_in_china(tmp_path: Path) -> None:
    late = to_seconds(datetime(2026, 5, 1, 23, 59, 50, tzinfo=SHANGHAI))
    with WardBox(tmp_path, clock=HandClock(start_s=late)) as box:
        asyncio.run(
            box.work(lambda: any("-20260502-" in p.check_id for p in box.store.open_bed_checks()), box.beds.run)
        )
        assert len(box.store.open_bed_checks()) == 6


def test_the_clock_set_back_over_midnight_makes_no_round_twice(tmp_path: Path) -> None:
    with WardBox(tmp_path) as box:
        asyncio.run(box.work(lambda: len(box.made()) == 2, box.beds.run))
        open_before = box.store.open_bed_checks()
        box.clock.set_by_s = -86_400.0
        box.beds.resume()
        box.clock.set_by_s = 0.0
        box.beds.resume()
        today = [p for p in box.store.open_bed_checks() if "-20260501-" in p.check_id]
        assert today == open_before and len(box.made()) == 2


def test_a_bed_over_which_the_vision_process_dies_again_and_again_is_given_up(tmp_path: Path) -> None:
    with WardBox(tmp_path, *[VisionDied("gone")] * TRIES * FAILURES_MAX, beds="1") as box:
        asyncio.run(box.work(box.made, box.beds.run))
        assert [job.give_up for job in box.bed_jobs()] == [False] * TRIES * FAILURES_MAX + [True]


def test_a_full_disk_is_waited_out(tmp_path: Path) -> None:
    full = [JobFailed("b", "no room", storage_full=True)] * (FAILURES_MAX + 1)
    with WardBox(tmp_path, *full, beds="1") as box:
        asyncio.run(box.work(box.made, box.beds.run))
        assert not any(job.give_up for job in box.bed_jobs())


def test_on_a_full_disk_a_day_is_planned_when_there_is_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, full = Store.plan_bed_checks, [1, 1]

    def plan(store: Store, *given: object, **more: object) -> int:
        if full:
            full.pop()
            raise StorageFull("no room")
        return real(store, *given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Store, "plan_bed_checks", plan)
    with WardBox(tmp_path, beds="1") as box:
        box.beds.resume()  # the start of the agent goes on
        asyncio.run(box.work(box.made, box.beds.run))


def test_stopping_does_not_wait_for_a_bed_that_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bed_rounds, "RETRY_S", 1e5)
    with WardBox(tmp_path, JobFailed("b", "odd"), beds="1") as box:

        async def scene() -> None:
            stop, end = asyncio.Event(), asyncio.Event()
            running = [asyncio.create_task(box.dispatcher.run(end)), asyncio.create_task(box.beds.run(stop))]
            await wait_for(box.bed_jobs, *running)
            await asyncio.sleep(0.05)
            began = time.monotonic()
            stop.set()
            await running[1]
            assert time.monotonic() - began < 2
            end.set()
            await running[0]

        asyncio.run(scene())
        assert box.store.open_bed_checks()[0].check_id == NOON_1  # for the next start
