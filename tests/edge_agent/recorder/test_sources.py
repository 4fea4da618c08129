"""What cameras are called, how they are logged in to, and files that stand in for them."""

from __future__ import annotations

import itertools
import threading
import time
from pathlib import Path

import pytest

from edge_agent.agent_clock import Leg, ReplayClock, WallClock
from edge_agent.recorder.delivery import Delivery, SourceTrouble
from edge_agent.recorder.file_sources import FileCamera, TimelineCamera
from edge_agent.recorder.sources import open_source, shown_url, url_with_login
from edge_agent.recording_probe import open_recording
from renzheng.clock import from_seconds
from tests.edge_agent.numbered_video import START, START_S, Recipe, write_video, x264
from tests.edge_agent.recorder.running import a_camera


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://admin:p%40ss@10.0.0.9:554/Streaming/101", "rtsp://10.0.0.9:554/Streaming/101"),
        ("http://10.0.0.9/cgi?user=admin&pwd=secret", "http://10.0.0.9/cgi"),
        ("rtsp://[fe80::1]:554/a", "rtsp://fe80::1:554/a"),
        ("rtsp://admin:a/b@host/x", "rtsp:..."),
        ("/dev/video0", "/dev/video0"),
        ("file:/data/a.mp4", "file:/data/a.mp4"),
    ],
)
def test_what_is_told_of_a_url_holds_no_secret(url: str, shown: str) -> None:
    assert shown_url(url) == shown


@pytest.mark.parametrize(
    ("url", "username", "password", "expected"),
    [
        ("rtsp://h:554/a?b=1", "admin", "p@ss:w/rd", "rtsp://admin:p%40ss%3Aw%2Frd@h:554/a?b=1"),
        ("rtsp://old:one@h/a", "new", "two", "rtsp://new:two@h/a"),
        ("rtsp://h/a", "admin", None, "rtsp://admin@h/a"),
        ("rtsp://u:p@h/a", None, None, "rtsp://u:p@h/a"),
    ],
)
def test_the_login_goes_into_the_url(url: str, username: str | None, password: str | None, expected: str) -> None:
    assert url_with_login(url, username, password) == expected


@pytest.mark.parametrize(
    ("url", "told", "refused"),
    [
        ("file:/no/such/file.mp4", "/no/such/file.mp4: No such", False),
        ("rtsp://user:secret@127.0.0.1:1/a", "rtsp://127.0.0.1:1/a: connection refused", False),
        ("http://user:secret@127.0.0.1:1/a?k=secret", "http://127.0.0.1:1/a: connection refused", False),
        ("/dev/video99", "/dev/video99: no such file", False),
    ],
)
def test_a_camera_that_cannot_be_opened_says_why_and_no_secret(url: str, told: str, refused: bool) -> None:
    with pytest.raises(SourceTrouble) as raised:
        open_source(a_camera(url), WallClock(), threading.Event())
    assert told in str(raised.value)
    assert "secret" not in repr(raised.value)
    assert raised.value.__cause__ is None or "secret" not in repr(raised.value.__cause__)
    assert raised.value.refused is refused


def test_a_password_file_that_is_missing_is_named(tmp_path: Path) -> None:
    camera = a_camera("rtsp://127.0.0.1:1/a", username="admin", password_file=tmp_path / "password")
    with pytest.raises(SourceTrouble, match=r"password: the secret cannot be read") as raised:
        open_source(camera, WallClock(), threading.Event())
    assert raised.value.refused


def fast(speed: float = 50.0, *legs: Leg) -> ReplayClock:
    """A clock that runs ``speed`` times as fast as real time, from ``START`` on."""
    return ReplayClock(legs or (Leg(START_S, 1e9),), speed, time.monotonic())


def test_a_file_plays_at_the_pace_of_the_clock(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", Recipe(frames=50))
    clock = fast(4.0)
    source = FileCamera(video, clock, threading.Event(), loop=False)
    began_s = clock.steady_s()
    deliveries = list(source.packets())
    source.close()
    shown = [delivery.shown_s for delivery in deliveries]
    assert sorted(shown) == pytest.approx([number * 0.04 for number in range(50)])
    latest_s = 0.0
    for delivery in deliveries:
        latest_s = max(latest_s, delivery.shown_s)
        assert -0.001 < delivery.arrival.steady_s - began_s - latest_s < 0.5


def test_a_looped_file_goes_on_with_even_stamps(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", Recipe(frames=25))
    stop = threading.Event()
    source = FileCamera(video, fast(), stop, loop=True)
    deliveries: list[Delivery] = []
    for delivery in source.packets():
        deliveries.append(delivery)
        if len(deliveries) == 90:
            stop.set()
    source.close()
    shown = sorted(delivery.shown_s for delivery in deliveries)[:80]
    assert shown == pytest.approx([number * 0.04 for number in range(80)])
    order = [delivery.order_s for delivery in deliveries if delivery.order_s is not None]
    assert len(order) == 90
    assert all(a < b for a, b in itertools.pairwise(order))
    assert len({delivery.parameters for delivery in deliveries}) == 1


def test_a_looped_file_ends_when_asked_to_while_it_waits(tmp_path: Path) -> None:
    stop = threading.Event()
    source = FileCamera(write_video(tmp_path / "a.mp4", Recipe(frames=25)), fast(0.001), stop, loop=True)
    threading.Timer(0.2, stop.set).start()
    began = time.monotonic()
    list(source.packets())
    source.close()
    assert time.monotonic() - began < 2


def played(clock: ReplayClock, *videos: tuple[Path, float]) -> list[float]:
    """Times, in seconds after ``START``, at which recordings were delivered; each packet when the clock showed it."""
    recordings = [open_recording(path, from_seconds(START_S + start_s)) for path, start_s in videos]
    times = []
    for delivery in TimelineCamera(recordings, clock, threading.Event()).packets():
        assert delivery.time_s is not None
        assert delivery.arrival.now_s >= delivery.time_s
        times.append(delivery.time_s - START_S)
    return times


def test_recordings_are_delivered_at_their_own_times(tmp_path: Path) -> None:
    first = write_video(tmp_path / "a.mp4", Recipe(frames=50))
    second = write_video(tmp_path / "b.mp4", Recipe(frames=25))
    times = played(fast(), (second, 5.0), (first, 0.0))
    assert sorted(times) == pytest.approx(
        [number * 0.04 for number in range(50)] + [5 + number * 0.04 for number in range(25)], abs=1e-6
    )


def test_a_replay_that_leaps_delivers_its_legs_from_the_keyframe_before(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", Recipe(frames=500, options=x264(50, "bframes=0"), wh=(64, 36)))
    legs = (Leg(START_S + 3.0, 2.0), Leg(START_S + 5.5, 0.2), Leg(START_S + 15.0, 1.0))
    times = played(fast(50.0, *legs), (video, 0.0))
    expected = [*range(50, 125), *range(125, 143), *range(350, 500)]
    assert [round(time_s / 0.04) for time_s in times] == expected


def test_a_recording_that_is_gone_is_trouble(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", Recipe(frames=25))
    recording = open_recording(video, START)
    video.unlink()
    with pytest.raises(SourceTrouble, match=r"(?i)no such"):
        list(TimelineCamera([recording], fast(), threading.Event()).packets())
