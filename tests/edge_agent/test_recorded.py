"""Recorded footage: what is refused, and what is seen of what is not."""

from __future__ import annotations

import gc
import random
import weakref
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import av
import numpy as np
import pytest

from edge_agent.footage import Footage
from edge_agent.recorded import RecordedTimeline, open_recording
from renzheng.errors import BadInput
from tests.edge_agent.numbered_video import (
    GRID,
    START,
    START_S,
    Recipe,
    hide_beginning,
    looked_at,
    numbered_picture,
    read_number,
    shown_in,
    timeline,
    within,
    write_sound,
    write_video,
    x264,
    x265,
)
from vision.types import Frame


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("plain") / "plain.mp4")


@pytest.fixture
def footage(plain: Path) -> Iterator[RecordedTimeline]:
    with timeline(plain) as opened:
        yield opened


# --- what a recording is -------------------------------------------------------------------------------------------


def test_the_given_start_goes_before_the_name_and_the_name_before_the_container(plain: Path, tmp_path: Path) -> None:
    named = tmp_path / "20260501T090000+0800.mp4"
    named.write_bytes(plain.read_bytes())
    assert open_recording(named).start_s == START_S
    assert open_recording(named, START + timedelta(hours=1)).start_s == START_S + 3600


def test_the_containers_creation_time_tells_the_start_when_nothing_else_does(plain: Path, tmp_path: Path) -> None:
    dated = tmp_path / "counter.mp4"
    with av.open(str(plain)) as source, av.open(str(dated), "w") as target:
        target.metadata["creation_time"] = "2026-05-01T01:00:00.000000Z"
        stream = target.add_stream_from_template(source.streams.video[0], opaque=True)
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                target.mux_one(packet)
    recording = open_recording(dated)
    assert (recording.start_s, recording.start_from) == (START_S, "container")
    (remark,) = recording.remarks
    assert "creation_time, 2026-05-01 09:00:00;" in remark and "clock in the picture" in remark


def test_an_unknown_start_is_refused_with_the_ways_to_give_it(plain: Path) -> None:
    with pytest.raises(BadInput, match=r"plain\.mp4: when does it begin\? Give --recording-start, name it like"):
        open_recording(plain)


def test_size_codec_and_duration_are_probed_without_decoding(plain: Path) -> None:
    recording = open_recording(plain, START)
    assert (recording.codec, recording.coded_wh) == ("h264", (320, 180))
    assert recording.duration_s == pytest.approx(4.0)


def make_missing(path: Path) -> None:
    path.unlink(missing_ok=True)


def make_empty(path: Path) -> None:
    path.write_bytes(b"")


def make_text(path: Path) -> None:
    path.write_text("setl_id,psn_no\n" * 500)


def make_playlist(path: Path) -> None:
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")


def make_picture(path: Path) -> None:
    import cv2

    path.write_bytes(cv2.imencode(".png", numbered_picture(1))[1].tobytes())


def make_unfinished(path: Path) -> None:
    data = write_video(path).read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])


def make_unknown_codec(path: Path) -> None:
    path.write_bytes(write_video(path).read_bytes().replace(b"avc1", b"zzz1"))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (make_missing, "no such recording"),
        (make_empty, "is empty, expected a video file"),
        (make_text, "is not a video that can be read"),
        (make_playlist, "is not a video that can be read"),
        (make_picture, "is not a video that can be read"),
        (write_sound, "expected a video, found sound only"),
        (make_unfinished, "is an unfinished or truncated MP4"),
        (make_unknown_codec, "its video codec is not supported"),
    ],
)
def test_a_file_that_is_no_footage_is_refused_by_name_in_one_line(
    tmp_path: Path, spoil: Callable[[Path], object], message: str
) -> None:
    path = tmp_path / "counter.mp4"
    spoil(path)
    with pytest.raises(BadInput) as refused:
        open_recording(path, START)
    assert str(refused.value).startswith(f"{path}: ") and message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is a folder, expected a video file"):
        open_recording(tmp_path, START)


@pytest.mark.parametrize(
    ("name", "container"),
    [
        ("cut.ts", {}),
        ("cut.mkv", {}),
        ("cut.mp4", {"movflags": "frag_keyframe+empty_moov"}),
        ("cut.mp4", {"movflags": "faststart"}),
    ],
    ids=["mpeg-ts", "mkv", "fragmented mp4", "mp4 with its index in front"],
)
def test_a_recording_truncated_mid_file_is_used_as_far_as_it_goes(
    tmp_path: Path, name: str, container: dict[str, str]
) -> None:
    path = write_video(tmp_path / name, Recipe(container=container))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 65 // 100])
    recording = open_recording(path, START)
    assert 1.9 < recording.duration_s < 3.1
    with RecordedTimeline([recording]) as footage:
        seen = looked_at(footage, within(0, 4), damage=[])
        assert footage.recorded_share(within(0, 4)) == pytest.approx(recording.duration_s / 4)
    assert seen == [pair for pair in GRID if pair[0] < recording.duration_s][: len(seen)]
    assert len(seen) >= 9


