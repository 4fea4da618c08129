"""Footage in a ring: the same as in one file, while it grows, and when parts of it go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from edge_agent.footage import TimeWindow
from edge_agent.recorded import RecordedTimeline, open_recording
from edge_agent.ring.index import SegmentIndex
from edge_agent.ring.segment_ring import SegmentRing
from renzheng.clock import from_seconds
from tests.edge_agent.numbered_video import (
    START_S,
    Recipe,
    looked_at,
    shown_in,
    timeline,
    within,
    write_video,
    x264,
    x265,
)
from tests.edge_agent.ring.recording import record

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
    index.close()
    files = [
        replace(open_recording(tmp_path / "ring" / s.name, from_seconds(s.start_s)), start_s=s.start_s, end_s=s.end_s)
        for s in record_rows(tmp_path / "ring")
    ]
    with RecordedTimeline(files) as parts, timeline(plain) as whole:
        assert looked_at(parts, within(0, 20)) == looked_at(whole, within(0, 20))


def record_rows(folder: Path) -> list[object]:
    with SegmentIndex(folder) as index:
        return list(index.segments())


def test_segments_whose_border_is_off_the_grid_give_no_frame_twice(tmp_path: Path) -> None:
    """With a keyframe every 23 pictures segments begin at 2.76 s, 5.52 s …, inside an interval of the grid."""
    video = write_video(tmp_path / "a.mp4", Recipe(frames=150, options=x264(23)))
    record(video, tmp_path / "ring", START_S).close()
    with SegmentRing(tmp_path / "ring") as ring:
        numbers = [number for _, number in looked_at(ring, within(0, 6))]
    assert numbers == list(range(0, 150, 5))
