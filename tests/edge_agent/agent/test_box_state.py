"""What pages and metrics are told of a box, and the events that housekeeping makes of it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from edge_agent.agent import box_state
from edge_agent.agent.housekeeping import HUNG_ROUNDS, Housekeeping, age_out_unknown_rings
from edge_agent.box.view import BoxState, Problem
from edge_agent.footage import TimeWindow
from edge_agent.live.jobs import GlanceDone, SnapshotDone
from edge_agent.ring.index import IndexUnusable, SegmentIndex
from renzheng.contracts import BedVerdict, CameraFitness, CameraState, Reason, Verdict
from tests.edge_agent.agent.small_box import HandClock
from tests.edge_agent.agent.whole_parts import PartsBox
from tests.edge_agent.builders import NOON
from tests.edge_agent.outbox.builders import NOON_S, done_bed, finish


def state_of(box: PartsBox) -> BoxState:
    async def now() -> BoxState:
        return box.view.state()

    return asyncio.run(now())


@pytest.fixture(autouse=True)
def always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(box_state, "STATE_KEPT_S", -1.0)


def test_a_healthy_box_has_no_problems_and_is_ready(tmp_path: Path) -> None:
    with PartsBox(tmp_path) as box:
        box.recorded(NOON_S - 100, NOON_S)
        state = state_of(box)
        assert state.problems == () and state.is_ready
        (camera,) = state.cameras
        assert (camera.state, camera.recorded_until_s) == (CameraState.LIVE, NOON_S)


def test_checks_that_wait_come_before_those_that_are_done_and_today_is_counted(tmp_path: Path) -> None:
    with PartsBox(tmp_path) as box:
        finish(box.store, "S1", now_s=NOON_S + 5)
        finish(box.store, "yesterday", Verdict.MATCH, now_s=NOON_S - 86_400)
        box.store.plan_bed_checks([("B1", "12", "night", NOON_S)])  # type: ignore[list-item]
        box.store.finish_bed(done_bed("B1"), "report", NOON_S + 6)
        box.checks.take(box.swipe("S2"), "http", live=True)
        state = state_of(box)
        assert [(check.check_id, check.kind, check.verdict) for check in state.recent] == [
            ("S2", "swipe", None),
            ("B1", "bed", BedVerdict.EMPTY),
            ("yesterday", "swipe", Verdict.MATCH),
            ("S1", "swipe", Verdict.MISMATCH),
        ]
        assert state.checks_today == {Verdict.MISMATCH: 1, BedVerdict.EMPTY: 1}
        assert state.queues == {"vision": 0, "swipes": 1}
        assert state.outbox.waiting["check"] == 3


def kinds(state: BoxState) -> list[tuple[Problem, str | None]]:
    return [(problem.kind, problem.where) for problem in state.problems]


def test_every_trouble_is_a_problem_and_says_whether_checks_are_still_made(tmp_path: Path) -> None:
    with PartsBox(tmp_path) as box:
        box.tell(CameraState.STALLED, last_error="nothing comes", disk_full=True)
        fitness = CameraFitness(measured_at=NOON, looks=1, faces=0, faults=(Reason.PICTURE_DARK,))
        box.store.add_glance(GlanceDone("g", "counter", NOON_S, 0, 0, fitness))
        state = state_of(box)
        assert kinds(state) == [
            (Problem.CAMERA_NOT_LIVE, "counter"), (Problem.RING_FULL, "counter"), (Problem.CAMERA_UNFIT, "counter")
        ]  # fmt: skip
        assert state.is_ready
        box.recorders.alive = False
        assert (Problem.RECORDER_RESTARTING, "counter") in kinds(state_of(box))
        assert state_of(box).cameras[0].state is CameraState.STOPPED
        box.vision.ready = False
        assert (Problem.STARTING, None) in kinds(state_of(box)) and not state_of(box).is_ready
        box.vision.problem = "no pack"
        assert (Problem.VISION_DOWN, None) in kinds(state_of(box)) and not state_of(box).is_ready
        box.vision.ready, box.checks.storage_full = True, True
        assert (Problem.STORAGE_FULL, None) in kinds(state_of(box)) and not state_of(box).is_ready
        box.checks.storage_full, box.view.stopping = False, True
        assert (Problem.STOPPING, None) in kinds(state_of(box)) and not state_of(box).is_ready


def test_a_ring_whose_index_cannot_be_read_hides_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with PartsBox(tmp_path) as box:

        def unusable(_: SegmentIndex) -> None:
            raise IndexUnusable("the index is busy")

        monkeypatch.setattr(SegmentIndex, "status", unusable)
        (camera,) = state_of(box).cameras
        assert (camera.state, camera.last_error) == (CameraState.STOPPED, "the index is busy")


def test_pages_that_come_close_together_share_one_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(box_state, "STATE_KEPT_S", 0.2)
    with PartsBox(tmp_path) as box:

        async def scene() -> None:
            first = box.view.state()
            assert box.view.state() is first
            await asyncio.sleep(0.3)
            assert box.view.state() is not first

        asyncio.run(scene())


def test_a_snapshot_is_asked_for_once_by_all_who_come_close_together(tmp_path: Path) -> None:
    with PartsBox(tmp_path) as box:
        box.vision.script.append(SnapshotDone("snapshot-counter", b"jpeg"))

        async def scene() -> None:
            working = asyncio.create_task(box.dispatcher.run(stop := asyncio.Event()))
            shown = await asyncio.gather(*(box.view.snapshot("counter") for _ in range(5)))
            assert shown == [b"jpeg"] * 5
            assert await box.view.snapshot("../counter") is None
            stop.set()
            await working

        asyncio.run(scene())
        assert len(box.vision.asked) == 1


def test_a_recorder_that_says_nothing_any_more_is_stalled_and_ended(tmp_path: Path) -> None:
    clock = HandClock()
    with PartsBox(tmp_path, clock=clock) as box:
        keeping = Housekeeping(box.parts, box.view)
        rounds(box, keeping)
        clock.set_by_s += 3600.0
        assert state_of(box).cameras[0].state is CameraState.STALLED
        rounds(box, keeping, HUNG_ROUNDS + 3)
        assert box.recorders.killed == ["counter"]


def test_the_ring_of_a_camera_that_is_no_longer_configured_ages_out(tmp_path: Path) -> None:
    with PartsBox(tmp_path) as box:
        former = box.folders.ring("former")
        with SegmentIndex(former) as index:
            index.pin("S1", TimeWindow(NOON_S, NOON_S + 10))
        age_out_unknown_rings(box.parts, NOON_S)
        assert former.is_dir()
        with SegmentIndex(former) as index:
            index.unpin("S1")
        age_out_unknown_rings(box.parts, NOON_S)
        assert not former.exists() and box.folders.ring("counter").is_dir()


# --- housekeeping ----------------------------------------------------------------------------------------------------


def events(box: PartsBox) -> list[tuple[str, str | None]]:
    return [(numbered.event.kind, numbered.event.camera_id) for numbered in box.store.events_since()]


def rounds(box: PartsBox, keeping: Housekeeping, times: int = 1) -> None:
    async def some() -> None:
        for number in range(times):
            keeping._round(number)

    asyncio.run(some())


def test_a_problem_is_an_event_when_it_begins_and_when_it_is_over(tmp_path: Path) -> None:
    with PartsBox(tmp_path) as box:
        keeping = Housekeeping(box.parts, box.view)
        rounds(box, keeping)
        assert events(box) == []
        box.tell(CameraState.STALLED)
        rounds(box, keeping, 3)
        box.tell(CameraState.LIVE)
        rounds(box, keeping, 2)
        assert events(box) == [("camera_not_live", "counter"), ("camera_not_live_over", "counter")]


def test_a_step_of_the_boxs_clock_is_an_event(tmp_path: Path) -> None:
    with PartsBox(tmp_path) as box:
        keeping = Housekeeping(box.parts, box.view)
        box.tell(clock_steps=2)
        rounds(box, keeping)  # steps from before the start were told then
        assert events(box) == []
        box.tell(clock_steps=3)
        rounds(box, keeping, 2)
        assert events(box) == [("clock_stepped", "counter")]


def test_sent_evidence_is_purged_now_and_then(tmp_path: Path) -> None:
    with PartsBox(tmp_path) as box:
        finish(box.store, "S1", now_s=NOON_S)
        items = [item for kind in ("check", "clip") for item in box.parts.outbox.lease(kind, 9, NOON_S, 60.0)]  # type: ignore[arg-type]
        box.parts.outbox.acknowledge([item.id for item in items], NOON_S)
        items = box.parts.outbox.lease("clip", 9, NOON_S, 60.0)
        box.parts.outbox.acknowledge([item.id for item in items], NOON_S)
        keeping = Housekeeping(box.parts, box.view)
        rounds(box, keeping)
        assert (box.folders.evidence / "S1" / "clip.mp4").is_file()
        box.clock.set_by_s = 25 * 3600.0
        rounds(box, keeping)
        assert not (box.folders.evidence / "S1").exists()


def test_housekeeping_ends_when_it_is_told_to(tmp_path: Path) -> None:
    with PartsBox(tmp_path) as box:

        async def scene() -> None:
            stop = asyncio.Event()
            running = asyncio.create_task(Housekeeping(box.parts, box.view).run(stop))
            await asyncio.sleep(0.05)
            began = time.monotonic()
            stop.set()
            await running
            assert time.monotonic() - began < 1

        asyncio.run(scene())