# --- looking -------------------------------------------------------------------------------------------------------

RECIPES = {
    "h264 mp4": ("a.mp4", Recipe()),
    "h264 mpeg-ts": ("a.ts", Recipe()),
    "h264 mkv": ("a.mkv", Recipe()),
    "h264 fragmented": ("a.mp4", Recipe(container={"movflags": "frag_keyframe+empty_moov"})),
    "h264 open gop": ("a.mp4", Recipe(options=x264(25, "open-gop=1:bframes=3:b-pyramid=normal"))),
    "h264 open gop mpeg-ts": ("a.ts", Recipe(options=x264(25, "open-gop=1:bframes=3:b-pyramid=normal"))),
    "h264 no b-frames": ("a.mp4", Recipe(options=x264(10, "bframes=0"))),
    "h264 4:2:2": ("a.mp4", Recipe(pixels="yuv422p")),
    "h264 10-bit": ("a.mp4", Recipe(pixels="yuv420p10le")),
    "h265": ("a.mp4", Recipe(codec="libx265", options=x265(25))),
    "h265 open gop mpeg-ts": ("a.ts", Recipe(codec="libx265", options=x265(25, "open-gop=1:bframes=4"))),
    "h265 10-bit": ("a.mkv", Recipe(codec="libx265", pixels="yuv420p10le", options=x265(25))),
    "vp9": ("a.webm", Recipe(codec="libvpx-vp9", options={"g": "25", "deadline": "realtime", "cpu-used": "8"})),
    "mjpeg": ("a.avi", Recipe(codec="mjpeg", pixels="yuvj420p", options={})),
    "does not begin at zero": ("a.mp4", Recipe(shown_ms=[7000 + 40 * n for n in range(100)])),
}


@pytest.mark.parametrize("kind", RECIPES)
def test_every_kind_of_recording_gives_the_same_pictures_at_the_same_times(tmp_path: Path, kind: str) -> None:
    name, recipe = RECIPES[kind]
    path = write_video(tmp_path / name, recipe)
    with timeline(path) as footage:
        assert looked_at(footage, within(0, 4)) == GRID
        assert looked_at(footage, within(0, 4), order=lambda stretches: stretches[::-1]) == GRID
        assert looked_at(footage, within(1.5, 2.5)) == [pair for pair in GRID if 1.5 <= pair[0] < 2.5]
        cut = footage.cut(within(1.5, 2.5), tmp_path / "clip.mp4")
    assert cut is not None
    numbers = shown_in(cut.path)
    assert numbers[0] <= 37 and numbers[-1] >= 61
    assert numbers == list(range(numbers[0], numbers[-1] + 1))


