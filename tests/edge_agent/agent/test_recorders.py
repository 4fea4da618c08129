"""The recorders of a box, as real processes: begun again when they die, ended in time."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from edge_agent.agent import recorders
from edge_agent.agent.recorders import Recorders
from edge_agent.agent_clock import WallClock
from edge_agent.edge_config import BoxFolders
from edge_agent.ring.index import SegmentIndex
from tests.edge_agent.agent.small_box import a_config, wait_for
from tests.edge_agent.numbered_video import Recipe, write_video, x264

CAMERA = "loop = true\nsegment_s = 1\nambient_every_s = 5"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorders, "LOOK_EVERY_S", 0.05)
    monkeypatch.setattr(recorders, "FIRST_PAUSE_S", 0.1)


@asynccontextmanager
async def recording(folder: Path) -> AsyncIterator[Recorders]:
    write_video(folder / "counter.mp4", Recipe(frames=50, options=x264(12)))
    config = a_config(folder, camera=CAMERA)
    camera = config.camera[0].model_copy(update={"url": f"file:{folder / 'counter.mp4'}"})
    config = config.model_copy(update={"camera": (camera,)})
    running, stop = Recorders(config, BoxFolders(config.data_dir), WallClock(), {}), asyncio.Event()
    task = asyncio.create_task(running.run(stop))
    try:
        yield running
    finally:
        stop.set()
        await task
        await running.stop(10.0)


def pid_of(folder: Path, not_pid: int | None = None) -> int | None:
    """The recorder that says it is live, when that is another than one that is known."""
    with SegmentIndex(folder / "data" / "ring" / "counter") as index:
        status = index.status()
    return status.pid if status and status.packets and status.pid != not_pid else None


def test_a_recorder_that_is_killed_is_begun_again_and_counted(tmp_path: Path) -> None:
    async def scene() -> None:
        async with recording(tmp_path) as running:
            await wait_for(lambda: pid_of(tmp_path), within_s=20)
            first = pid_of(tmp_path)
            assert first is not None and running.is_alive("counter")
            os.kill(first, signal.SIGKILL)
            await wait_for(lambda: pid_of(tmp_path, first), within_s=20)
            assert running.restarts == {"recorder counter": 1}
            second = pid_of(tmp_path, first)
        assert not running.is_alive("counter")
        assert second is not None and not psutil.pid_exists(second)

    asyncio.run(scene())
    with SegmentIndex(tmp_path / "data" / "ring" / "counter") as index:
        assert not any(segment.is_open for segment in index.segments())


def test_one_that_hangs_at_the_end_is_killed(tmp_path: Path) -> None:
    async def scene() -> None:
        async with recording(tmp_path) as running:
            await wait_for(lambda: pid_of(tmp_path), within_s=20)
            pid = pid_of(tmp_path)
            assert pid is not None
            os.kill(pid, signal.SIGSTOP)
            await running.stop(0.5)
            assert not running.is_alive("counter")

    asyncio.run(scene())
