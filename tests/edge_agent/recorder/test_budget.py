"""What a ring deletes, and what it never does."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from edge_agent.recorder import budget
from edge_agent.recorder.budget import Freed, keep_inside
from edge_agent.ring.index import Segment, SegmentIndex
from tests.edge_agent.numbered_video import START_S, within


@pytest.fixture
def index(tmp_path: Path) -> Iterator[SegmentIndex]:
    with SegmentIndex(tmp_path / "ring") as opened:
        yield opened


def add(index: SegmentIndex, start_s: float, *, epoch: int = 0, finish: bool = True) -> Segment:
    """A segment of 4 s and 1000 bytes that begins so many seconds after the start."""
    segment = index.begin(
        start_s=START_S + start_s, epoch=epoch, codec="h264", coded_wh=(2, 2), time_base=Fraction(1, 90_000),
        origin_pts=0, frame_s=0.04,
    )  # fmt: skip
    (index.folder / segment.name).write_bytes(b"x" * 1000)
    index.extend(segment.id, START_S + start_s + 4, 1000, 100)
    if finish:
        index.finish(segment.id)
    return segment


def keep(index: SegmentIndex, **given: Any) -> Freed:
    values: dict[str, Any] = {
        "max_bytes": 1 << 40, "max_age_s": 1e6, "min_free_bytes": 0, "now_s": START_S + 40
    }  # fmt: skip
    return keep_inside(index, index.folder, **(values | given))


def left(index: SegmentIndex) -> list[float]:
    rows = [segment.start_s - START_S for segment in index.segments()]
    assert len(rows) == len(list(index.folder.glob("*.mp4")))
    return rows


def test_the_oldest_go_until_the_ring_fits(index: SegmentIndex) -> None:
    for number in range(10):
        add(index, 4.0 * number)
    assert keep(index, max_bytes=10_000) == Freed()
    assert keep(index, max_bytes=6_500) == Freed(4, 4000)
    assert left(index) == [16, 20, 24, 28, 32, 36]


def test_what_is_too_old_goes(index: SegmentIndex) -> None:
    for number in range(10):
        add(index, 4.0 * number)
    assert keep(index, max_age_s=20).count == 4
    assert left(index) == [16, 20, 24, 28, 32, 36]


def test_pinned_and_open_segments_stay_whatever_the_bounds(index: SegmentIndex) -> None:
    for number in range(5):
        add(index, 4.0 * number)
    add(index, 20, finish=False)
    index.pin("S1", within(5, 6))
    freed = keep(index, max_bytes=1, max_age_s=0.1, now_s=START_S + 1e6, force=True)
    assert freed == Freed(4, 4000, blocked_by_pins=True)
    assert left(index) == [4, 20]


def test_the_ring_gives_way_when_the_disk_has_too_little_room(
    index: SegmentIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        add(index, 4.0 * number)
    monkeypatch.setattr(budget, "free_bytes", lambda folder: 10_000 - 1000 * len(list(folder.glob("*.mp4"))))
    assert keep(index, min_free_bytes=7_000) == Freed(2, 2000)
    assert left(index) == [8, 12, 16]


def test_a_failed_write_makes_room_even_inside_all_bounds(index: SegmentIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "FORCED_BYTES", 2_500)
    for number in range(5):
        add(index, 4.0 * number)
    assert keep(index, force=True) == Freed(3, 3000)
    assert keep(index) == Freed()


def test_a_clock_that_leaps_ahead_does_not_empty_the_ring(index: SegmentIndex) -> None:
    year_s = 365 * 86400.0
    for number in range(3):
        add(index, 4.0 * number)
    assert keep(index, max_age_s=100, now_s=START_S + year_s, epoch=1).count == 0
    add(index, year_s, epoch=1)
    assert keep(index, max_age_s=100, now_s=START_S + year_s + 4, epoch=1).count == 0
    assert keep(index, max_age_s=100, now_s=START_S + year_s + 102, epoch=1).count == 3
    assert left(index) == [year_s]


def test_gaps_go_with_the_footage_around_them(index: SegmentIndex) -> None:
    index.note_gap(START_S + 4, START_S + 8, "stalled")
    index.note_gap(START_S + 12, START_S + 16, "stalled")
    for start_s in (0.0, 8.0, 16.0):
        add(index, start_s)
    keep(index, max_bytes=2000)
    assert [gap.start_s - START_S for gap in index.gaps(within(0, 100))] == [12]


def test_one_call_deletes_a_bounded_number(index: SegmentIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "MOST_AT_ONCE", 2)
    for number in range(5):
        add(index, 4.0 * number)
    assert keep(index, max_bytes=0) == Freed(2, 2000)
    assert keep(index, max_bytes=0) == Freed(2, 2000)


def test_a_file_that_went_by_itself_is_forgotten_like_the_others(index: SegmentIndex) -> None:
    (index.folder / add(index, 0).name).unlink()
    add(index, 4)
    assert keep(index, max_bytes=1000).count == 1
    assert left(index) == [4]
