"""Several recordings given as one camera's: contradictions are refused, guesses are remarked on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import av
import pytest

from edge_agent.audit import run_audit
from edge_agent.audit_inputs import AuditOptions, read_inputs
from edge_agent.clip import what_a_clip_lacks
from edge_agent.recorded import RecordedTimeline, open_recording, open_recordings
from edge_agent.recording_probe import find_recordings
from renzheng.errors import BadInput
from tests.edge_agent.numbered_video import GRID, START, Recipe, looked_at, timeline, within, write_video, x264

LONG = Recipe(frames=300)
"""Twelve seconds."""


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("long") / "long.mp4", LONG)


def named(source: Path, folder: Path, *seconds: float, camera: str = "") -> list[Path]:
    """The same footage under names that say these seconds after ``START``."""
    paths = []
    for second in seconds:
        path = folder / f"{camera}{START + timedelta(seconds=second):%Y%m%dT%H%M%S}+0800.mp4"
        path.hardlink_to(source)
        paths.append(path)
    return paths


# --- overlaps ------------------------------------------------------------------------------------------------------


def test_files_that_overlap_by_up_to_five_seconds_are_taken(long: Path, tmp_path: Path) -> None:
    assert len(open_recordings(named(long, tmp_path, 0, 7))) == 2


def test_files_that_overlap_by_more_are_refused_with_both_names_and_the_overlap(long: Path, tmp_path: Path) -> None:
    first, second = named(long, tmp_path, 0, 6)
    with pytest.raises(BadInput) as told:
        open_recordings([second, first])
    assert str(told.value).startswith(f"{first} and {second}: overlap by 6.0 s from 2026-05-01 09:00:06")
    assert "recordings of one camera cannot overlap" in str(told.value)


def test_a_short_file_inside_a_long_one_is_found_behind_others(long: Path, tmp_path: Path) -> None:
    longer = write_video(tmp_path / "20260501T090000+0800.mp4", Recipe(frames=600))
    paths = [longer, *named(long, tmp_path, 1, 12)]
    assert [str(longer) in str(error) for error in find_recordings(paths).overlaps] == [True, True]


def test_a_file_given_twice_is_called_that(long: Path, tmp_path: Path) -> None:
    (path,) = named(long, tmp_path, 0)
    with pytest.raises(BadInput, match=r"0800\.mp4: was given twice"):
        open_recordings([path, path])


@pytest.fixture
def options(tmp_path: Path) -> AuditOptions:
    (tmp_path / "swipes.csv").write_text(
        "setl_id,psn_no,fixmedins_code,terminal_id,setl_time\nS1,anna,P33028100001,T01,2026-05-01 09:00:01\n"
    )
    (tmp_path / "gallery" / "anna").mkdir(parents=True)
    return AuditOptions([], tmp_path / "swipes.csv", tmp_path / "gallery", tmp_path / "out")


@pytest.mark.parametrize("skip", [False, True])
def test_an_audit_lists_overlaps_with_the_bad_recordings_and_skips_no_overlap(
    options: AuditOptions, long: Path, tmp_path: Path, skip: bool
) -> None:
    missing = tmp_path / "20260501T080000+0800.mp4"
    one, other = named(long, tmp_path, 0), named(long, tmp_path, 0, camera="second_")
    recordings = [missing, *one, *other]
    with pytest.raises(BadInput) as told:
        read_inputs(replace(options, recordings=recordings, skip_bad_recordings=skip))
    assert "1 of 3 recordings cannot be used" in str(told.value)
    assert all(str(path) in str(told.value) for path in recordings)
    assert "--skip-bad-recordings" not in str(told.value)


def test_a_long_list_of_overlaps_is_cut_and_counted(options: AuditOptions, long: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="and 4 more"):
        read_inputs(replace(options, recordings=named(long, tmp_path, *range(25))))


# --- starts that are guesses ---------------------------------------------------------------------------------------


def test_a_file_that_merely_follows_on_says_so(options: AuditOptions, long: Path, tmp_path: Path) -> None:
    (first,) = named(long, tmp_path, 0)
    recordings = open_recordings([first, long])
    assert [r.start_from for r in recordings] == ["name", "follows"]
    assert recordings[1].remarks == (f"has no time of its own and was taken to begin where {first.name} ends",)


# --- time stamps that start again ----------------------------------------------------------------------------------


def joined(folder: Path, *frames: int, suffix: str = ".ts") -> Path:
    path = folder / f"joined{suffix}"
    recipe = Recipe() if suffix == ".ts" else Recipe(codec="mpeg2video", options={})
    parts = [write_video(folder / f"{n}{suffix}", replace(recipe, frames=count)) for n, count in enumerate(frames)]
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


@pytest.mark.parametrize("frames", [(100, 100), (200, 30), (60, 200), (50, 50, 50, 50, 50)])
def test_files_joined_end_to_end_are_refused(tmp_path: Path, frames: tuple[int, ...]) -> None:
    with pytest.raises(BadInput, match=r"joined\.ts: its time stamps start again at about \d+% of the file"):
        open_recording(joined(tmp_path, *frames), START)


def test_files_whose_time_stamps_go_on_may_be_joined_end_to_end(tmp_path: Path) -> None:
    options = x264(25, "bframes=0")
    parts = [
        write_video(tmp_path / "a.mkv", Recipe(frames=50, options=options)),
        write_video(
            tmp_path / "b.mkv",
            Recipe(first_number=50, shown_ms=[2000 + 40 * n for n in range(50)], options=options),
        ),
    ]
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(shifted(part, part.with_suffix(".ts"), 0) for part in parts))
    with timeline(path) as footage:
        assert [pair[0] for pair in looked_at(footage, within(0, 4))] == [pair[0] for pair in GRID]


def test_a_clock_of_33_bits_that_runs_over_within_a_file_is_no_new_start(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mkv", LONG)
    path = tmp_path / "a.ts"
    shifted(source, path, (1 << 33) - 6 * 90_000)
    assert open_recording(path, START).duration_s == pytest.approx(12.0, abs=0.1)


def shifted(source: Path, target: Path, ticks: int) -> bytes:
    """Copy into MPEG-TS with time stamps later by some ticks of 90 kHz."""
    with av.open(str(source)) as opened, av.open(str(target), "w") as container:
        stream = container.add_stream_from_template(opened.streams.video[0])
        for packet in opened.demux(video=0):
            if packet.size and packet.pts is not None and packet.dts is not None:
                packet.pts, packet.dts, packet.stream = packet.pts + ticks // 90, packet.dts + ticks // 90, stream
                container.mux_one(packet)
    return target.read_bytes()


# --- clips that show less ------------------------------------------------------------------------------------------


def test_a_clip_that_leaves_a_recording_out_is_told(long: Path, tmp_path: Path) -> None:
    small = write_video(tmp_path / "small.mp4", Recipe(wh=(160, 96)))
    second = open_recording(small, START + timedelta(seconds=12))
    with RecordedTimeline([open_recording(long, START), second]) as footage:
        window = within(6, 16)
        cut = footage.cut(window, tmp_path / "clip.mp4")
        assert cut is not None and cut.sources == ("long.mp4",)
        told = what_a_clip_lacks(footage, window, cut)
    assert told.startswith("the clip shows only 2026-05-01 09:00:06.000 to 2026-05-01 09:00:12.000, 4.0 s less")
    assert told.endswith("small.mp4 could not be joined to it")


def test_a_clip_of_all_that_is_recorded_lacks_nothing(long: Path, tmp_path: Path) -> None:
    later = open_recording(long, START + timedelta(seconds=14))
    with RecordedTimeline([open_recording(long, START), later]) as footage:
        for window in (within(3, 9), within(-5, 5), within(10, 20), within(10, 13)):
            cut = footage.cut(window, tmp_path / "clip.mp4")
            assert cut is not None
            assert what_a_clip_lacks(footage, window, cut) == ""


def test_an_audit_warns_of_a_clip_that_shows_less_than_is_recorded(
    options: AuditOptions, long: Path, tmp_path: Path, thresholds: str
) -> None:
    (first,) = named(long, tmp_path, -10)
    small = write_video(tmp_path / "20260501T090002+0800.mp4", Recipe(wh=(160, 96)))
    result = run_audit(replace(options, recordings=[first, small], thresholds=thresholds))
    assert result.checks[0].clip is not None
    assert any(w.startswith("S1: the clip shows only") and small.name in w for w in result.warnings)
    assert "S1: the clip shows only" in result.report.read_text(encoding="utf-8")
