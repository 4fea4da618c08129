"""The index of a ring."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from edge_agent.footage import TimeWindow
from edge_agent.ring.index import CameraStatus, Gap, IndexDamaged, Segment, SegmentIndex
from edge_agent.ring.segment import segment_name, told_by_name
from renzheng.contracts.report import CameraState
from tests.edge_agent.numbered_video import START_S, within
from tests.edge_agent.ring.recording import record


def begun(index: SegmentIndex, start_s: float, epoch: int = 0) -> Segment:
    return index.begin(
        start_s=start_s, epoch=epoch, codec="h264", coded_wh=(1920, 1080), time_base=Fraction(1, 90_000), origin_pts=0,
        frame_s=0.04,
    )  # fmt: skip


def whole(index: SegmentIndex, start_s: float, end_s: float, epoch: int = 0) -> Segment:
    """A finished segment with a file of 100 bytes."""
    segment = begun(index, start_s, epoch)
    (index.folder / segment.name).write_bytes(b"x" * 100)
    index.extend(segment.id, end_s, 100, 50, [(0, start_s)])
    index.finish(segment.id)
    return segment


def test_an_empty_index_knows_of_nothing(tmp_path: Path) -> None:
    with SegmentIndex(tmp_path / "ring") as index:
        assert index.covering(within(0, 10)) == []
        assert index.extent() is None
        assert index.recorded_until() is None
        assert index.newest_keyframe() is None
        assert index.newest_epoch() is None
        assert index.gaps(within(0, 10)) == []
        assert index.status() is None
        assert index.size_bytes() == 0
        assert index.oldest_unpinned() is None


def test_segments_are_found_by_time_and_the_open_one_as_far_as_it_was_told(tmp_path: Path) -> None:
    with SegmentIndex(tmp_path / "ring") as index:
        first = whole(index, START_S, START_S + 4)
        second = begun(index, START_S + 4)
        assert [s.id for s in index.covering(within(-5, 20))] == [first.id]
        index.extend(second.id, START_S + 5, 60, 25, [(7, START_S + 4)])
        found = index.covering(within(3.9, 4.1))
        assert [(s.id, s.is_open, s.end_s) for s in found] == [
            (first.id, False, START_S + 4), (second.id, True, START_S + 5)
        ]  # fmt: skip
        assert index.covering(within(5, 6)) == []
        assert index.recorded_until() == START_S + 5
        assert index.extent() == within(0, 5)
        assert index.size_bytes() == 160
        key = index.newest_keyframe()
        assert key is not None
        assert (key.segment.id, key.pts, key.time_s) == (second.id, 7, START_S + 4)


def test_another_process_sees_what_the_recorder_entered(tmp_path: Path) -> None:
    with SegmentIndex(tmp_path / "ring") as recorder, SegmentIndex(tmp_path / "ring") as reader:
        assert reader.recorded_until() is None
        whole(recorder, START_S, START_S + 4)
        assert reader.recorded_until() == START_S + 4


def test_recorded_until_follows_the_clock_that_was_set_back(tmp_path: Path) -> None:
    with SegmentIndex(tmp_path / "ring") as index:
        whole(index, START_S + 3600, START_S + 3604, epoch=0)
        whole(index, START_S, START_S + 4, epoch=1)
        assert index.recorded_until() == START_S + 4
        assert index.newest_epoch() == (1, START_S)


def test_a_pinned_segment_is_never_the_next_to_go(tmp_path: Path) -> None:
    with SegmentIndex(tmp_path / "ring") as index:
        segments = [whole(index, START_S + 4 * n, START_S + 4 * n + 4) for n in range(4)]
        open_one = begun(index, START_S + 16)
        index.pin("S1", within(1, 5))
        assert index.pins() == {"S1": within(1, 5)}
        assert index.oldest_unpinned() == next(s for s in index.segments() if s.id == segments[2].id)
        index.unpin("S1")
        index.unpin("S1")
        for segment in segments:
            oldest = index.oldest_unpinned()
            assert oldest is not None
            assert oldest.id == segment.id
            index.forget(segment.id)
        assert index.oldest_unpinned() is None
        assert [s.id for s in index.segments()] == [open_one.id]


def test_segments_that_begin_together_have_different_names(tmp_path: Path) -> None:
    with SegmentIndex(tmp_path / "ring") as index:
        names = [begun(index, START_S).name for _ in range(3)]
    assert len(set(names)) == 3
    assert {told_by_name(name) for name in names} == {(START_S, 0)}


@pytest.mark.parametrize("start_s", [START_S, START_S + 0.5, START_S + 0.999_999_9, START_S + 0.000_001])
def test_a_name_tells_start_and_epoch(start_s: float) -> None:
    told = told_by_name(segment_name(start_s, 7))
    assert told is not None
    assert told == (pytest.approx(start_s, abs=1.1e-6), 7)


@pytest.mark.parametrize("name", ["index.sqlite", "a.mp4", "20269901T010000Z-000000-e0.mp4", "20260501T010000Z.mp4"])
def test_other_names_tell_nothing(name: str) -> None:
    assert told_by_name(name) is None


def test_a_gap_lasts_until_it_is_ended_and_is_noted_once(tmp_path: Path) -> None:
    with SegmentIndex(tmp_path / "ring") as index:
        index.note_gap(START_S, None, "stalled")
        index.note_gap(START_S + 1, None, "waiting")
        assert index.gaps(within(5, 6)) == [Gap(START_S, None, "stalled")]
        index.end_gap(START_S + 8)
        index.end_gap(START_S + 9)
        index.note_gap(START_S + 20, START_S + 21, "disk full")
        assert index.gaps(within(0, 30)) == [
            Gap(START_S, START_S + 8, "stalled"), Gap(START_S + 20, START_S + 21, "disk full")
        ]  # fmt: skip
        assert index.gaps(within(8, 20)) == []
        index.forget_gaps_before(START_S + 10)
        assert [gap.why for gap in index.gaps(within(0, 30))] == ["disk full"]


def test_the_status_of_a_camera_comes_back_as_it_was(tmp_path: Path) -> None:
    status = CameraStatus(
        CameraState.LIVE, 1.0, 2.0, packets=7, last_packet_s=1.5, last_error="x", wh=(640, 480), disk_full=True, pid=3
    )
    with SegmentIndex(tmp_path / "ring") as index:
        index.write_status(CameraStatus(CameraState.CONNECTING, 0.0, 0.0))
        index.write_status(status)
        assert index.status() == status


def test_a_status_of_another_version_is_none(tmp_path: Path) -> None:
    with SegmentIndex(tmp_path / "ring") as index:
        index.write_status(CameraStatus(CameraState.LIVE, 0.0, 0.0))
        with sqlite3.connect(index.path) as db:
            db.execute('UPDATE status SET value = \'{"state": "asleep"}\'')
        db.close()
        assert index.status() is None


def test_the_index_needs_no_video_library_and_no_arrays() -> None:
    script = (
        "import sys, edge_agent.ring.index;"
        "assert not {'numpy', 'av', 'cv2', 'onnxruntime'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


# --- recovery ---------------------------------------------------------------------------------------------------------


def test_after_a_kill_the_open_segment_reaches_to_the_end_of_its_file(plain: Path, tmp_path: Path) -> None:
    index = record(plain, tmp_path / "ring", START_S, close=False)
    told_s = index.recorded_until()
    index.recover()
    rows = index.segments()
    index.close()
    assert told_s is not None
    assert not any(row.is_open for row in rows)
    assert rows[-1].end_s >= told_s
    assert rows[-1].end_s == pytest.approx(START_S + 9.56, abs=0.05)
    assert rows[-1].size_bytes == (tmp_path / "ring" / rows[-1].name).stat().st_size


def test_rows_without_a_file_and_files_that_cannot_be_read_go(plain: Path, tmp_path: Path) -> None:
    index = record(plain, tmp_path / "ring", START_S)
    names = [segment.name for segment in index.segments()]
    (tmp_path / "ring" / names[1]).unlink()
    junk = tmp_path / "ring" / segment_name(START_S + 100, 0)
    junk.write_bytes(b"\0" * 1000)
    begun(index, START_S + 50)
    index.recover()
    assert [segment.name for segment in index.segments()] == [names[0], *names[2:]]
    assert not junk.exists()
    index.close()


@pytest.mark.parametrize("damage", [b"no database at all " * 300, b""])
def test_a_damaged_index_is_moved_aside_and_made_anew_from_the_files(
    plain: Path, tmp_path: Path, damage: bytes
) -> None:
    index = record(plain, tmp_path / "ring", START_S)
    before = index.segments()
    index.close()
    index.path.write_bytes(damage)
    index.recover()
    after = sorted(index.segments(), key=lambda segment: segment.id)
    assert [s.name for s in after] == [s.name for s in before]
    for old, new in zip(before, after, strict=True):
        assert (new.origin_pts, new.time_base, new.codec, new.coded_wh) == (
            old.origin_pts, old.time_base, old.codec, old.coded_wh
        )  # fmt: skip
        assert new.start_s == pytest.approx(old.start_s, abs=2e-6)
        assert new.end_s == pytest.approx(old.end_s, abs=0.05)
        assert new.packets == old.packets
    assert damage == b"" or index.path.with_name("index.sqlite.damaged").exists()
    index.close()


def test_a_damaged_index_is_said_so_and_readers_find_the_new_one(plain: Path, tmp_path: Path) -> None:
    index = record(plain, tmp_path / "ring", START_S)
    index.close()
    with SegmentIndex(tmp_path / "ring") as reader:
        reader.pin("S1", within(0, 1))
        reader.close()
        index.path.write_bytes(b"no database at all " * 300)
        with pytest.raises(IndexDamaged, match=r"index\.sqlite"):
            reader.recorded_until()
        index.recover()
        assert reader.recorded_until() == pytest.approx(START_S + 9.6, abs=0.05)
        assert index.pins() == {"S1": TimeWindow(START_S, START_S + 1)}
    index.close()


def test_what_cannot_be_entered_at_the_start_is_entered_later(plain: Path, tmp_path: Path) -> None:
    index = record(plain, tmp_path / "ring", START_S)
    names = [segment.name for segment in index.segments()]
    index.close()
    for path in (tmp_path / "ring").glob("index.sqlite*"):
        path.unlink()
    assert index.adopt_some(0.0) == len(names)
    assert index.files_to_adopt == len(names)
    assert index.adopt_some(60.0) == 0
    assert [segment.name for segment in index.segments()] == names
    index.close()
