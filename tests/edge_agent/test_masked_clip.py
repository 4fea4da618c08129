"""Clips and portraits of a camera with a private zone: black there, otherwise what the camera saw, when it saw it."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from edge_agent.footage import Cut
from edge_agent.private_zones import PrivateZones
from edge_agent.recorded import RecordedTimeline, open_recording
from renzheng.contracts import SampleQuality
from renzheng.files import sha256_file
from tests.edge_agent.numbered_video import (
    START_S,
    Recipe,
    numbered_picture,
    read_number,
    within,
    write_video,
    x264,
    x265,
)
from vision.align import portrait
from vision.types import BgrImage, Face
from vision.zones import Zone, ZoneKind, Zones

CORNER = ((0.0, 0.0), (0.4, 0.0), (0.4, 0.4), (0.0, 0.4))
PRIVATE = PrivateZones(Zones((Zone(ZoneKind.PRIVATE, "toilet", CORNER), Zone(ZoneKind.COUNTER, "till", CORNER))))


def cut(recordings: list[Path], target: Path, from_s: float, to_s: float) -> Cut | None:
    with RecordedTimeline([open_recording(path) for path in recordings]) as timeline:
        return timeline.cut(within(from_s, to_s), target, PRIVATE)


def pictures(path: Path) -> list[tuple[float, BgrImage]]:
    """Seconds from the clip's start and the picture, as a player shows it."""
    with av.open(str(path)) as container:
        assert [stream.type for stream in container.streams] == ["video"]
        shown = list(container.decode(video=0))
        assert {frame.rotation for frame in shown} == {0}
        return [(float(frame.time or 0), np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)) for frame in shown]


def video(folder: Path, second: int = 0, **recipe: object) -> Path:
    return write_video(folder / f"20260501T0900{second:02d}+0800.mp4", Recipe(**recipe))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "recipe",
    [{"options": x264(25)}, {"codec": "libx265", "options": x265(25)}, {"wh": (322, 182), "options": x264(25)}],
    ids=["h264", "h265", "another size"],
)
def test_the_zone_is_black_and_the_rest_is_as_the_camera_saw_it(tmp_path: Path, recipe: dict[str, object]) -> None:
    done = cut([video(tmp_path, **recipe)], tmp_path / "clip.mp4", 1.0, 2.0)
    assert done is not None
    shown = pictures(done.path)
    with av.open(str(done.path)) as container:
        assert container.duration == pytest.approx(1_000_000, abs=1000)
    assert [read_number(image) for _, image in shown] == list(range(25, 50))
    assert [round(time_s, 3) for time_s, _ in shown] == [number / 25 for number in range(25)]
    assert (done.start_s, done.end_s) == (START_S + 1.0, pytest.approx(START_S + 2.0))
    for _, image in shown:
        height, width = image.shape[:2]
        assert image[: int(0.37 * height), : int(0.37 * width)].max() <= 3
        assert image[: int(0.4 * height), int(0.5 * width) :].mean() > 60


def test_a_turned_recording_is_masked_where_the_zone_lies_when_it_is_upright(tmp_path: Path) -> None:
    done = cut([video(tmp_path, rotation=90, frames=30)], tmp_path / "clip.mp4", 0.0, 1.0)
    assert done is not None
    _, image = pictures(done.path)[0]
    assert image.shape[:2] == (320, 180)
    assert image[:118, :66].max() <= 3
    upright = np.rot90(numbered_picture(0))
    rest = np.s_[:, 90:]
    assert float(np.abs(image[rest].astype(int) - upright[rest].astype(int)).mean()) < 12


def test_pictures_at_odd_times_keep_them(tmp_path: Path) -> None:
    shown_ms = [0, 40, 90, 300, 310, 700, 980]
    done = cut([video(tmp_path, shown_ms=shown_ms)], tmp_path / "clip.mp4", 0.0, 0.9)
    assert done is not None
    assert [round(time_s * 1000) for time_s, _ in pictures(done.path)] == shown_ms[:-1]


def test_the_same_footage_gives_the_same_bytes(tmp_path: Path) -> None:
    recording = video(tmp_path)
    both = [cut([recording], tmp_path / name, 0.5, 1.5) for name in ("a.mp4", "b.mp4")]
    digests = {sha256_file(done.path) for done in both if done}
    assert len(digests) == 1


def test_a_window_over_two_recordings_of_different_size_is_one_clip(tmp_path: Path) -> None:
    first, second = video(tmp_path, frames=50), video(tmp_path, 2, frames=50, wh=(160, 90), first_number=50)
    done = cut([first, second], tmp_path / "clip.mp4", 1.0, 3.0)
    assert done is not None
    assert done.sources == (first.name, second.name)
    shown = pictures(done.path)
    assert len(shown) == 50
    assert [read_number(image) for _, image in shown] == list(range(25, 75))
    assert all(image[:66, :118].max() <= 4 for _, image in shown)


def test_a_window_without_footage_gives_no_clip(tmp_path: Path) -> None:
    assert cut([video(tmp_path, frames=25)], tmp_path / "clip.mp4", 100.0, 101.0) is None
    assert not (tmp_path / "clip.mp4").exists()


def test_the_looks_after_a_masked_clip_are_those_before_it(tmp_path: Path) -> None:
    with RecordedTimeline([open_recording(video(tmp_path))]) as timeline:
        window = within(0.0, 2.0)

        def looks() -> list[float]:
            stretches = timeline.stretches(window)
            return [f.time_s for s in stretches for f in timeline.look(s, window, lambda _why: None)]

        before = looks()
        assert timeline.cut(window, tmp_path / "clip.mp4", PRIVATE)
        assert looks() == before


def test_a_portrait_that_reaches_into_the_zone_is_black_there() -> None:
    wh = (320, 180)
    image = np.full((180, 320, 3), 200, np.uint8)
    box = np.array([110.0, 60.0, 190.0, 160.0], np.float32)
    quality = SampleQuality(components={}, measures={}, score=1.0)
    face = Face(
        0.0,
        wh,
        box,
        np.zeros((5, 2), np.float32),
        1.0,
        quality,
        np.zeros((112, 112, 3), np.uint8),
        portrait(image, box),
    )
    shown = PRIVATE.portrait(face)
    assert shown.shape == face.portrait_bgr.shape
    assert shown[0, 0].max() == 0
    assert shown[-1, -1].min() == 200
    assert 0.05 < float((shown == 0).mean()) < 0.5
    assert PrivateZones(Zones.whole_picture()).portrait(face) is face.portrait_bgr
