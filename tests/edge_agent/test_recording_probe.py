"""Opening the files of a ring, whose headers say what their pictures are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.recorded import RecordedTimeline, open_recording
from edge_agent.recording_probe import open_segment, video_stream
from renzheng.errors import BadInput
from tests.edge_agent.numbered_video import GRID, START, Recipe, looked_at, within, write_video, x264, x265

FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
IN_ORDER = Recipe(options=x264(25, "bframes=0"), container=FRAGMENTS)
REORDERED = Recipe(options=x264(25, "bframes=2"), container=FRAGMENTS)


def was_decoded(path: Path) -> bool:
    """Only decoding tells the format of pixels."""
    with open_segment(path) as container:
        return video_stream(path, container).codec_context.pix_fmt is not None


def test_nothing_is_decoded_to_open_a_segment_whose_pictures_come_in_order(tmp_path: Path) -> None:
    assert not was_decoded(write_video(tmp_path / "a.mp4", IN_ORDER))


def test_a_segment_whose_pictures_come_out_of_order_is_opened_thoroughly(tmp_path: Path) -> None:
    assert was_decoded(write_video(tmp_path / "a.mp4", REORDERED))


@pytest.mark.parametrize(
    "recipe",
    [
        IN_ORDER,
        REORDERED,
        Recipe(codec="libx265", options=x265(25, "bframes=0"), container=FRAGMENTS),
        Recipe(codec="libx265", options=x265(25), container=FRAGMENTS),
        Recipe(codec="mjpeg", pixels="yuvj420p", options={}, container=FRAGMENTS),
    ],
    ids=["h264", "h264 out of order", "h265", "h265 out of order", "mjpeg"],
)
def test_a_segment_shows_what_a_recording_shows(tmp_path: Path, recipe: Recipe) -> None:
    recording = open_recording(write_video(tmp_path / "a.mp4", recipe), START)
    with RecordedTimeline([replace(recording, start_from="ring")]) as footage:
        assert looked_at(footage, within(-1, 5)) == GRID


def test_a_segment_that_is_no_video_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"\0" * 4000)
    with pytest.raises(BadInput, match=r"a\.mp4"):
        open_segment(path)
