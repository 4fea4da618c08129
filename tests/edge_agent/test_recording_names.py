"""When a recording begins, as its name tells it, and names that tell it in two ways."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge_agent.recording_names import start_in_name, times_in_name
from edge_agent.recording_probe import open_recording
from renzheng.clock import SHANGHAI
from renzheng.errors import BadInput
from tests.edge_agent.numbered_video import START, START_S, Recipe, write_video

NINE_UTC = datetime(2026, 5, 1, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("20260501T090000+0800.mp4", START),
        ("20260501T010000Z.mp4", START),
        ("20260501_010000Z_ch1.mp4", START),
        ("2026-05-01_09-00-00.mkv", START),
        ("counter-3_20260501_090000.ts", START),
        ("2026-05-01T09:00:00+08:00.mp4", START),
        ("20260501T090000+1400.mp4", NINE_UTC - timedelta(hours=14)),
        ("20260501T090000+0545.mp4", NINE_UTC - timedelta(hours=5, minutes=45)),
        ("20260501T090000-1000.mp4", NINE_UTC + timedelta(hours=10)),
        ("20260501090000.mp4", START),
        ("20261399T090000_20260501T090000.mp4", START),
    ],
)
def test_a_name_tells_when_a_recording_begins(name: str, expected: datetime) -> None:
    assert [time.moment for time in times_in_name(name)] == [expected]


@pytest.mark.parametrize("name", ["20261399T090000.mp4", "counter.mp4", "1234567820260501090000123.mp4"])
def test_a_name_may_tell_no_time(name: str) -> None:
    assert times_in_name(name) == ()


@pytest.mark.parametrize(
    "name",
    [
        "20260501T090000-0001.mp4",
        "20260501T090000-0000.mp4",
        "20260501T090000-0015.mp4",
        "20260501T090000-1300.mp4",
        "20260501T090000+1415.mp4",
        "20260501T090000-0960.mp4",
        "20260501_090000-1000.mp4",
        "20260501_090000-0100.mp4",
        "20260501090000-0001.mp4",
        "20260501-090000-0930.mp4",
        "20260501T090000Zone2.mp4",
    ],
)
def test_a_number_or_an_end_after_the_time_is_no_zone(name: str) -> None:
    assert [time.moment for time in times_in_name(name)] == [START]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("20260501T090000+0800.mp4", ""),
        ("20260501T090000+0000.mp4", ""),
        ("20260501_090000+0800.mp4", ""),
        ("20260501T090000-0001.mp4", ""),
        ("20260501T090000-1000.mp4", "-1000 in its name was taken for a zone"),
        ("20260501_090000-1000.mp4", "-1000 in its name was taken for a number"),
        ("20260501_090000+0000.mp4", "+0000 in its name was taken for a number"),
    ],
)
def test_what_could_be_a_zone_or_a_number_is_remarked_on(name: str, said: str) -> None:
    (time,) = times_in_name(name)
    assert time.remark.startswith(said) and bool(time.remark) == bool(said)


@pytest.mark.parametrize("length_s", [3600.0, 3280.0, 3999.0])
def test_two_times_in_a_name_are_start_and_end_when_they_span_the_recording(length_s: float) -> None:
    start = start_in_name(Path("ch01_20260501090000_20260501100000.mp4"), [length_s])
    assert start is not None and start.moment == START


def test_a_recording_that_ends_early_still_has_its_start_and_announced_end_in_its_name() -> None:
    start = start_in_name(Path("20260501T090000-20260501T100000.ts"), [1200.0, 3600.0])
    assert start is not None and start.moment == START


def test_the_same_moment_written_twice_is_one_time() -> None:
    name = Path("20260501T090000+0800_20260501T010000Z.mp4")
    start = start_in_name(name, [60.0])
    assert start is not None and start.moment == datetime(2026, 5, 1, 9, tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    "name",
    [
        "export_20260520_101112_ch1_20260501_090000.mp4",
        "20260501090000_20260501103000.mp4",
        "20260501_090000_20260501_100000_20260520_101112.mp4",
    ],
)
def test_times_in_a_name_that_do_not_span_the_recording_are_refused_with_both(name: str) -> None:
    with pytest.raises(BadInput, match="which time in its name is its beginning") as told:
        start_in_name(Path(name), [3600.0])
    assert str(told.value).startswith(f"{name}: ") and "--recording-start" in str(told.value)
    assert all(time.text in str(told.value) for time in times_in_name(name))


def test_a_given_start_decides_where_a_name_holds_two_times(tmp_path: Path) -> None:
    path = write_video(tmp_path / "export_20260520_101112_20260501_090000.mp4", Recipe(frames=10))
    with pytest.raises(BadInput, match="20260520_101112 or 20260501_090000"):
        open_recording(path)
    assert open_recording(path, START).start_s == START_S
