"""Files that a terminal drops, one a swipe."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edge_agent.edge_config import FolderSourceConfig
from edge_agent.swipe_sources import folder_drop
from edge_agent.swipe_sources.folder_drop import FolderDrop
from tests.edge_agent.swipe_sources.remembering_intake import BOX, RememberingIntake, fields, running, until

ROWS = "setl_id,psn_no,terminal_id,setl_time\n"


def row(number: int) -> str:
    given = fields(number)
    return f"{given['setl_id']},{given['psn_no']},{given['terminal_id']},{given['setl_time']}\n"


@dataclass
class FastClock:
    """A hundred times as fast, so that patience is short; ``ahead_s`` sets its time of day."""

    ahead_s: float = 0.0

    def now_s(self) -> float:
        return time.time() + self.ahead_s

    def steady_s(self) -> float:
        return time.monotonic() * 100

    def real_s(self, agent_s: float) -> float:
        return agent_s / 100


class Drop:
    """A folder, its source and an intake."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock, self.intake = folder, FastClock(), RememberingIntake()
        self.source = FolderDrop(FolderSourceConfig(path=folder, every_s=0.02), BOX, self.clock)

    def put(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def names(self, inside: str = ".") -> list[str]:
        folder = self.folder / inside
        return sorted(path.name for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []

    def why(self, name: str) -> str:
        return (self.folder / "rejected" / f"{name}.why.txt").read_text("utf-8")


@pytest.fixture
def drop(tmp_path: Path) -> Drop:
    return Drop(tmp_path)


def run(drop: Drop, condition: Any) -> None:
    async def story() -> None:
        async with running(drop.source, drop.intake):
            await until(condition)

    asyncio.run(story())


def do(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def test_a_json_file_and_a_table_are_taken_and_moved_to_done(drop: Drop) -> None:
    drop.put("one.json", json.dumps(fields(1)))
    drop.put("two.csv", ROWS + row(2) + row(3))
    drop.put("three", json.dumps(fields(4), ensure_ascii=False).encode("gb18030"))
    run(drop, lambda: len(drop.names("done")) == 3)
    assert sorted(drop.intake.ids) == ["S0001", "S0002", "S0003", "S0004"]
    assert drop.names() == []
    assert {live for _, _, live in drop.intake.taken} == {False}
    assert (drop.folder / "done").stat().st_mode & 0o077 == 0


def test_a_file_that_still_grows_is_waited_for(drop: Drop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_drop, "PATIENCE_S", 1e6)

    async def story() -> None:
        text = json.dumps(fields(1))
        async with running(drop.source, drop.intake):
            drop.put("one.json", text[:30])
            drop.put("two.csv", ROWS + row(2)[:-3])
            await asyncio.sleep(0.3)
            assert drop.intake.ids == [] and drop.names("rejected") == []
            drop.put("one.json", text)
            drop.put("two.csv", ROWS + row(2))
            await until(lambda: len(drop.names("done")) == 2)

    do(story())
    assert sorted(drop.intake.ids) == ["S0001", "S0002"]


def test_a_table_whose_last_line_never_ends_is_taken_after_a_while(drop: Drop) -> None:
    drop.put("two.csv", (ROWS + row(2)).rstrip())
    run(drop, lambda: drop.names("done") == ["two.csv"])
    assert drop.intake.ids == ["S0002"]


@pytest.mark.parametrize("name", [".one.json", "one.json.tmp", "one.part", "one.FILEPART"])
def test_files_that_are_being_written_by_their_name_are_left_alone(drop: Drop, name: str) -> None:
    drop.put(name, json.dumps(fields(1)))
    drop.put("two.json", json.dumps(fields(2)))
    run(drop, lambda: drop.names("done") == ["two.json"])
    assert drop.intake.ids == ["S0002"] and drop.names() == [name]


def test_what_is_no_swipe_is_put_aside_with_the_reason_and_never_tried_again(drop: Drop) -> None:
    drop.put("half.json", '{"setl_id": ')
    drop.put("empty.json", "")
    drop.put("header.csv", ROWS)
    drop.put("mixed.csv", ROWS + row(1) + "S9,,T01,2026-05-01 09:00:00\n")
    drop.put("unknown.json", json.dumps(fields(2, terminal_id="T99")))
    drop.put("large.json", b"{" + b" " * 2**20 + b"}")
    drop.put("picture.jpg", b"\xff\xd8\xff\xe0\x00\x10JFIF\x80\x81")
    run(drop, lambda: len(drop.names("rejected")) == 14)
    assert drop.intake.ids == ["S0001"]
    assert drop.source.rejected == 7
    assert "expected JSON" in drop.why("half.json")
    assert "empty" in drop.why("empty.json")
    assert "no rows" in drop.why("header.csv")
    assert drop.why("mixed.csv") == "line 3: psn_no: expected a value\n"
    assert "expected T01" in drop.why("unknown.json")
    assert "expected at most 1048576 bytes" in drop.why("large.json")


def test_the_same_name_again_overwrites_nothing(drop: Drop) -> None:
    async def story() -> None:
        async with running(drop.source, drop.intake):
            for number in range(1, 4):
                drop.put("swipe.json", json.dumps(fields(number)))
                await until(lambda count=number: len(drop.names("done")) == count)  # type: ignore[misc]

    do(story())
    assert drop.names("done") == ["swipe-2.json", "swipe-3.json", "swipe.json"]
    kept = [json.loads((drop.folder / "done" / name).read_bytes())["setl_id"] for name in drop.names("done")]
    assert kept == ["S0002", "S0003", "S0001"]


def test_a_full_disk_leaves_the_file_where_it_is_until_there_is_room(drop: Drop) -> None:
    async def story() -> None:
        drop.intake.is_full = True
        drop.put("one.json", json.dumps(fields(1)))
        async with running(drop.source, drop.intake):
            await asyncio.sleep(0.3)
            assert drop.names() == ["one.json"]
            drop.intake.is_full = False
            await until(lambda: drop.names("done") == ["one.json"])

    do(story())
    assert drop.intake.ids == ["S0001"]


def test_a_swipe_that_was_taken_before_a_crash_is_taken_again_without_harm(drop: Drop) -> None:
    drop.put("one.json", json.dumps(fields(1)))
    run(drop, lambda: drop.names("done") == ["one.json"])
    drop.put("again.json", json.dumps(fields(1)))
    run(drop, lambda: len(drop.names("done")) == 2)
    assert len(drop.intake.taken) == 2 and drop.names("rejected") == []


def test_another_swipe_under_a_known_number_is_put_aside(drop: Drop) -> None:
    drop.put("one.json", json.dumps(fields(1)))
    run(drop, lambda: drop.names("done") == ["one.json"])
    drop.put("other.json", json.dumps(fields(1, psn_no="4")))
    run(drop, lambda: "other.json" in drop.names("rejected"))
    assert "was used before" in drop.why("other.json")


def test_done_files_are_removed_after_a_week_and_rejected_ones_are_not(drop: Drop) -> None:
    drop.put("one.json", json.dumps(fields(1)))
    drop.put("bad.json", "{}")
    run(drop, lambda: drop.names("done") == ["one.json"] and "bad.json" in drop.names("rejected"))
    drop.clock.ahead_s = folder_drop.DONE_KEPT_S + 60
    run(drop, lambda: drop.names("done") == [])
    assert "bad.json" in drop.names("rejected")


def test_a_folder_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    drop = Drop(tmp_path / "later")

    async def story() -> None:
        async with running(drop.source, drop.intake):
            await asyncio.sleep(0.1)
            drop.folder.mkdir()
            drop.put("one.json", json.dumps(fields(1)))
            await until(lambda: drop.names("done") == ["one.json"])

    do(story())


def test_a_file_that_cannot_be_moved_away_is_told_once_and_taken_once(
    drop: Drop, caplog: pytest.LogCaptureFixture
) -> None:
    (drop.folder / "done").symlink_to(drop.folder / "nowhere")
    drop.put("one.json", json.dumps(fields(1)))

    async def story() -> None:
        async with running(drop.source, drop.intake):
            await until(lambda: drop.intake.ids == ["S0001"])
            await asyncio.sleep(0.2)

    do(story())
    assert len(drop.intake.taken) == 1
    assert [record.message for record in caplog.records] == ["a file cannot be moved away"]
