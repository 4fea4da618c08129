"""A replay refuses what it cannot play, and hands swipes in at their own times."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from edge_agent.agent.replay import ReplayedSwipes, run_replay
from edge_agent.agent_clock import Leg, ReplayClock
from edge_agent.edge_config import EdgeConfig
from renzheng.contracts import Swipe
from renzheng.errors import BadInput
from tests.edge_agent.agent.small_box import SmallBox, a_config
from tests.edge_agent.builders import NOON
from tests.edge_agent.numbered_video import write_video
from tests.edge_agent.outbox.builders import NOON_S, a_swipe


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return write_video(tmp_path / "20260501T120000+0800.mp4")


def refusal(config: EdgeConfig, recordings: dict[str, list[Path]], swipes: list[Swipe]) -> str:
    with pytest.raises(BadInput) as refused:
        run_replay(config, recordings, swipes, 10.0)
    assert not config.data_dir.exists() or list(config.data_dir.iterdir())
    return str(refused.value)


def test_what_cannot_be_replayed_is_named_before_anything_is_written(tmp_path: Path, recording: Path) -> None:
    config = a_config(tmp_path)
    swipes, counter = [a_swipe()], {"counter": [recording]}
    assert "--recordings: expected some of camera counter" in refusal(config, {}, swipes)
    assert "--recordings door=...: expected one of counter" in refusal(config, counter | {"door": [recording]}, swipes)
    assert "nowhere.mp4" in refusal(config, {"counter": [tmp_path / "nowhere.mp4"]}, swipes)
    told = refusal(config, counter, [a_swipe(terminal_id="T9")])
    assert told == "swipe S1, terminal_id: expected one of T01"


def test_a_data_folder_that_was_used_is_refused(tmp_path: Path, recording: Path) -> None:
    config = a_config(tmp_path)
    config.data_dir.mkdir()
    (config.data_dir / "agent.sqlite").touch()
    assert "expected an empty folder for a replay" in refusal(config, {"counter": [recording]}, [a_swipe()])


def test_a_replay_asks_no_server(tmp_path: Path, recording: Path) -> None:
    server = '[server]\nurl = "https://review.example.org"\n'
    config = a_config(tmp_path, more=server)
    config = config.model_copy(update={"references": config.references.model_copy(update={"source": "server"})})
    assert "references.source" in refusal(config, {"counter": [recording]}, [a_swipe()])


def test_each_swipe_comes_at_its_own_time_in_order(tmp_path: Path) -> None:
    config = a_config(tmp_path, terminal="clock_offset_s = 30")
    swipes = [a_swipe(f"S{n}", setl_time=NOON + timedelta(seconds=n - 30)) for n in (8, 2, 5)]
    clock = ReplayClock((Leg(NOON_S, 60.0),), 20.0, time.monotonic())
    taken: list[tuple[str, float]] = []

    class Intake:
        def take(self, swipe: Swipe, source: str, *, live: bool) -> Any:
            assert (source, live) == ("replay", True)
            taken.append((swipe.setl_id, clock.now_s()))

    asyncio.run(ReplayedSwipes(swipes, config, clock).run(Intake(), asyncio.Event()))  # type: ignore[arg-type]
    assert [name for name, _ in taken] == ["S2", "S5", "S8"]
    assert all(NOON_S + int(name[1]) <= at_s < NOON_S + int(name[1]) + 2.5 for name, at_s in taken)


def test_a_replay_that_is_stopped_does_not_wait_for_the_next_swipe(tmp_path: Path) -> None:
    clock = ReplayClock((Leg(NOON_S - 1e5, 2e5),), 1.0, time.monotonic())

    async def scene() -> None:
        stop = asyncio.Event()
        with SmallBox(tmp_path) as box:
            running = asyncio.create_task(ReplayedSwipes([a_swipe()], box.config, clock).run(box.checks, stop))
            await asyncio.sleep(0)
            stop.set()
            await asyncio.wait_for(running, 0.5)
            assert box.store.open_swipes() == []

    asyncio.run(scene())
