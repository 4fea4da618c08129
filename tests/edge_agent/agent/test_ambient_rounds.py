"""Glances at cameras: in turns, one at a time, kept as footfall."""

from __future__ import annotations

import asyncio
from pathlib import Path

from edge_agent.agent.ambient_rounds import AmbientRounds
from edge_agent.edge_config import CameraConfig
from edge_agent.live.jobs import JobFailed
from tests.edge_agent.agent.small_box import SmallBox, wait_for


def cameras(*every_s: float) -> tuple[CameraConfig, ...]:
    return tuple(
        CameraConfig(id=f"c{number}", url="file:a.mp4", ambient_every_s=each) for number, each in enumerate(every_s)
    )


def test_cameras_take_turns_and_one_without_a_pace_is_left_alone(tmp_path: Path) -> None:
    with SmallBox(tmp_path) as box:
        rounds = AmbientRounds(cameras(2.0, 0.0, 2.0), box.clock, box.store, box.dispatcher)
        asyncio.run(box.work(lambda: len(box.vision.asked) >= 6, rounds.run))
        asked = [job.camera_id for job in box.vision.asked]  # type: ignore[union-attr]
        assert asked[:4] == ["c0", "c2", "c0", "c2"]
        assert box.store.footfall("c0", 0.0)[0].visits >= 2
        assert set(box.store.fitness()) == {"c0", "c2"}


def test_a_glance_that_failed_is_no_reason_to_look_less_often(tmp_path: Path) -> None:
    with SmallBox(tmp_path, *[JobFailed("g", "no picture yet")] * 3) as box:
        rounds = AmbientRounds(cameras(1.0), box.clock, box.store, box.dispatcher)
        asyncio.run(box.work(lambda: box.store.fitness(), rounds.run))
        assert len(box.vision.asked) >= 4


def test_a_slow_vision_process_is_not_asked_for_what_it_missed(tmp_path: Path) -> None:
    async def slow(job: object) -> JobFailed:
        await asyncio.sleep(0.5)  # ten seconds on the box's clock
        return JobFailed("g", "slow")

    with SmallBox(tmp_path, slow) as box:
        rounds = AmbientRounds(cameras(1.0), box.clock, box.store, box.dispatcher)

        async def a_little_later(stop: asyncio.Event) -> None:
            await wait_for(lambda: len(box.vision.asked) == 2)
            await asyncio.sleep(0.1)
            assert len(box.vision.asked) < 8
            await stop.wait()

        asyncio.run(box.work(lambda: len(box.vision.asked) >= 4, rounds.run, a_little_later))


def test_a_box_whose_cameras_are_all_without_a_pace_is_done(tmp_path: Path) -> None:
    with SmallBox(tmp_path) as box:
        rounds = AmbientRounds(cameras(0.0), box.clock, box.store, box.dispatcher)
        asyncio.run(asyncio.wait_for(rounds.run(asyncio.Event()), 1.0))
