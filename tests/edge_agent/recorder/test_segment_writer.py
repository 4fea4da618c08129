"""Writing segments: rotation, changes in the stream, full disks, and reading while they grow."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest

from edge_agent.footage import TimeWindow
from edge_agent.recorder import segment_writer
from edge_agent.recorder.segment_writer import NoKeyframe, RingUnwritable, SegmentWriter, parameters_of
from edge_agent.ring.index import SegmentIndex
from renzheng.errors import BadInput, StorageFull
from tests.edge_agent.numbered_video import START_S, Recipe, shown_in, write_video, x264
from tests.edge_agent.ring.recording import feed, record


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds with a keyframe every second and B-frames."""
    return write_video(tmp_path_factory.mktemp("plain") / "plain.mp4", Recipe(frames=250))


@pytest.fixture
def index(tmp_path: Path) -> Iterator[SegmentIndex]:
    with SegmentIndex(tmp_path / "ring") as opened:
        yield opened


def ends_s(index: SegmentIndex) -> list[tuple[float, float]]:
    return [(round(s.start_s - START_S, 3), round(s.end_s - START_S, 3)) for s in index.segments()]


def test_a_segment_ends_at_the_first_keyframe_after_its_time(plain: Path, tmp_path: Path) -> None:
    with record(plain, tmp_path / "ring", START_S, segment_s=3.5) as index:
        assert ends_s(index) == [(0, 4), (4, 8), (8, 10)]
        segments = index.segments()
        assert not any(s.is_open for s in segments)
        assert sum(s.packets for s in segments) == 250
        for segment in segments:
            assert (tmp_path / "ring" / segment.name).stat().st_size == segment.size_bytes


def test_every_picture_is_in_the_segments_at_its_exact_time(plain: Path, tmp_path: Path) -> None:
    with av.open(str(plain)) as container:
        stream = container.streams.video[0]
        source = sorted(Fraction(p.pts or 0) * p.time_base for p in container.demux(stream) if p.size)
    with record(plain, tmp_path / "ring", START_S) as index:
        kept = []
        for segment in index.segments():
            with av.open(str(tmp_path / "ring" / segment.name)) as container:
                for packet in container.demux(video=0):
                    if packet.size:
                        assert packet.pts is not None
                        offset = round(segment.start_s - START_S)
                        kept.append(offset + (packet.pts - segment.origin_pts) * segment.time_base)
    assert sorted(kept) == source


def test_what_the_index_tells_of_an_open_segment_can_be_read(plain: Path, index: SegmentIndex) -> None:
    writer = SegmentWriter(index.folder, index, 60.0)
    for first in range(0, 120, 7):
        feed(writer, plain, START_S, first=first, count=7)
        segment = index.segments()[0]
        if segment.end_s == segment.start_s:
            continue
        due = round((segment.end_s - START_S) * 25)
        assert shown_in(index.folder / segment.name)[:due] == list(range(due))
        assert segment.end_s >= START_S + first / 25 - 0.5
    writer.close()


def test_nothing_is_written_before_the_first_keyframe(plain: Path, index: SegmentIndex) -> None:
    writer = SegmentWriter(index.folder, index, 2.0)
    assert feed(writer, plain, START_S, first=10, count=15) == (0, 15)
    assert index.segments() == []
    assert feed(writer, plain, START_S, first=25, count=30) == (30, 0)
    writer.close()
    assert ends_s(index)[0][0] == 1.0


def test_a_change_of_parameters_begins_a_new_segment(plain: Path, index: SegmentIndex, tmp_path: Path) -> None:
    smaller = write_video(tmp_path / "smaller.mp4", Recipe(frames=50, wh=(160, 96)))
    writer = SegmentWriter(index.folder, index, 60.0)
    feed(writer, plain, START_S, count=60)
    feed(writer, smaller, START_S + 2.4)
    writer.close()
    first, second = index.segments()
    assert (first.coded_wh, second.coded_wh) == ((320, 180), (160, 96))
    assert (second.start_s, second.packets) == (START_S + 2.4, 50)


def test_a_jump_of_the_times_ends_the_segment_and_the_next_keyframe_begins_one(
    plain: Path, index: SegmentIndex
) -> None:
    writer = SegmentWriter(index.folder, index, 60.0)
    feed(writer, plain, START_S, count=60)
    assert feed(writer, plain, START_S, first=60, count=40, jump_s=100.0) == (25, 15)
    writer.close()
    assert [(a, round(b)) for a, b in ends_s(index)] == [(0.0, 2), (103.0, 104)]


def test_segments_after_a_cut_are_of_the_new_epoch(plain: Path, index: SegmentIndex) -> None:
    writer = SegmentWriter(index.folder, index, 60.0)
    feed(writer, plain, START_S, count=50)
    writer.cut()
    writer.epoch = 3
    feed(writer, plain, START_S, first=50, count=50)
    writer.close()
    assert [s.epoch for s in index.segments()] == [0, 3]


def test_a_packet_without_time_stamps_is_dropped(plain: Path, index: SegmentIndex) -> None:
    writer = SegmentWriter(index.folder, index, 2.0)
    with av.open(str(plain)) as container:
        stream = container.streams.video[0]
        packet = next(iter(container.demux(stream)))
        packet.pts = packet.dts = None
        assert not writer.write(packet, parameters_of(stream), START_S, True)
    writer.close()
    assert index.segments() == []


