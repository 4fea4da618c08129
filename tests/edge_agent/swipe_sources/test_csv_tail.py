"""A table that grows, is rotated, cut, written anew, or holds rows that are no swipes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from edge_agent.agent_clock import WallClock
from edge_agent.edge_config import CsvSourceConfig
from edge_agent.swipe_sources import csv_tail
from edge_agent.swipe_sources.csv_tail import CsvTail
from tests.edge_agent.swipe_sources.remembering_intake import BOX, RememberingIntake, fields, running, until

COLUMNS = ("psn_name", "setl_id", "psn_no", "terminal_id", "setl_time")
HEADER = ",".join(COLUMNS) + "\n"


def row(number: int, **changed: Any) -> str:
    given = fields(number, **changed)
    return ",".join(str(given[name]) for name in COLUMNS) + "\n"


class Tail:
    """A table, the box's folder beside it, and an intake."""

    def __init__(self, folder: Path) -> None:
        self.path, self.state_dir = folder / "swipes.csv", folder / "data" / "sources"
        self.intake = RememberingIntake()

    def source(self) -> CsvTail:
        return CsvTail(CsvSourceConfig(path=self.path, every_s=0.02), self.state_dir, BOX, WallClock())

    def add(self, text: str, encoding: str = "utf-8") -> None:
        with self.path.open("ab") as stream:
            stream.write(text.encode(encoding))

    @property
    def rejects(self) -> str:
        path = self.state_dir / "csv-rejected.txt"
        return path.read_text("utf-8") if path.exists() else ""

    async def read(self, *ids: str, source: CsvTail | None = None) -> None:
        """Run a source until exactly these were taken, in this order, since the test began."""
        async with running(source or self.source(), self.intake):
            await until(lambda: self.intake.ids == list(ids))


@pytest.fixture
def tail(tmp_path: Path) -> Tail:
    return Tail(tmp_path)


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def test_rows_are_handed_in_as_they_are_added_and_a_line_waits_for_its_end(tail: Tail) -> None:
    async def story() -> None:
        async with running(tail.source(), tail.intake):
            tail.add(HEADER + row(1) + row(2)[:-12])
            await until(lambda: tail.intake.ids == ["S0001"])
            await asyncio.sleep(0.1)
            assert tail.intake.ids == ["S0001"]
            tail.add(row(2)[-12:])
            await until(lambda: tail.intake.ids == ["S0001", "S0002"])

    run(story())
    assert {live for _, _, live in tail.intake.taken} == {False}


def test_a_row_under_the_id_of_a_bed_check_holds_up_none_behind_it(tail: Tail) -> None:
    tail.add(HEADER + row(1) + row(2, setl_id="bed-301-1") + row(3))
    run(tail.read("S0001", "S0003"))
    assert "line 3\tsetl_id: expected an id of its own" in tail.rejects


def test_a_table_that_comes_later_is_waited_for(tail: Tail) -> None:
    async def story() -> None:
        async with running(tail.source(), tail.intake):
            await asyncio.sleep(0.1)
            tail.add(HEADER[:20])
            await asyncio.sleep(0.1)
            tail.add(HEADER[20:] + row(1))
            await until(lambda: tail.intake.ids == ["S0001"])

    run(story())


def test_after_a_restart_reading_goes_on_where_it_stopped(tail: Tail) -> None:
    tail.add(HEADER + row(1) + row(2))
    run(tail.read("S0001", "S0002"))
    tail.add(row(3))
    run(tail.read("S0001", "S0002", "S0003"))
    assert [swipe_id for swipe_id, _, _ in tail.intake.taken] == ["S0001", "S0002", "S0003"]


def test_where_the_place_is_lost_rows_are_handed_in_again(tail: Tail) -> None:
    tail.add(HEADER + row(1))
    run(tail.read("S0001"))
    (tail.state_dir / "csv.json").write_text("{half")
    tail.add(row(2))
    run(tail.read("S0001", "S0002"))
    assert len(tail.intake.taken) == 3


@pytest.mark.parametrize("running_meanwhile", [True, False])
def test_the_unread_rows_of_a_rotated_table_come_before_those_of_the_new_one(
    tail: Tail, running_meanwhile: bool
) -> None:
    def rotate() -> None:
        tail.add(row(2) + row(3).rstrip())
        tail.path.rename(tail.path.with_name("swipes.csv.1"))
        tail.add(HEADER + row(4))

    async def story() -> None:
        async with running(tail.source(), tail.intake):
            await until(lambda: tail.intake.ids == ["S0001"])
            rotate()
            await until(lambda: tail.intake.ids == ["S0001", "S0002", "S0003", "S0004"])

    tail.add(HEADER + row(1))
    if running_meanwhile:
        run(story())
    else:
        run(tail.read("S0001"))
        rotate()
        run(tail.read("S0001", "S0002", "S0003", "S0004"))
    assert len(tail.intake.taken) == 4


