"""A box with one camera whose ring holds a day of real people, and the audit's view of the same recording."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from edge_agent import audit_counter
from edge_agent.agent_clock import Leg, ReplayClock
from edge_agent.edge_config import EdgeConfig, read_config
from edge_agent.live import vision_box
from edge_agent.live.jobs import SwipeJob
from edge_agent.live.vision_box import VisionBox, open_box
from renzheng.contracts import Swipe
from tests.edge_agent.ring.recording import record
from tests.edge_agent.scene_clip import START, START_S, Act, compose, light, middles
from tests.vision.remembering import remembering
from vision.pack import VisionPack

ACTS = (Act(), Act("bbt4"), Act(), Act("turned away"), Act("bbt4", spoil=light(0.02)), Act())
_, CROWD, _, TURNED, BLACK, EMPTY = middles(ACTS)
ENDS_S = START_S + sum(act.seconds for act in ACTS)


@dataclass(frozen=True)
class Day:
    """The recording, its ring and the photos; nothing in them is changed by a test."""

    video: Path
    ring: Path
    gallery: Path


@pytest.fixture(scope="session")
def day(tmp_path_factory: pytest.TempPathFactory, faces_dir: Path) -> Day:
    folder = tmp_path_factory.mktemp("live-day")
    video = compose(folder / "20260501T090000+0800.mp4", ACTS, faces_dir / "scenes")
    record(video, folder / "ring", START_S).close()
    for person in ("raj", "sheldon", "howard", "penny"):
        shutil.copytree(faces_dir / "bbt" / person, folder / "gallery" / person)
    return Day(video, folder / "ring", folder / "gallery")


CONFIG = """
fixmedins_code = "P33028100001"
data_dir = "data"
usual_minutes = {usual_minutes}
{more}
[[camera]]
id = "counter"
url = "file:none.mp4"
{camera}
[[terminal]]
id = "T1"
camera = "counter"
before_s = 3.0
after_s = 3.0
[references]
{references}
"""

MakeConfig = Callable[..., EdgeConfig]
MakeBox = Callable[..., VisionBox]


@pytest.fixture
def make_config(day: Day, tmp_path: Path) -> MakeConfig:
    """Writes ``edge.toml`` for a box whose ring holds the day."""

    def make(
        more: str = "", camera: str = "", references: str = f'gallery = "{day.gallery}"', usual_minutes: float = 0
    ) -> EdgeConfig:
        path = tmp_path / "edge.toml"
        text = CONFIG.format(more=more, camera=camera, references=references, usual_minutes=usual_minutes)
        path.write_text(text, encoding="utf-8")
        shutil.copytree(day.ring, tmp_path / "data" / "ring" / "counter", dirs_exist_ok=True)
        return read_config(path)

    return make


def clock_at(moment_s: float = ENDS_S) -> ReplayClock:
    """A clock that shows that moment now."""
    return ReplayClock((Leg(moment_s, 1e6),), 1.0, time.monotonic())


@pytest.fixture(scope="session")
def quick_pack(pack: VisionPack) -> VisionPack:
    """The real pack, which looks at each picture once however many tests show it."""
    return remembering(pack)


@pytest.fixture
def make_box(make_config: MakeConfig, quick_pack: VisionPack, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeBox]:
    """Opens the box of a configuration at the end of the day."""
    opened: list[VisionBox] = []
    for module in (vision_box, audit_counter):
        monkeypatch.setattr(module, "open_pack", lambda _name: quick_pack)

    def make(**given: Any) -> VisionBox:
        opened.append(open_box(make_config(**given), clock_at()))
        return opened[-1]

    yield make
    for box in opened:
        box.close()


def swipe_job(psn_no: str, second: float, swipe_id: str = "S1", **given: Any) -> SwipeJob:
    """A final job for a swipe so many seconds into the day."""
    swipe = Swipe(
        setl_id=swipe_id, psn_no=psn_no, fixmedins_code="P33028100001", terminal_id="T1",
        setl_time=START + timedelta(seconds=second),
    )  # fmt: skip
    return SwipeJob(f"job-{swipe_id}", swipe, **({"final": True} | given))