def test_a_variable_frame_rate_is_looked_at_by_time(tmp_path: Path) -> None:
    shown_ms = [0, 40, 200, 210, 250, 900, 1000, 1500, 1510, 1600, 2300, 2400, 2401, 2450, 3000, 3300, 3400, 3420]
    with timeline(write_video(tmp_path / "vfr.mp4", Recipe(shown_ms=shown_ms, options=x264(5)))) as footage:
        seen = looked_at(footage, within(0, 4))
    cells: dict[int, tuple[float, int]] = {}
    for number, milliseconds in enumerate(shown_ms):
        cells.setdefault(milliseconds // 200, (milliseconds / 1000, number))
    assert seen == list(cells.values())


def test_an_edit_list_that_begins_within_a_group_hides_what_is_before_it(plain: Path, tmp_path: Path) -> None:
    with timeline(hide_beginning(plain, tmp_path / "edited.mp4", hidden_ms=600)) as footage:
        stretches = footage.stretches(within(0, 4))
        assert [round(s.start_s - START_S, 3) for s in stretches] == [-0.6, 0.4, 1.4, 2.4]
        assert looked_at(footage, within(0, 4)) == [(s, n + 15) for s, n in GRID if n + 15 < 100]


def test_a_window_without_a_keyframe_begins_with_the_keyframe_before_it(tmp_path: Path) -> None:
    path = write_video(tmp_path / "long.ts", Recipe(frames=200, options=x264(400)))
    with timeline(path) as footage:
        assert [round(s.start_s - START_S, 3) for s in footage.stretches(within(5, 6))] == [0.0]
        assert looked_at(footage, within(5, 6)) == [(5.0, 125), (5.2, 130), (5.4, 135), (5.6, 140), (5.8, 145)]


@pytest.mark.parametrize(
    ("degrees", "full_wh"), [(90, (180, 320)), (180, (320, 180)), (-90, (180, 320)), (0, (320, 180))]
)
def test_a_recording_rotated_by_metadata_is_seen_upright(
    tmp_path: Path, degrees: int, full_wh: tuple[int, int]
) -> None:
    path = write_video(tmp_path / "turned.mp4", Recipe(frames=5, rotation=degrees))
    with timeline(path) as footage:
        window = within(0, 0.2)
        frame = next(footage.look(footage.stretches(window)[0], window, pytest.fail))
        cut = footage.cut(window, tmp_path / "clip.mp4")
    assert frame.full_wh == full_wh and frame.full_bgr.shape[1::-1] == full_wh
    expected = np.rot90(numbered_picture(0), degrees // 90)
    assert np.abs(frame.full_bgr.astype(int) - expected).mean() < 6
    assert np.abs(frame.reduced_bgr.astype(int) - expected).mean() < 6
    assert cut is not None
    with av.open(str(cut.path)) as container:
        assert next(container.decode(video=0)).rotation % 360 == degrees % 360


def test_the_reduced_picture_has_the_asked_for_longest_side_and_is_never_enlarged(plain: Path) -> None:
    recording = open_recording(plain, START)
    for side, expected in ((160, (90, 160, 3)), (640, (180, 320, 3))):
        with RecordedTimeline([recording], reduced_long_side_px=side) as footage:
            frame = next(footage.look(footage.stretches(within(0, 1))[0], within(0, 1), pytest.fail))
            assert frame.reduced_bgr.shape == expected and frame.full_bgr.shape == (180, 320, 3)


def test_what_is_seen_does_not_depend_on_order_or_extent_of_the_search(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", Recipe(frames=150, options=x264(17, "open-gop=1:bframes=3")))
    start = START + timedelta(milliseconds=130)
    with timeline(path, start) as footage:
        whole = looked_at(footage, within(0, 7))
    cells = [int((seconds + START_S + 0.001) * 5) for seconds, _ in whole]
    assert len(set(cells)) == len(cells)
    rng = random.Random(5)
    with timeline(path, start) as footage:
        for _ in range(25):
            from_s = rng.uniform(0, 5)
            to_s = from_s + rng.uniform(0.05, 3)
            shuffled = looked_at(footage, within(from_s, to_s), order=lambda s: rng.sample(s, len(s)))
            assert shuffled == [pair for pair in whole if from_s <= pair[0] < to_s]


def test_the_same_moment_gives_the_same_pixels_forwards_and_backwards(footage: RecordedTimeline, plain: Path) -> None:
    def pixels(opened: Footage, step: int) -> dict[float, bytes]:
        window = within(0.5, 3.5)
        frames = [f for s in opened.stretches(window)[::step] for f in opened.look(s, window, pytest.fail)]
        return {frame.time_s: frame.reduced_bgr.tobytes() + frame.full_bgr.tobytes() for frame in frames}

    with timeline(plain) as other:
        assert pixels(footage, 1) == pixels(other, -1)


def test_looks_may_be_abandoned_and_interleaved(footage: RecordedTimeline) -> None:
    window = within(0, 4)
    stretches = footage.stretches(window)
    looks = [footage.look(s, window, pytest.fail) for s in stretches]
    first = [read_number(next(look).reduced_bgr) for look in looks]
    second = [read_number(next(look).reduced_bgr) for look in looks]
    for look in looks:
        look.close()  # type: ignore[attr-defined]
    assert (first, second) == ([0, 25, 50, 75], [5, 30, 55, 80])
    assert looked_at(footage, window) == GRID


def test_a_frame_that_nobody_holds_is_freed(footage: RecordedTimeline) -> None:
    window = within(0, 1)
    looks = footage.look(footage.stretches(window)[0], window, pytest.fail)
    frame: Frame | None = next(looks)
    assert frame is not None and frame.full_bgr.size
    watch = weakref.ref(frame)
    frame = None
    gc.collect()
    assert watch() is None
    next(looks)


def test_glances_are_keyframes_spread_over_the_window(footage: RecordedTimeline) -> None:
    assert [read_number(f.reduced_bgr) for f in footage.glances(within(0, 4), 4)] == [0, 25, 50, 75]
    assert [read_number(f.reduced_bgr) for f in footage.glances(within(0, 4), 2)] == [25, 75]
    assert [read_number(f.reduced_bgr) for f in footage.glances(within(0, 4), 50)] == [0, 25, 50, 75]
    assert footage.glances(within(10, 20), 3) == []
