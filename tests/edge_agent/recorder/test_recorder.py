"""What is in the ring after cameras, the disk and the clock misbehaved."""

from __future__ import annotations

import itertools
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import pytest

from edge_agent.agent_clock import Leg, ReplayClock
from edge_agent.recorder import recorder, ring_keeper, stream_clock
from edge_agent.recorder.budget import Freed
from edge_agent.recorder.segment_writer import SegmentWriter
from edge_agent.recording_probe import open_recording
from renzheng.contracts.report import CameraState
from renzheng.errors import StorageFull
from tests.edge_agent.numbered_video import START, START_S, Recipe, write_video, x264, x265
from tests.edge_agent.recorder.running import HttpCamera, Running, a_camera, motion_jpeg, mpeg_ts, recording


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds, a keyframe each half second."""
    return write_video(tmp_path_factory.mktemp("videos") / "a.mp4", Recipe(frames=250, options=x264(12)))


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "STATUS_EVERY_S", 0.1)
    monkeypatch.setattr(ring_keeper, "FULL_RETRY_S", 0.5)
    monkeypatch.setattr(stream_clock, "SETTLE_S", 0.3)


def fast(speed: float = 5.0) -> ReplayClock:
    """A clock on which files play faster than in reality."""
    return ReplayClock((Leg(START_S, 1e9),), speed, time.monotonic())


def is_without_a_hole(running: Running, tolerated_s: float = 0.02) -> bool:
    """Whether segments follow on each other."""
    done = [segment for segment in running.segments() if segment.packets]
    return all(abs(b.start_s - a.end_s) <= tolerated_s for a, b in itertools.pairwise(done))


def counts_up(numbers: list[int]) -> bool:
    """Whether every picture is there once and in order; the pictures' numbers begin again after 255 or a pass."""
    return all(b == a + 1 or b == 0 for a, b in itertools.pairwise(numbers))


