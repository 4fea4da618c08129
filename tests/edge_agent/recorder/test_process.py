"""Recorders as processes: they end when asked to, and with their parent; a kill loses almost nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from edge_agent.agent_clock import WallClock
from edge_agent.recorder.process import RecorderHandle, RecorderRunning, hold_folder
from edge_agent.ring.index import SegmentIndex
from tests.edge_agent.numbered_video import Recipe, shown_in, write_video, x264
from tests.edge_agent.recorder.running import KEEP, a_camera


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds to be played over and over."""
    return write_video(tmp_path_factory.mktemp("videos") / "a.mp4", Recipe(frames=100, options=x264(12)))


@pytest.fixture
def ring(tmp_path: Path) -> Path:
    """The folder of the camera's ring."""
    return tmp_path / "ring"


@pytest.fixture
def handle(video: Path, ring: Path) -> Iterator[RecorderHandle]:
    """A recorder that is not started yet."""
    recorder = RecorderHandle(a_camera(f"file:{video}", loop=True), ring, KEEP, WallClock())
    yield recorder
    recorder.kill()


def until(condition: Callable[[], object], within_s: float = 20.0) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def packets(ring: Path, pid: int | None) -> int:
    """Packets that the recorder of that process says it has recorded."""
    with SegmentIndex(ring) as index:
        status = index.status()
    return status.packets if status and status.pid == pid else 0


def test_a_recorder_finishes_its_segment_when_asked_to_leave(handle: RecorderHandle, ring: Path) -> None:
    assert (handle.pid, handle.exit_code, handle.is_alive()) == (None, None, False)
    handle.start()
    until(lambda: packets(ring, handle.pid) > 20)
    assert handle.stop(within_s=10)
    assert (handle.exit_code, handle.is_alive()) == (0, False)
    with SegmentIndex(ring) as index:
        segments, status = index.segments(), index.status()
    assert status is not None
    assert status.state == "stopped"
    assert not any(segment.is_open for segment in segments)
    assert sum(len(shown_in(ring / segment.name)) for segment in segments) == status.packets


def test_a_recorder_that_is_killed_loses_nothing_that_was_told_and_starts_again(
    handle: RecorderHandle, ring: Path
) -> None:
    for _ in range(2):
        handle.start()
        until(lambda: packets(ring, handle.pid) > 10)
        with SegmentIndex(ring) as index:
            told_until_s = index.recorded_until()
        handle.kill()
        assert handle.exit_code == -signal.SIGKILL
        with SegmentIndex(ring) as index:
            index.recover()
            assert told_until_s is not None
            assert index.recorded_until() >= told_until_s - 0.05  # type: ignore[operator]
    with SegmentIndex(ring) as index:
        assert all(shown_in(ring / segment.name) for segment in index.segments())


def test_a_recorder_ends_soon_after_its_parent_was_killed(ring: Path, video: Path) -> None:
    command = [sys.executable, "-m", "tests.edge_agent.recorder.parent", str(ring), str(video)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        until(lambda: packets(ring, pid) > 5)
        parent.kill()
    until(lambda: not psutil.pid_exists(pid), within_s=5)
    with SegmentIndex(ring) as index:
        status = index.status()
    assert status is not None
    assert status.state == "stopped"  # in order, not by the system


def test_ctrl_c_is_left_to_the_parent(handle: RecorderHandle, ring: Path) -> None:
    handle.start()
    until(lambda: packets(ring, handle.pid) > 0)
    assert handle.pid is not None
    os.kill(handle.pid, signal.SIGINT)
    time.sleep(0.5)
    assert handle.is_alive()


def test_a_folder_that_another_recorder_holds_is_not_written_to(ring: Path) -> None:
    match = "another recorder writes here"
    with hold_folder(ring), pytest.raises(RecorderRunning, match=match), hold_folder(ring, within_s=0.2):
        pass
    with hold_folder(ring, within_s=0.0):
        pass


def test_stopping_a_recorder_that_was_never_started_is_fine(handle: RecorderHandle) -> None:
    assert handle.stop(within_s=1)
    handle.kill()


def test_a_recorder_can_be_stopped_right_after_its_start(handle: RecorderHandle) -> None:
    handle.start()
    handle.stop(within_s=10)
    assert not handle.is_alive()


def test_a_recorder_loads_no_picture_processing(handle: RecorderHandle, ring: Path) -> None:
    """Thirty of them share a small box."""
    handle.start()
    until(lambda: packets(ring, handle.pid) > 0)
    loaded = {Path(region.path).name for region in psutil.Process(handle.pid).memory_maps()}
    assert any("avcodec" in name for name in loaded)
    assert not any(part in name for name in loaded for part in ("cv2", "onnxruntime", "_multiarray_umath"))
