"""Recorded footage: several files, damage, and the clips that are cut."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import av
import pytest

from edge_agent.recorded import RecordedTimeline, open_recording, open_recordings
from renzheng.errors import BadInput, StorageFull
from tests.edge_agent.numbered_video import (
    GRID,
    START,
    START_S,
    Recipe,
    damage_packet,
    drop_packet,
    looked_at,
    read_number,
    shown_in,
    timeline,
    within,
    write_video,
    x264,
    x265,
)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("plain") / "plain.mp4")


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("later") / "later.mp4", Recipe(first_number=100))


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_stretch_ends_where_the_recording_is_told_to_end_though_the_file_holds_more(plain: Path) -> None:
    told = replace(open_recording(plain, START), end_s=START_S + 1.5)
    with RecordedTimeline([told]) as footage:
        assert [s.end_s - START_S for s in footage.stretches(within(0, 4))] == pytest.approx([1.0, 1.5])


# --- several files -------------------------------------------------------------------------------------------------


def test_files_form_one_timeline_with_a_known_gap(plain: Path, later: Path) -> None:
    second = open_recording(later, START + timedelta(seconds=6))
    with RecordedTimeline([second, open_recording(plain, START)]) as footage:
        assert [r.path.name for r in footage.recordings] == ["plain.mp4", "later.mp4"]
        assert looked_at(footage, within(-5, 20)) == GRID + [(s + 6, n + 100) for s, n in GRID]
        assert footage.recorded_share(within(0, 10)) == pytest.approx(0.8)
        assert footage.recorded_share(within(4.5, 5.5)) == 0
        assert footage.stretches(within(4.5, 5.5)) == []
        assert footage.cut(within(4.5, 5.5), Path("never-written.mp4")) is None


def test_where_files_overlap_the_first_answers(plain: Path, later: Path) -> None:
    with RecordedTimeline(
        [open_recording(plain, START), open_recording(later, START + timedelta(seconds=3))]
    ) as footage:
        seen = looked_at(footage, within(0, 10))
        assert seen == GRID + [(s + 3, n + 100) for s, n in GRID if s >= 1]
        assert footage.recorded_share(within(0, 7)) == pytest.approx(1.0)


def test_a_file_without_a_time_of_its_own_follows_on(plain: Path, later: Path) -> None:
    first, second = open_recordings([plain, later], START)
    assert first.start_s == START_S
    assert second.start_s == pytest.approx(START_S + 4)
    with pytest.raises(BadInput, match="when does it begin"):
        open_recordings([plain, later])


def test_a_hundred_files_do_not_hold_a_hundred_descriptors(plain: Path, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.mp4" for number in range(100)]
    for path in paths:
        path.hardlink_to(plain)
    before = open_descriptors()
    recordings = open_recordings(paths, START)
    assert open_descriptors() == before
    with RecordedTimeline(recordings) as footage:
        window = within(0, 400)
        assert len(footage.stretches(window)) == 400
        looks = [next(footage.look(s, window, pytest.fail)) for s in footage.stretches(window)[::4]]
        assert [read_number(frame.reduced_bgr) for frame in looks] == [0] * 100
        assert open_descriptors() <= before + 2
    assert open_descriptors() == before


def test_a_stretch_of_other_footage_is_refused(plain: Path, later: Path) -> None:
    with timeline(plain) as footage, timeline(later) as other, pytest.raises(BadInput, match=r"later\.mp4: expected"):
        next(footage.look(other.stretches(within(0, 1))[0], within(0, 1), pytest.fail))


# --- damage --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
@pytest.mark.parametrize("packet", [25, 30, 31])
def test_a_corrupt_group_is_told_and_nothing_that_rests_on_it_is_seen(tmp_path: Path, name: str, packet: int) -> None:
    path = write_video(tmp_path / name)
    damage_packet(path, packet)
    told: list[str] = []
    with timeline(path) as footage:
        seen = looked_at(footage, within(0, 4), told)
    assert [pair for pair in seen if not 1 <= pair[0] < 2] == [pair for pair in GRID if not 1 <= pair[0] < 2]
    assert set(seen) <= set(GRID)
    assert len(seen) < len(GRID) or packet == 31  # the last one may never be needed
    assert len(told) == (len(seen) < len(GRID))
    assert all(path.name in text and "2026-05-01 09:00:01." in text for text in told)


def test_a_corrupt_picture_among_independent_ones_costs_only_itself(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", Recipe(codec="mjpeg", pixels="yuvj420p", options={}))
    damage_packet(path, 30)
    told: list[str] = []
    with timeline(path) as footage:
        assert looked_at(footage, within(0, 4), told) == [pair for pair in GRID if pair[1] != 30]
    assert len(told) == 1


@pytest.mark.parametrize("name", ["a.mp4", "a.ts"])
@pytest.mark.parametrize("more", ["bframes=0", "bframes=2:b-pyramid=none", "bframes=3:b-pyramid=normal:ref=3"])
def test_pictures_that_a_recorder_lost_are_noticed(tmp_path: Path, name: str, more: str) -> None:
    whole = write_video(tmp_path / "whole.mp4", Recipe(options=x264(25, more)))
    with timeline(drop_packet(whole, tmp_path / name, 28)) as footage:
        told: list[str] = []
        seen = looked_at(footage, within(0, 4), told)
    assert set(seen) <= set(GRID) and len(told) == 1
    assert [pair for pair in seen if pair[0] >= 2] == [pair for pair in GRID if pair[0] >= 2]


def test_pictures_that_a_recorder_lost_are_noticed_in_h265(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.mp4", Recipe(codec="libx265", options=x265(25, "bframes=0")))
    with timeline(drop_packet(whole, tmp_path / "a.mp4", 28)) as footage:
        told: list[str] = []
        seen = looked_at(footage, within(0, 4), told)
    assert set(seen) <= set(GRID) and len(told) == 1


# --- clips ---------------------------------------------------------------------------------------------------------


def test_a_clip_is_the_same_bytes_every_time(plain: Path, tmp_path: Path) -> None:
    window = within(1.3, 2.7)
    with timeline(plain) as footage:
        cuts = [footage.cut(window, tmp_path / name) for name in ("one.mp4", "two.mp4")]
    assert cuts[0] is not None and cuts[1] is not None
    assert cuts[0].path.read_bytes() == cuts[1].path.read_bytes()
    assert (cuts[0].start_s, cuts[0].sources) == (START_S + 1, ("plain.mp4",))
    assert cuts[0].end_s >= window.end_s - 0.04
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one.mp4", "two.mp4"]
    assert b"moov" in cuts[0].path.read_bytes()[:64]


def test_a_clip_of_h265_carries_the_tag_that_browsers_know(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.ts"):
        path = write_video(tmp_path / name, Recipe(codec="libx265", options=x265(25)))
        with timeline(path) as footage:
            cut = footage.cut(within(1.3, 2.7), tmp_path / "clip.mp4")
        assert cut is not None
        with av.open(str(cut.path)) as container:
            assert container.streams.video[0].codec_tag == "hvc1"


@pytest.mark.parametrize("gap_s", [0, 2, -0.5])
def test_a_clip_spans_two_files(plain: Path, later: Path, tmp_path: Path, gap_s: float) -> None:
    begin_s = 4 + gap_s
    second = open_recording(later, START + timedelta(seconds=begin_s))
    with RecordedTimeline([open_recording(plain, START), second]) as footage:
        cut = footage.cut(within(3.2, begin_s + 1.2), tmp_path / "clip.mp4")
    assert cut is not None and cut.sources == ("plain.mp4", "later.mp4")
    assert cut.start_s == START_S + 3 and cut.end_s >= START_S + begin_s + 1.16
    numbers = shown_in(cut.path)
    assert numbers[0] == 75 and numbers[-1] >= 129 and numbers == sorted(set(numbers))
    with av.open(str(cut.path)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert times[-1] == pytest.approx(cut.end_s - cut.start_s - 0.04, abs=0.005)


def test_a_clip_over_files_of_other_parameters_keeps_the_larger_part_and_says_so(plain: Path, tmp_path: Path) -> None:
    small = write_video(tmp_path / "small.mp4", Recipe(wh=(160, 96)))
    with RecordedTimeline(
        [open_recording(plain, START), open_recording(small, START + timedelta(seconds=4))]
    ) as footage:
        cut = footage.cut(within(3.5, 6), tmp_path / "clip.mp4")
    assert cut is not None and cut.sources == ("small.mp4",)


def test_a_codec_that_does_not_go_into_an_mp4_is_refused_by_name(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.webm", Recipe(frames=5, codec="libvpx", options={}))
    expected = r"a\.webm: expected video that goes into an MP4, vp8"
    with timeline(path) as footage, pytest.raises(BadInput, match=expected):
        footage.cut(within(0, 0.2), tmp_path / "clip.mp4")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.webm"]


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"a tiny disk cannot be mounted here: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_told_and_leaves_no_half_clip(plain: Path, tiny_disk: Path) -> None:
    with timeline(plain) as footage:
        with pytest.raises(StorageFull, match=r"clip\.mp4: no space left on the disk"):
            footage.cut(within(0, 4), tiny_disk / "clip.mp4")
        assert list(tiny_disk.iterdir()) == []
        assert looked_at(footage, within(0, 4)) == GRID


# --- real footage --------------------------------------------------------------------------------------------------


def test_a_real_street_clip_is_looked_at_and_cut(shared_dir: Path, tmp_path: Path) -> None:
    path = shared_dir / "video" / "street-1080p25.mp4"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    with timeline(path) as footage:
        window = within(0.5, 3.5)
        (stretch,) = footage.stretches(window)
        frames = list(footage.look(stretch, window, pytest.fail))
        cut = footage.cut(window, tmp_path / "clip.mp4")
    assert [round((frame.time_s - START_S) * 5, 2) for frame in frames] == list(range(3, 18))
    assert frames[0].full_wh == (1920, 1080) and frames[0].reduced_bgr.shape == (360, 640, 3)
    assert cut is not None and len(list(av.open(str(cut.path)).decode(video=0))) >= 87