def test_a_file_as_camera_is_recorded_without_a_hole_over_its_end(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", Recipe(frames=50, options=x264(25)))
    with recording(a_camera(f"file:{video}", loop=True), tmp_path / "ring", clock := fast()) as running:
        status = running.until_recorded(110)
        assert (status.state, status.codec, status.wh) == ("live", "h264", (320, 180))
        assert abs(clock.now_s() - (running.index.recorded_until() or 0)) < 4.0
    assert len(running.segments()) >= 4
    assert is_without_a_hole(running)
    assert counts_up(running.numbers())
    final = running.status()
    assert (final.state, final.dropped, final.reconnects, final.timestamp_jumps) == (CameraState.STOPPED, 0, 0, 0)
    assert not any(segment.is_open for segment in running.segments())
    assert [gap.why for gap in running.gaps()] == ["recording begins", "the recorder was stopped"]


def test_a_file_that_ends_is_no_trouble(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", Recipe(frames=20))
    with recording(a_camera(f"file:{video}"), tmp_path / "ring", fast()) as running:
        status = running.until_state("stopped")
        assert (status.packets, status.last_error) == (20, "")
        time.sleep(0.5)
        assert running.status().packets == 20


def test_mpeg_ts_over_http_is_recorded(tmp_path: Path, video: Path) -> None:
    with HttpCamera(mpeg_ts(video, first_s=50_000.0)) as camera, recording(a_camera(camera.url), tmp_path / "r") as it:
        it.until_recorded(30)
    numbers = it.numbers()
    assert numbers[0] == 0
    assert counts_up(numbers)
    assert is_without_a_hole(it)


def test_motion_jpeg_over_http_is_dated_by_its_arrival(tmp_path: Path) -> None:
    recipe = Recipe(frames=250, codec="mjpeg", pixels="yuvj420p", options={})
    show = motion_jpeg(write_video(tmp_path / "a.avi", recipe))
    kind = "multipart/x-mixed-replace; boundary=frame"
    with HttpCamera(show, kind=kind) as camera, recording(a_camera(camera.url), tmp_path / "ring") as running:
        status = running.until_recorded(30)
        assert status.codec == "mjpeg"
        assert abs(time.time() - (running.index.recorded_until() or 0)) < 1.0
    assert counts_up(running.numbers())


def test_h265_is_recorded(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", Recipe(frames=50, codec="libx265", options=x265(25)))
    with recording(a_camera(f"file:{video}", loop=True), tmp_path / "ring", fast()) as running:
        assert running.until_recorded(60).codec == "hevc"
    assert counts_up(running.numbers())


def test_a_camera_that_wants_a_password_is_refused_and_asked_seldom(tmp_path: Path, video: Path) -> None:
    with (
        HttpCamera(mpeg_ts(video), login="admin:right") as camera,
        recording(a_camera(camera.url), tmp_path / "r") as it,
    ):
        status = it.until_state("refused")
        time.sleep(1.5)
        assert camera.connections == 0
        assert "wants another username or password (401)" in status.last_error
        assert "hush" not in status.last_error
        assert it.status().state is CameraState.REFUSED
        assert it.gaps()


def test_a_password_with_signs_that_urls_know_is_given(tmp_path: Path, video: Path) -> None:
    (tmp_path / "password").write_text("p@ss:w/r d%\n")
    with HttpCamera(mpeg_ts(video), login="admin:p@ss:w/r d%") as camera:
        configured = a_camera(camera.url, username="admin", password_file=tmp_path / "password")
        with recording(configured, tmp_path / "ring") as running:
            running.until_recorded(20)


def test_a_camera_that_sends_garbage_is_tried_again(tmp_path: Path, video: Path) -> None:
    noise = [(0.0, bytes(range(7, 256)) * 4000)]
    with HttpCamera(noise, mpeg_ts(video)) as camera, recording(a_camera(camera.url), tmp_path / "ring") as running:
        running.until_recorded(20)
        assert camera.connections == 2
        assert running.status().last_error


def test_garbage_in_the_middle_of_a_stream_does_not_end_the_recorder(tmp_path: Path, video: Path) -> None:
    show = mpeg_ts(video)
    dirty = [*show[:30], (show[30][0], bytes(range(7, 256)) * 40), *show[31:]]
    with HttpCamera(dirty) as camera, recording(a_camera(camera.url), tmp_path / "ring") as running:
        running.until_recorded(50)
        assert camera.connections == 1


def test_a_camera_that_stops_sending_is_stalled_and_comes_back(tmp_path: Path, video: Path) -> None:
    show = mpeg_ts(video)
    with (
        HttpCamera(show[:40], show, hangs=True) as camera,
        recording(a_camera(camera.url, stall_after_s=1.0), tmp_path / "ring") as running,
    ):
        status = running.until_state("stalled")
        assert status.last_error == "sent nothing to record for 1 s"
        running.until_state("live")
        running.until_recorded(45)
        assert running.status().reconnects == 1
    _, gap, _ = running.gaps()
    assert gap.why == "sent nothing to record for 1 s"
    assert gap.end_s is not None
    assert 1.0 < gap.end_s - gap.start_s < 8.0
    assert any(abs(segment.start_s - gap.end_s) < 0.01 for segment in running.segments())


def test_a_camera_that_switches_resolution_goes_into_a_new_segment(tmp_path: Path, video: Path) -> None:
    large = write_video(tmp_path / "b.mp4", Recipe(frames=100, options=x264(12), wh=(480, 272)))
    small = mpeg_ts(video)[:25]
    show = small + [(due_s + 25 * 0.04, data) for due_s, data in mpeg_ts(large, first_s=25 * 0.04)]
    with HttpCamera(show) as camera, recording(a_camera(camera.url), tmp_path / "ring") as running:
        running.until(lambda: running.status().parameter_changes == 1)
        running.until_recorded(40)
        assert running.status().wh == (480, 272)
        assert camera.connections == 1
    assert {segment.coded_wh for segment in running.segments()} == {(320, 180), (480, 272)}
    assert len(running.numbers()) >= 40


@pytest.mark.parametrize("first_s", [80_000.0, 0.0], ids=["forward", "back"])
def test_time_stamps_that_jump_leave_a_gap_and_right_times(tmp_path: Path, video: Path, first_s: float) -> None:
    before = mpeg_ts(video, first_s=1000.0)[:60]
    after = [(due_s + 60 * 0.04, data) for due_s, data in mpeg_ts(video, first_s=first_s)]
    with HttpCamera(before + after) as camera, recording(a_camera(camera.url), tmp_path / "ring") as running:
        running.until(lambda: running.status().timestamp_jumps == 1)
        running.until_recorded(50)
        assert abs(time.time() - (running.index.recorded_until() or 0)) < 1.0
        assert camera.connections == 1
    assert "the camera's time stamps jumped" in [gap.why for gap in running.gaps()]
    extent = running.index.extent()
    assert extent is not None
    assert extent.length_s < 20


@dataclass
class SettableClock:
    """The box's clock under an operator's hand."""

    ahead_s: float = 0.0

    def now_s(self) -> float:
        return time.time() + self.ahead_s

    def steady_s(self) -> float:
        return time.monotonic()

    def real_s(self, agent_s: float) -> float:
        return agent_s


def test_a_clock_set_back_an_hour_begins_a_new_epoch_and_loses_nothing(tmp_path: Path, video: Path) -> None:
    clock = SettableClock()
    with recording(a_camera(f"file:{video}", loop=True), tmp_path / "ring", clock) as running:
        running.until_recorded(26)
        clock.ahead_s = -3600.0
        running.until_recorded(60)
        assert running.status().clock_steps == 1
    segments = running.segments()
    assert {segment.epoch for segment in segments} == {0, 1}
    first = next(segment for segment in segments if segment.epoch == 1)
    assert abs(first.start_s + 3600 - time.time()) < 10
    assert counts_up(running.numbers())


@pytest.mark.parametrize("away_s", [0.0, 1.5])
def test_a_recorder_that_was_away_notes_the_gap_and_goes_on(tmp_path: Path, video: Path, away_s: float) -> None:
    camera = a_camera(f"file:{video}", loop=True)
    with recording(camera, tmp_path / "ring") as first:
        first.until_recorded(15)
    until_s = first.segments()[-1].end_s
    time.sleep(away_s)
    with recording(camera, tmp_path / "ring") as second:
        second.until(lambda: second.gaps()[1].end_s is not None)
    _, gap, _ = second.gaps()
    assert gap.start_s == pytest.approx(until_s, abs=0.1)
    assert gap.end_s is not None
    assert gap.end_s - gap.start_s > away_s


class Disk:
    """A disk that is full when told so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_full = False
        self.forced = 0
        self.helps = False
        write = SegmentWriter.write

        def refusing(writer: SegmentWriter, *given: Any) -> bool:
            if self.is_full:
                writer.cut()
                raise StorageFull("ring: no space left on the disk")
            return write(writer, *given)

        def clearing(*_: object, force: bool = False, **__: object) -> Freed:
            self.forced += force
            self.is_full = self.is_full and not (force and self.helps)
            return Freed(int(force and self.helps))

        monkeypatch.setattr(SegmentWriter, "write", refusing)
        monkeypatch.setattr(ring_keeper, "keep_inside", clearing)


def test_a_full_disk_is_told_and_recording_goes_on_when_there_is_room(
    tmp_path: Path, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    with recording(a_camera(f"file:{video}", loop=True), tmp_path / "ring", fast(2.0)) as running:
        running.until_recorded(30)
        disk.is_full = True
        running.until(lambda: running.status().disk_full)
        status = running.status()
        assert (status.state, status.last_error) == ("live", "ring: no space left on the disk")
        time.sleep(2.2)
        assert running.status().state is CameraState.LIVE  # the camera is not to blame
        recorded, dropped = running.status().packets, running.status().dropped
        assert dropped > 20
        disk.is_full = False
        running.until(lambda: running.status().packets > recorded)
        running.until(lambda: not running.status().disk_full)
        assert running.status().reconnects == 0
    gap = next(gap for gap in running.gaps() if "no space" in gap.why)
    assert gap.end_s is not None
    assert gap.end_s - gap.start_s > 2


def test_a_full_disk_that_old_segments_make_room_on_is_hardly_noticed(
    tmp_path: Path, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    disk.helps = True
    with recording(a_camera(f"file:{video}", loop=True), tmp_path / "ring", fast(2.0)) as running:
        recorded = running.until_recorded(30).packets
        disk.is_full = True
        running.until_recorded(recorded + 40)
        assert disk.forced == 1
        assert running.status().dropped <= 13  # up to the next keyframe
        assert not running.status().disk_full


def test_a_replay_gives_recordings_their_own_times(tmp_path: Path) -> None:
    videos = [write_video(tmp_path / f"{name}.mp4", Recipe(frames=100, options=x264(25))) for name in "ab"]
    first = open_recording(videos[0], START)
    second = open_recording(videos[1], START).following(first)
    clock = ReplayClock((Leg(START_S - 2, 60.0),), 20.0, time.monotonic())
    with recording(a_camera("file:unused", stall_after_s=0.3), tmp_path / "ring", clock, [first, second]) as running:
        running.until_state("stopped")
        assert running.status().dropped == 0
    assert running.numbers() == [*range(100), *range(100)]
    assert running.segments()[0].start_s == START_S
    assert running.segments()[-1].end_s == pytest.approx(START_S + 8.0, abs=0.001)
    assert is_without_a_hole(running, 0.001)
    assert running.status().reconnects == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", folder], check=False).returncode:
        pytest.skip("may not mount a small disk here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_disk_that_is_really_full_costs_the_oldest_segments_and_no_more(small_disk: Path, tmp_path: Path) -> None:
    recipe = Recipe(frames=50, codec="mjpeg", pixels="yuvj420p", options={"qmin": "1", "qmax": "1"}, wh=(640, 360))
    camera = a_camera(f"file:{write_video(tmp_path / 'a.mp4', recipe)}", loop=True, segment_s=0.5)
    with recording(camera, small_disk / "ring", fast(8.0)) as running:
        running.until(lambda: running.status().bytes > 12 * 2**20, within_s=30)
        assert running.status().state is CameraState.LIVE
        assert running.status().reconnects == 0
        assert running.index.size_bytes() < 8 * 2**20
    there = [segment for segment in running.segments() if (running.folder / segment.name).exists()]
    assert there  # a full index may keep rows of deleted files up to the next start
    for segment in there:  # behind the packets that the index tells of, half a picture may lie
        with av.open(str(running.folder / segment.name)) as container:
            packets = list(itertools.islice(container.demux(video=0), segment.packets))
            assert sum(len(packet.decode()) for packet in packets) == segment.packets
