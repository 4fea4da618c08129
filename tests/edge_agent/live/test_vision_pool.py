"""Several vision processes: each has its cameras, and one that is down holds up no other."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from edge_agent.edge_config import EdgeConfig, read_config
from edge_agent.live import vision_pool
from edge_agent.live.jobs import AheadJob, BedJob, GlanceJob, Job, SnapshotJob, SwipeJob
from edge_agent.live.vision_pool import Shares, VisionPool, vision_processes
from edge_agent.live.vision_process import VisionDied, VisionProcess
from renzheng.clock import from_seconds
from renzheng.contracts import RoundKind, Swipe
from tests.edge_agent.live.conftest import clock_at

CAMERAS = """
fixmedins_code = "P33028100001"
data_dir = "data"
{more}

[references]
gallery = "gallery"
"""
CAMERA = """
[[camera]]
id = "c{number}"
url = "file:c.mp4"

[[terminal]]
id = "t{number}"
camera = "c{number}"
"""


def a_config(folder: Path, cameras: int, more: str = "[vision]\nworkers = 2") -> EdgeConfig:
    path = folder / "edge.toml"
    text = CAMERAS.format(more=more) + "".join(CAMERA.format(number=number) for number in range(cameras))
    path.write_text(text, encoding="utf-8")
    return read_config(path)


def swipe_at(terminal: str) -> Swipe:
    return Swipe(
        setl_id="S1", psn_no="P1", fixmedins_code="P33028100001", terminal_id=terminal, setl_time=from_seconds(0.0)
    )


class Process:
    """Stands in for a vision process."""

    def __init__(self, name: str, *, ready: bool = True, restarts: int = 0, problem: str = "") -> None:
        self.name, self.ready, self.restarts, self.problem = name, ready, restarts, problem
        self.done: list[str] = []

    async def start(self) -> None:
        self.done.append("started")
        if self.problem:
            raise VisionDied(self.problem)

    async def stop(self, _deadline_s: float) -> None:
        self.done.append("stopped")


def pool_of(*processes: Process) -> VisionPool:
    return VisionPool(processes)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def many_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vision_pool.os, "cpu_count", lambda: 8)


def names(made: tuple[VisionProcess, ...]) -> list[tuple[str, tuple[str, ...]]]:
    asyncio.run(VisionPool(made).stop(1.0))
    return [(process.name, process.cameras) for process in made]


def test_cameras_are_dealt_out_in_turn(tmp_path: Path) -> None:
    made = vision_processes(a_config(tmp_path, 5), clock_at())
    assert names(made) == [("vision 1", ("c0", "c2", "c4")), ("vision 2", ("c1", "c3"))]


@pytest.mark.parametrize(("cameras", "more"), [(1, ""), (1, "[vision]\nworkers = 4"), (3, "[vision]\nworkers = 1")])
def test_one_camera_or_one_worker_is_one_process(tmp_path: Path, cameras: int, more: str) -> None:
    made = vision_processes(a_config(tmp_path, cameras, more), clock_at())
    assert names(made) == [("vision", tuple(f"c{number}" for number in range(cameras)))]


def test_no_more_are_started_than_there_are_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vision_pool.os, "cpu_count", lambda: 1)
    assert len(names(vision_processes(a_config(tmp_path, 3), clock_at()))) == 1


class Bed:
    bed_id, camera_id = "3-1", "c1"


class Ward:
    beds = (Bed,)


JOBS: list[tuple[Job, int]] = [
    (GlanceJob("g", "c0"), 0),
    (SnapshotJob("s", "c1"), 1),
    (SwipeJob("S1", swipe_at("t2"), final=True), 0),
    (AheadJob("ahead-S1", swipe_at("t1")), 1),
    (BedJob("b", "b", "3-1", RoundKind.SURPRISE, 0.0), 1),
    (GlanceJob("g", "gone"), 0),
    (BedJob("b", "b", "gone", RoundKind.SURPRISE, 0.0), 0),
    (SwipeJob("S1", swipe_at("gone"), final=True), 0),
]


@pytest.mark.parametrize(("job", "number"), JOBS)
def test_a_job_goes_to_the_process_that_has_its_camera(tmp_path: Path, job: Job, number: int) -> None:
    assert Shares(a_config(tmp_path, 3), Ward()).of(job) == number  # type: ignore[arg-type]


def test_a_pool_is_ready_when_all_are_and_down_when_one_that_was_there_is_not() -> None:
    starting = pool_of(Process("vision 1"), Process("vision 2", ready=False))
    assert (starting.ready, starting.down, starting.problem) == (False, False, "")
    died = pool_of(Process("vision 1", restarts=3), Process("vision 2", ready=False, restarts=1))
    assert (died.ready, died.down) == (False, True)
    assert died.restarts == {"vision 1": 3, "vision 2": 1}
    cannot = pool_of(Process("vision 1"), Process("vision 2", ready=False, problem="no pack"))
    assert (cannot.ready, cannot.down, cannot.problem) == (False, True, "no pack")
    assert pool_of(Process("vision 1", restarts=1), Process("vision 2")).ready


def test_one_that_cannot_start_keeps_no_other_from_it() -> None:
    processes = Process("vision 1", problem="no pack"), Process("vision 2")

    async def scene() -> None:
        pool = pool_of(*processes)
        with pytest.raises(VisionDied, match="no pack"):
            await pool.start()
        await pool.stop(1.0)

    asyncio.run(scene())
    assert [process.done for process in processes] == [["started", "stopped"]] * 2
