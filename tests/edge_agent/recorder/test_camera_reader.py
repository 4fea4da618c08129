"""What happens when packets come faster than they are recorded."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from edge_agent.recorder import camera_reader
from edge_agent.recorder.camera_reader import CameraReader, Ended
from edge_agent.recorder.delivery import Delivery, SourceTrouble
from edge_agent.recorder.parameters import ParameterWatch
from edge_agent.recorder.stream_clock import Arrival
from tests.edge_agent.numbered_video import Recipe, write_video, x264


class Flood:
    """A camera that sends 100 pictures at once, a keyframe every 10, and then breaks off."""

    def __init__(self, video: Path, *, can_wait: bool) -> None:
        self.can_wait = can_wait
        self.closed = False
        self._video = video

    def packets(self) -> Iterator[Delivery]:
        with av.open(str(self._video)) as container:
            stream = container.streams.video[0]
            watch = ParameterWatch(stream)
            for packet in container.demux(stream):
                if packet.size:
                    yield Delivery(packet, watch.of(packet), Arrival(0.0, 0.0))
        raise SourceTrouble("broke off")

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """A hundred pictures."""
    return write_video(tmp_path / "a.mp4", Recipe(frames=100, options=x264(10, "bframes=0")))


def drained(reader: CameraReader) -> tuple[list[int], Ended]:
    """Numbers of the pictures that are waiting, and how it ended."""
    numbers = []
    while not isinstance(got := reader.next(1.0), Ended):
        if got is not None:
            numbers.append(round(got.shown_s / 0.04))
    return numbers, got


def test_a_live_camera_loses_whole_groups_of_pictures_and_all_are_counted(
    video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera_reader, "MOST_WAITING", 25)
    source = Flood(video, can_wait=False)
    reader = CameraReader("c1", lambda _: source)
    reader.join(5)
    numbers, ended = drained(reader)
    assert numbers == list(range(25))
    assert reader.dropped == 75
    assert str(ended.trouble) == "broke off"
    assert source.closed


def test_after_an_overflow_it_goes_on_with_a_keyframe(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_reader, "MOST_WAITING", 25)
    turn = threading.Event()

    class Halting(Flood):
        def packets(self) -> Iterator[Delivery]:
            for number, delivery in enumerate(super().packets()):
                if number == 34:
                    turn.wait(5)
                yield delivery

    reader = CameraReader("c1", lambda _: Halting(video, can_wait=False))
    while reader.dropped < 9:
        time.sleep(0.01)
    first = [reader.next(1.0) for _ in range(25)]
    turn.set()
    assert len(first) == 25
    numbers, _ = drained(reader)
    assert numbers[0] == 40


def test_a_recording_waits_for_the_recorder(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_reader, "MOST_WAITING", 5)
    reader = CameraReader("c1", lambda _: Flood(video, can_wait=True))
    numbers, _ = drained(reader)
    assert numbers == list(range(100))
    assert reader.dropped == 0


def test_a_reader_that_waits_can_be_left(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_reader, "MOST_WAITING", 5)
    reader = CameraReader("c1", lambda _: Flood(video, can_wait=True))
    reader.leave()
    reader.join(5)
    assert not reader.is_alive()


def test_an_error_nobody_thought_of_is_trouble_of_the_camera() -> None:
    def fail(_: threading.Event) -> Flood:
        raise RuntimeError("rtsp://user:secret@host")

    reader = CameraReader("c1", fail)
    _, ended = drained(reader)
    assert str(ended.trouble) == "cannot be read (RuntimeError)"
