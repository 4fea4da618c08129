"""The vision process as a real process: it answers, it is killed, it hangs, it outlives nobody."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from edge_agent.edge_config import EdgeConfig
from edge_agent.live import vision_process
from edge_agent.live.jobs import CheckDone, GlanceDone, GlanceJob, JobFailed
from edge_agent.live.vision_process import VisionDied, VisionProcess
from renzheng.contracts import Verdict
from tests.edge_agent.live.conftest import CROWD, MakeConfig, clock_at, swipe_job

LIMIT_S = 60.0


@asynccontextmanager
async def running(config: EdgeConfig) -> AsyncIterator[VisionProcess]:
    vision = VisionProcess(config, clock_at())
    try:
        yield vision
    finally:
        await vision.stop(10.0)


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vision_process, "FIRST_WAIT_S", 0.05)


def test_jobs_are_answered_and_failures_are_answers_too(make_config: MakeConfig) -> None:
    async def scene() -> None:
        async with running(make_config()) as vision:
            await vision.start()
            assert vision.ready and vision.restarts == 0
            checked, glanced, failed = await asyncio.gather(
                vision.ask(swipe_job("unknown", CROWD), LIMIT_S),
                vision.ask(GlanceJob("g", "counter"), LIMIT_S),
                vision.ask(GlanceJob("h", "nowhere"), LIMIT_S),
            )
            assert isinstance(checked, CheckDone) and checked.check.verdict is Verdict.NOT_ENROLLED
            assert isinstance(glanced, GlanceDone) and glanced.job_id == "g"
            assert isinstance(failed, JobFailed) and not failed.storage_full

    asyncio.run(scene())


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_process_that_is_killed_or_hangs_is_told_and_started_anew(make_config: MakeConfig, how: int) -> None:
    async def scene() -> None:
        async with running(make_config()) as vision:
            await vision.start()
            first = vision.pid
            assert first is not None
            os.kill(first, signal.SIGSTOP)
            asking = asyncio.create_task(
                vision.ask(swipe_job("unknown", CROWD), 1.0 if how == signal.SIGSTOP else LIMIT_S)
            )
            await asyncio.sleep(0.1)
            os.kill(first, how)
            with pytest.raises(VisionDied):
                await asking
            assert not psutil.pid_exists(first)
            again = await vision.ask(swipe_job("unknown", CROWD), LIMIT_S)
            assert isinstance(again, CheckDone)
            assert vision.restarts == 1 and vision.pid != first

    asyncio.run(scene())


def test_signals_for_the_whole_box_are_left_to_the_agent(make_config: MakeConfig) -> None:
    async def scene() -> None:
        async with running(make_config()) as vision:
            await vision.start()
            assert vision.pid is not None
            for number in (signal.SIGTERM, signal.SIGINT):
                os.kill(vision.pid, number)
            assert isinstance(await vision.ask(swipe_job("unknown", CROWD), LIMIT_S), CheckDone)
            assert vision.restarts == 0

    asyncio.run(scene())


def test_what_keeps_it_from_starting_is_said(make_config: MakeConfig, tmp_path: Path) -> None:
    async def scene() -> None:
        config = make_config(camera='zones = "gone.toml"')
        async with running(config) as vision:
            with pytest.raises(VisionDied, match=r"gone\.toml"):
                await vision.start()
            assert "gone.toml" in vision.problem and not vision.ready
            (tmp_path / "gone.toml").write_text(
                '[[zone]]\nkind = "counter"\nname = "all"\npolygon = [[0, 0], [1, 0], [1, 1]]\n', encoding="utf-8"
            )
            assert isinstance(await vision.ask(swipe_job("unknown", CROWD), LIMIT_S), CheckDone)
            assert vision.ready

    asyncio.run(scene())


def test_stopping_before_the_start_and_after_a_crash_ends_and_takes_no_more_jobs(make_config: MakeConfig) -> None:
    async def scene() -> None:
        never = VisionProcess(make_config(), clock_at())
        await never.stop(1.0)
        with pytest.raises(VisionDied, match="stopped"):
            await never.start()
        crashed = VisionProcess(make_config(), clock_at())
        await crashed.start()
        assert crashed.pid is not None
        os.kill(crashed.pid, signal.SIGKILL)
        await crashed.stop(5.0)
        await crashed.stop(5.0)
        with pytest.raises(VisionDied, match="stopped"):
            await crashed.ask(swipe_job("unknown", CROWD), LIMIT_S)

    asyncio.run(scene())


def test_stopping_lets_the_job_in_hand_end(make_config: MakeConfig) -> None:
    async def scene() -> None:
        vision = VisionProcess(make_config(), clock_at())
        await vision.start()
        pid = vision.pid
        assert pid is not None
        asking = asyncio.create_task(vision.ask(swipe_job("unknown", CROWD), LIMIT_S))
        await asyncio.sleep(0)
        await vision.stop(30.0)
        assert isinstance(await asking, CheckDone)
        assert not psutil.pid_exists(pid)

    asyncio.run(scene())


AGENT = """
import asyncio, sys, time
from pathlib import Path
from edge_agent.edge_config import read_config
from edge_agent.agent_clock import WallClock
from edge_agent.live.vision_process import VisionProcess

async def main():
    vision = VisionProcess(read_config(Path(sys.argv[1])), WallClock())
    await vision.start()
    print(vision.pid, flush=True)
    time.sleep(600)

if __name__ == "__main__":
    asyncio.run(main())
"""


def test_it_dies_with_the_agent(make_config: MakeConfig, tmp_path: Path) -> None:
    make_config()
    script = tmp_path / "agent.py"
    script.write_text(AGENT, encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "edge.toml")],
        stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
    ) as agent:  # fmt: skip
        assert agent.stdout is not None
        pid = int(agent.stdout.readline())
        assert psutil.pid_exists(pid)
        agent.kill()
    ends = time.monotonic() + 10
    while psutil.pid_exists(pid) and time.monotonic() < ends:
        time.sleep(0.05)
    assert not psutil.pid_exists(pid)