def test_time_stamps_that_repeat_or_fall_back_a_little_do_not_stop_the_writer(plain: Path, index: SegmentIndex) -> None:
    writer = SegmentWriter(index.folder, index, 60.0)
    feed(writer, plain, START_S, count=30)
    feed(writer, plain, START_S, first=27, count=20)
    writer.close()
    assert len(index.segments()) == 1
    assert len(shown_in(index.folder / index.segments()[0].name)) >= 47


def test_a_camera_that_never_sends_a_keyframe_again_is_told(
    index: SegmentIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment_writer, "LONGEST_WITHOUT_KEYFRAME_S", 3.0)
    video = write_video(tmp_path / "a.mp4", Recipe(frames=200, options=x264(1000)))
    writer = SegmentWriter(index.folder, index, 1.0)
    with pytest.raises(NoKeyframe, match="no keyframe for"):
        feed(writer, video, START_S)
    assert writer.segment is None
    (segment,) = index.segments()
    assert not segment.is_open
    assert segment.end_s == pytest.approx(START_S + 3, abs=0.2)


def test_a_codec_that_does_not_go_into_an_mp4_is_refused(index: SegmentIndex, tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mkv", Recipe(frames=10, codec="libvpx", options={}))
    writer = SegmentWriter(index.folder, index, 1.0)
    with pytest.raises(BadInput, match="vp8"):
        feed(writer, video, START_S)
    writer.close()
    assert index.segments() == []
    assert list(index.folder.glob("*.mp4")) == []


def test_a_ring_whose_folder_went_away_is_told(plain: Path, index: SegmentIndex) -> None:
    writer = SegmentWriter(index.folder, index, 2.0)
    index.status()
    feed(writer, plain, START_S, count=25)
    writer._folder = index.folder / "gone"
    writer.cut()
    with pytest.raises(RingUnwritable, match="No such file"):
        feed(writer, plain, START_S, first=25, count=25)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 KiB."""
    mount = tmp_path / "disk"
    mount.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(mount)], capture_output=True)
    if made.returncode:
        pytest.skip("only root can mount a small disk")
    try:
        yield mount
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=True)


def test_on_a_full_disk_the_half_segment_can_be_read_and_recording_goes_on_when_there_is_room(
    small_disk: Path, tmp_path: Path
) -> None:
    video = write_video(tmp_path / "a.mkv", Recipe(codec="mjpeg", pixels="yuvj420p", options={}, tick=Fraction(1, 25)))
    ballast = small_disk / "ballast"
    with SegmentIndex(small_disk / "ring") as index:
        index.recorded_until()
        ballast.write_bytes(b"x" * 200_000)
        writer = SegmentWriter(index.folder, index, 60.0)
        with pytest.raises(StorageFull, match="no space left"):
            feed(writer, video, START_S)
        (half,) = index.folder.glob("*.mp4")
        shown = shown_in(half)
        assert shown == list(range(len(shown)))
        assert len(shown) > 3
        with pytest.raises(StorageFull):
            feed(writer, video, START_S, first=50)
        ballast.unlink()
        assert feed(writer, video, START_S, first=70) == (30, 0)
        writer.close()
        segments = index.segments()
        assert not any(s.is_open for s in segments)
        assert segments[0].packets == len(shown)
        assert segments[0].end_s <= START_S + len(shown) / 25 + 0.001
        assert segments[-1].packets == 30


def test_an_index_without_room_says_so_and_is_whole_when_there_is_room_again(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    with SegmentIndex(small_disk / "ring") as index:
        index.recorded_until()
        room = os.statvfs(small_disk)
        ballast.write_bytes(b"x" * (room.f_bavail * room.f_frsize - 12_288))
        with pytest.raises(StorageFull, match="no space left"):
            for number in range(1000):
                index.note_gap(float(number), number + 0.5, "x" * 200)
        noted = len(index.gaps(TimeWindow(0, 1e6)))
        ballast.unlink()
        index.note_gap(2e3, 2e3 + 1, "again")
        assert len(index.gaps(TimeWindow(0, 1e6))) == noted + 1
        index.check()


_KILLED = """
import os, signal, sys
from pathlib import Path
from tests.edge_agent.ring.recording import feed
from edge_agent.recorder.segment_writer import SegmentWriter
from edge_agent.ring.index import SegmentIndex
video, folder, start_s, count = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
index = SegmentIndex(folder)
feed(SegmentWriter(folder, index, 2.0), video, start_s, count=count)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("count", [1, 2, 61, 130])
def test_a_killed_recorder_loses_one_picture(plain: Path, tmp_path: Path, count: int) -> None:
    folder = tmp_path / "ring"
    here = Path(__file__).parents[3]
    subprocess.run(
        [sys.executable, "-c", _KILLED, str(plain), str(folder), str(START_S), str(count)],
        cwd=here, env=os.environ | {"PYTHONPATH": str(here)}, check=False,
    )  # fmt: skip
    with SegmentIndex(folder) as index:
        index.recover()
        segments = index.segments()
        assert not any(s.is_open for s in segments)
        assert sum(s.packets for s in segments) in (count - 1, count)
        pictures = sum(len(shown_in(folder / s.name)) for s in segments)
        assert pictures in (count - 1, count)


def test_parameters_differ_by_what_the_pictures_need_and_not_by_the_stream_they_came_from(plain: Path) -> None:
    with av.open(str(plain)) as first, av.open(str(plain)) as second:
        one, other = parameters_of(first.streams.video[0]), parameters_of(second.streams.video[0])
        assert one == other
        assert one != replace(other, extradata=b"\1")