def test_a_table_written_anew_is_read_from_its_beginning(tail: Tail) -> None:
    async def story() -> None:
        async with running(tail.source(), tail.intake):
            await until(lambda: len(tail.intake.ids) == 3)
            tail.path.write_text(HEADER + row(7))
            await until(lambda: tail.intake.ids[3:] == ["S0007"])
            tail.path.write_text(HEADER + "".join(row(n) for n in range(8, 20)))
            await until(lambda: len(tail.intake.ids) == 16)

    tail.add(HEADER + row(1) + row(2) + row(3))
    run(story())


def test_a_table_that_is_away_for_a_while_is_not_read_twice(tail: Tail) -> None:
    async def story() -> None:
        away = tail.path.parent / "unmounted" / "swipes.csv"
        away.parent.mkdir()
        async with running(tail.source(), tail.intake):
            await until(lambda: tail.intake.ids == ["S0001"])
            tail.path.rename(away)
            await asyncio.sleep(0.1)
            away.rename(tail.path)
            tail.add(row(2))
            await until(lambda: tail.intake.ids == ["S0001", "S0002"])
        assert len(tail.intake.taken) == 2

    tail.add(HEADER + row(1))
    run(story())


def test_bad_rows_are_listed_once_with_line_and_reason_and_the_others_go_on(
    tail: Tail, caplog: pytest.LogCaptureFixture
) -> None:
    tail.add(HEADER + row(1) + row(2, setl_time="9 o'clock") + row(3, terminal_id="T99") + row(1, psn_no="4"))
    tail.add('"' + row(4) + row(5, psn_no="33028100000000000002,李四,x,y") + "\n,,,,\n" + row(6))
    source = tail.source()
    with caplog.at_level(logging.DEBUG):
        run(tail.read("S0001", "S0006", source=source))
    assert source.rejected == 5
    lines = [line.split("\t")[1:] for line in tail.rejects.splitlines()]
    assert [place for place, _ in lines] == ["line 3", "line 4", "line 5", "line 6", "line 7"]
    expected = ["expected a time with seconds", "expected T01", "was used before", "quotation mark", "expected 5 cells"]
    assert all(why in said for why, (_, said) in zip(expected, lines, strict=True))
    told = tail.rejects + "".join(str(vars(record)) for record in caplog.records)
    assert "张三" not in told and "李四" not in told and "3302810000000000" not in told

    again = tail.source()
    tail.add(row(8))
    run(tail.read("S0001", "S0006", "S0008", source=again))
    assert again.rejected == 0


def test_a_full_disk_stops_at_the_row_and_goes_on_there(tail: Tail) -> None:
    async def story() -> None:
        async with running(tail.source(), tail.intake):
            await until(lambda: tail.intake.ids == ["S0001"])
            tail.intake.is_full = True
            tail.add(row(2) + row(3))
            await asyncio.sleep(0.2)
            tail.intake.is_full = False
            await until(lambda: tail.intake.ids == ["S0001", "S0002", "S0003"])

    tail.add(HEADER + row(1))
    run(story())
    assert len(tail.intake.taken) == 3


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
def test_the_encodings_spreadsheets_write_are_read(tail: Tail, encoding: str) -> None:
    tail.path.write_bytes((HEADER.replace("psn_name", "姓名") + row(1)).replace(",", ";").encode(encoding))
    run(tail.read("S0001"))


def test_a_header_that_is_not_one_is_told_once_and_read_again_when_it_is_put_right(
    tail: Tail, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        async with running(tail.source(), tail.intake):
            await asyncio.sleep(0.2)
            tail.path.write_text(HEADER + row(1))
            await until(lambda: tail.intake.ids == ["S0001"])

    tail.add("nr,person\n1,2\n")
    run(story())
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1 and "missing columns setl_id" in warnings[0]


def test_a_line_without_end_does_not_fill_the_memory(tail: Tail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_tail, "READ_BYTES", 4096)
    monkeypatch.setattr(csv_tail, "LINE_BYTES_MAX", 1024)
    tail.add(HEADER + row(1) + "x" * 9000 + "\n" + row(2))
    run(tail.read("S0001", "S0002"))
    assert "expected at most 1024 bytes" in tail.rejects


def test_the_list_of_rejects_stays_small(tail: Tail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_agent.swipe_sources.common.REJECTS_BYTES_MAX", 2000)
    tail.add(HEADER + "".join(row(n, setl_time="?") for n in range(100)) + row(1))
    run(tail.read("S0001"))
    sizes = [path.stat().st_size for path in tail.state_dir.glob("csv-rejected*")]
    assert len(sizes) == 2 and max(sizes) < 2300
