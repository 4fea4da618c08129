"""Footage in a ring: the same as in one file, while it grows, and when parts of it go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from edge_agent.footage import TimeWindow
from edge_agent.recorded import RecordedTimeline, open_recording
from edge_agent.recorder.segment_writer import SegmentWriter
from edge_agent.ring.index import Segment, SegmentIndex
from edge_agent.ring.segment_ring import SegmentRing
from renzheng.clock import from_seconds, to_seconds
from renzheng.files import sha256_file
from tests.edge_agent.numbered_video import (
    START_S,
    Recipe,
    looked_at,
    read_number,
    shown_in,
    timeline,
    within,
    write_video,
    x264,
    x265,
)
from tests.edge_agent.ring.recording import feed, record

LENGTH = 240
OPEN_GROUPS = "bframes=3:open-gop=1:b-adapt=0"
"""Pictures that are sent after a keyframe and shown before it."""

RECIPES = {
    "h264": ("a.mp4", Recipe(frames=LENGTH, options=x264(25))),
    "h264-keyframes-off-the-grid": ("a.mp4", Recipe(frames=LENGTH, options=x264(23))),
    "h264-without-b-frames": ("a.mp4", Recipe(frames=LENGTH, options=x264(30, "bframes=0"))),
    "h264-open-groups": ("a.mp4", Recipe(frames=LENGTH, options=x264(27, OPEN_GROUPS))),
    "h265-open-groups": ("a.mp4", Recipe(frames=LENGTH, codec="libx265", options=x265(27, OPEN_GROUPS))),
    "mjpeg": ("a.mkv", Recipe(frames=LENGTH, codec="mjpeg", pixels="yuvj420p", options={}, tick=Fraction(1, 25))),
}


@pytest.fixture(scope="module", params=list(RECIPES))
def video(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    name, recipe = RECIPES[request.param]
    return write_video(tmp_path_factory.mktemp("video") / name, recipe)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("plain") / "plain.mp4", Recipe(frames=LENGTH))


@pytest.fixture
def ring(plain: Path, tmp_path: Path) -> Iterator[SegmentRing]:
    """Five segments of two seconds, the last one shorter."""
    record(plain, tmp_path / "ring", START_S).close()
    with SegmentRing(tmp_path / "ring") as opened:
        yield opened


def open_descriptors() -> list[str]:
    return [
        str(p.readlink()) for p in Path("/proc/self/fd").iterdir() if p.is_symlink() and ".mp4" in str(p.readlink())
    ]


# --- a ring is like a file -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("window", [within(-1, 20), within(0.3, 7.7), within(1.97, 4.03), within(4, 4.2)])
def test_a_ring_gives_the_same_frames_to_look_at_as_one_recording(
    video: Path, tmp_path: Path, window: TimeWindow
) -> None:
    record(video, tmp_path / "ring", START_S).close()
    with SegmentRing(tmp_path / "ring") as ring, timeline(video) as whole:
        assert len({s.source for s in ring.stretches(within(-1, 20))}) >= 4
        assert looked_at(ring, window) == looked_at(whole, window)
        assert ring.recorded_share(window) == pytest.approx(whole.recorded_share(window))


def test_a_ring_has_the_same_stretches_and_glances_as_one_recording(video: Path, tmp_path: Path) -> None:
    record(video, tmp_path / "ring", START_S).close()
    with SegmentRing(tmp_path / "ring") as ring, timeline(video) as whole:
        starts = [
            [round(s.start_s - START_S, 3) for s in footage.stretches(within(-1, 20))] for footage in (ring, whole)
        ]
        assert starts[0] == starts[1]
        moments = [
            [round(f.time_s - START_S, 3) for f in footage.glances(within(0, 9), 7)] for footage in (ring, whole)
        ]
        assert moments[0] == moments[1]


def test_a_clip_of_a_ring_shows_what_a_clip_of_one_recording_shows(video: Path, tmp_path: Path) -> None:
    record(video, tmp_path / "ring", START_S).close()
    with SegmentRing(tmp_path / "ring") as ring, timeline(video) as whole:
        cuts = [f.cut(within(1.5, 6.5), tmp_path / f"{n}.mp4") for n, f in enumerate((ring, whole))]
    assert cuts[0] is not None
    assert cuts[1] is not None
    assert cuts[0].start_s == pytest.approx(cuts[1].start_s, abs=1e-5)
    assert cuts[0].end_s == pytest.approx(cuts[1].end_s, abs=1e-5)
    assert shown_in(cuts[0].path) == shown_in(cuts[1].path)
    assert len(cuts[0].sources) >= 3


def test_the_audit_does_not_see_a_border_between_files_that_follow_on_each_other(plain: Path, tmp_path: Path) -> None:
    index = record(plain, tmp_path / "ring", START_S)
    files = [
        replace(open_recording(tmp_path / "ring" / s.name, from_seconds(s.start_s)), start_s=s.start_s, end_s=s.end_s)
        for s in index.segments()
    ]
    index.close()
    with RecordedTimeline(files) as parts, timeline(plain) as whole:
        assert looked_at(parts, within(0, 20)) == looked_at(whole, within(0, 20))


def test_segments_whose_border_is_off_the_grid_give_no_frame_twice(tmp_path: Path) -> None:
    """With a keyframe every 23 pictures segments begin at 2.76 s, 5.52 s …, inside an interval of the grid."""
    video = write_video(tmp_path / "a.mp4", Recipe(frames=150, options=x264(23)))
    record(video, tmp_path / "ring", START_S).close()
    with SegmentRing(tmp_path / "ring") as ring:
        numbers = [number for _, number in looked_at(ring, within(0, 6))]
    assert numbers == list(range(0, 150, 5))


# --- a ring that grows and shrinks -----------------------------------------------------------------------------------


def test_a_window_that_ends_now_works_up_to_what_is_on_the_disk(plain: Path, tmp_path: Path) -> None:
    index = SegmentIndex(tmp_path / "ring")
    writer = SegmentWriter(index.folder, index, 4.0)
    seen = []
    with SegmentRing(tmp_path / "ring") as ring, timeline(plain) as whole:
        assert ring.recorded_until() is None
        assert ring.newest_frame() is None
        for first in range(0, 200, 10):
            feed(writer, plain, START_S, first=first, count=10)
            until_s = ring.recorded_until()
            now = (first + 10) / 25
            if until_s is None:
                continue
            assert now - 0.6 < until_s - START_S <= now
            expected = [f for f in looked_at(whole, within(now - 3, now)) if f[0] < until_s - START_S - 1e-6]
            assert looked_at(ring, within(now - 3, now)) == expected
            newest = ring.newest_frame()
            assert newest is not None
            seen.append(read_number(newest.reduced_bgr))
    writer.close()
    index.close()
    assert seen[-1] == 175
    assert seen == sorted(seen)


def test_a_window_in_the_open_segment_is_cut_as_a_clip(plain: Path, tmp_path: Path) -> None:
    record(plain, tmp_path / "ring", START_S, segment_s=100, close=False).close()
    with SegmentRing(tmp_path / "ring") as ring:
        cut = ring.cut(within(5.2, 30), tmp_path / "clip.mp4")
    assert cut is not None
    assert shown_in(cut.path)[:50] == list(range(125, 175))
    assert cut.end_s == pytest.approx(START_S + 9.6, abs=0.6)


def test_a_segment_whose_file_is_gone_counts_as_not_recorded(ring: SegmentRing, tmp_path: Path) -> None:
    gone = ring.index.covering(within(2.5, 3))[0]
    (ring.folder / gone.name).unlink()
    assert [s for s, _ in looked_at(ring, within(0, 6))] == [n / 5 for n in range(30) if not 10 <= n < 20]
    assert ring.recorded_share(within(0, 4)) == pytest.approx(0.5)
    assert len(ring.glances(within(0, 6), 3)) == 3
    cut = ring.cut(within(0, 6), tmp_path / "clip.mp4")
    assert cut is not None
    assert gone.name not in cut.sources


def test_a_segment_that_goes_between_question_and_answer_is_told_and_raises_nothing(ring: SegmentRing) -> None:
    window = within(0, 6)
    stretches = ring.stretches(window)
    gone = ring.index.covering(within(2.5, 3))[0]
    ring.index.forget(gone.id)
    (ring.folder / gone.name).unlink()
    told: list[str] = []
    frames = [frame for stretch in stretches for frame in ring.look(stretch, window, told.append)]
    assert len(frames) == 20
    assert told
    assert all(gone.name in text for text in told)


def test_a_segment_that_goes_while_it_is_opened_is_left_out(ring: SegmentRing, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = ring.index.covering(within(2.5, 3))[0]
    rows = ring.index.covering
    asked: list[TimeWindow] = []

    def covering(window: TimeWindow) -> list[Segment]:
        found = rows(window)
        asked.append(window)
        return found

    def segments(window: TimeWindow) -> list[Segment]:
        found = listed(window)
        (ring.folder / gone.name).unlink(missing_ok=True)
        return found

    listed = ring._segments
    monkeypatch.setattr(ring.index, "covering", covering)
    monkeypatch.setattr(ring, "_segments", segments)
    assert {s.source for s in ring.stretches(within(0, 6))}.isdisjoint({gone.name})
    assert len(asked) == 2


def test_an_index_that_cannot_be_read_is_an_empty_ring(ring: SegmentRing, tmp_path: Path) -> None:
    ring.close()
    ring.index.path.write_bytes(b"no database at all " * 300)
    assert ring.stretches(within(0, 6)) == []
    assert ring.recorded_share(within(0, 6)) == 0
    assert ring.glances(within(0, 6), 3) == []
    assert ring.cut(within(0, 6), tmp_path / "clip.mp4") is None
    assert ring.recorded_until() is None
    assert ring.newest_frame() is None
    assert ring.clock_unclear(within(0, 6))


def test_a_segment_full_of_noise_raises_nothing(ring: SegmentRing) -> None:
    name = ring.index.covering(within(2.5, 3))[0].name
    (ring.folder / name).write_bytes(bytes(range(256)) * 80)
    told: list[str] = []
    for window in (within(0, 6), within(2.5, 3)):
        for stretch in ring.stretches(window):
            list(ring.look(stretch, window, told.append))
        ring.glances(window, 3)


def test_no_file_stays_open_after_a_question(ring: SegmentRing, tmp_path: Path) -> None:
    window = within(0, 9)
    for stretch in ring.stretches(window):
        next(iter(ring.look(stretch, window, print)), None)
    ring.glances(window, 4)
    ring.cut(window, tmp_path / "clip.mp4")
    ring.newest_frame()
    ring.segments_of(window)
    assert [path for path in open_descriptors() if str(ring.folder) in path] == []


def test_within_a_check_files_stay_open_and_are_closed_after_it(ring: SegmentRing) -> None:
    def open_here() -> list[str]:
        return [path for path in open_descriptors() if str(ring.folder) in path]

    with ring.held_open():
        with ring.held_open():
            ring.stretches(within(0, 3))
        assert len(open_here()) == 2
        for start_s in range(8):
            ring.glances(within(start_s, start_s + 1.5), 2)
            assert len(open_here()) <= 10
    assert open_here() == []


# --- clocks and manifests --------------------------------------------------------------------------------------------


def two_epochs(video: Path, folder: Path, first_s: float, second_s: float) -> None:
    index = SegmentIndex(folder)
    writer = SegmentWriter(folder, index, 2.0)
    feed(writer, video, START_S + first_s)
    writer.cut()
    writer.epoch = 1
    feed(writer, video, START_S + second_s)
    writer.close()
    index.close()


def test_where_the_clock_was_set_back_the_later_recording_answers_and_the_times_are_unclear(
    plain: Path, tmp_path: Path
) -> None:
    two_epochs(plain, tmp_path / "ring", 0.0, -5.0)
    with SegmentRing(tmp_path / "ring") as ring:
        assert [n for _, n in looked_at(ring, within(0, 4))] == list(range(125, 225, 5))
        assert ring.clock_unclear(within(0, 1))
        assert ring.clock_unclear(within(-20, -10))
        assert not ring.clock_unclear(within(-60, -50))


def test_what_was_recorded_before_the_clock_was_set_ahead_is_unclear(plain: Path, tmp_path: Path) -> None:
    two_epochs(plain, tmp_path / "ring", 0.0, 3600.0)
    with SegmentRing(tmp_path / "ring") as ring:
        assert ring.clock_unclear(within(2, 8))
        assert not ring.clock_unclear(within(3602, 3608))


def test_times_of_one_epoch_are_clear(ring: SegmentRing) -> None:
    assert not ring.clock_unclear(within(0, 9))
    assert not ring.clock_unclear(within(100, 109))


def test_the_segments_of_a_clip_are_named_with_their_digests(ring: SegmentRing, tmp_path: Path) -> None:
    cut = ring.cut(within(2.5, 5), tmp_path / "clip.mp4")
    assert cut is not None
    listed = ring.segments_of(cut)
    assert [segment.name for segment in listed] == list(cut.sources)
    assert [segment.name for segment in ring.segments_of(within(2.5, 5))] == list(cut.sources)
    for segment in listed:
        assert segment.sha256 == sha256_file(ring.folder / segment.name)
    assert to_seconds(listed[0].start) == pytest.approx(START_S + 2)
    assert to_seconds(listed[-1].end) == pytest.approx(START_S + 6)
