"""A real RTSP server, recorded, killed and started again."""

from __future__ import annotations

import time
from pathlib import Path

import av
import pytest

from tests.edge_agent.recorder.rtsp_camera import H264, JPEG, RtspCamera, missing
from tests.edge_agent.recorder.running import Running, a_camera, recording


@pytest.fixture(scope="module", autouse=True)
def _has_server() -> None:
    if lacking := missing():
        pytest.skip(f"no RTSP server to test with: this machine lacks {lacking}")


def decodable(running: Running) -> int:
    """Pictures of the ring that a decoder gives back."""
    count = 0
    for segment in running.segments():
        with av.open(str(running.folder / segment.name)) as container:
            count += sum(1 for _ in container.decode(video=0))
    return count


def test_a_server_that_is_killed_and_started_again_leaves_a_gap_and_one_reconnect(tmp_path: Path) -> None:
    with RtspCamera() as camera, recording(a_camera(camera.url), tmp_path / "ring") as running:
        before = running.until_recorded(25)
        assert (before.state, before.codec, before.wh) == ("live", "h264", (320, 240))
        camera.pull_the_plug()
        running.until_state("waiting")
        camera.switch_on()
        running.until_state("live", within_s=25)
        after = running.until_recorded(before.packets + 25)
        assert after.reconnects == 1
        assert after.pid == before.pid
        assert abs(time.time() - (running.index.recorded_until() or 0)) < 1.5
    _, gap, _ = running.gaps()
    assert gap.end_s is not None
    assert gap.end_s > gap.start_s + 0.5
    assert decodable(running) == running.status().packets


@pytest.mark.parametrize(
    ("launch", "transport", "codec"), [(H264, "udp", "h264"), (JPEG, "tcp", "mjpeg")], ids=["UDP", "MJPEG"]
)
def test_other_ways_to_send_are_recorded(tmp_path: Path, launch: str, transport: str, codec: str) -> None:
    with RtspCamera(launch) as camera, recording(a_camera(camera.url, transport=transport), tmp_path / "r") as running:
        assert running.until_recorded(20, within_s=25).codec == codec
    assert decodable(running) == running.status().packets


def test_the_right_password_opens_and_a_wrong_one_is_refused_without_a_trace(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "right").write_text("hush:r@ght/1")
    (tmp_path / "wrong").write_text("hush-wrong")
    with RtspCamera(login=("admin", "hush:r@ght/1")) as camera:
        wrong = a_camera(camera.url, username="admin", password_file=tmp_path / "wrong")
        with recording(wrong, tmp_path / "ring") as running:
            status = running.until_state("refused")
            assert "wants another username or password (401)" in status.last_error
            assert "hush" not in status.last_error
        right = a_camera(camera.url, username="admin", password_file=tmp_path / "right")
        with recording(right, tmp_path / "ring") as running:
            running.until(lambda: running.status().packets > 10)
    assert "hush" not in caplog.text
