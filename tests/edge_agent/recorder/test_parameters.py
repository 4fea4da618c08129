"""Parameters of a stream, and noticing their change in the middle."""

from __future__ import annotations

import io
from pathlib import Path

import av
import pytest

from edge_agent.recorder.parameters import ParameterWatch, jpeg_size, sequence_parameters
from edge_agent.recorder.segment_file import StreamParameters
from tests.edge_agent.numbered_video import Recipe, write_video, x264, x265

SMALL, LARGE = (320, 180), (480, 272)


def joined_ts(folder: Path, *recipes: Recipe) -> Path:
    """Videos of different parameters as one MPEG-TS, as a camera sends that is set otherwise meanwhile."""
    target = folder / "joined.ts"
    with target.open("wb") as stream:
        for number, recipe in enumerate(recipes):
            stream.write(write_video(folder / f"{number}.ts", recipe).read_bytes())
    return target


def watched(path: Path) -> list[StreamParameters]:
    """Parameters of each packet of a video, those that repeat left out."""
    found: list[StreamParameters] = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        watch = ParameterWatch(stream)
        for packet in container.demux(stream):
            if packet.size:
                parameters = watch.of(packet)
                if not found or parameters != found[-1]:
                    found.append(parameters)
    return found


@pytest.mark.parametrize(
    ("codec", "options"), [("libx264", x264(10)), ("libx265", x265(10, "bframes=0"))], ids=["H.264", "H.265"]
)
def test_another_resolution_is_read_from_the_keyframe_that_brings_it(
    tmp_path: Path, codec: str, options: dict[str, str]
) -> None:
    small = Recipe(frames=20, codec=codec, options=options)
    large = Recipe(frames=20, codec=codec, options=options, wh=LARGE)
    found = watched(joined_ts(tmp_path, small, large, small))
    assert [parameters.coded_wh for parameters in found] == [SMALL, LARGE, SMALL]
    assert found[0].extradata != found[1].extradata
    assert [(p.template.width, p.template.height) for p in found] == [SMALL, LARGE, SMALL]


def test_a_stream_that_stays_the_same_has_one_set(tmp_path: Path) -> None:
    assert len(watched(joined_ts(tmp_path, Recipe(frames=60, options=x264(10))))) == 1
    assert len(watched(write_video(tmp_path / "a.mp4", Recipe(frames=60, options=x264(10))))) == 1


def test_pictures_of_motion_jpeg_tell_their_size(tmp_path: Path) -> None:
    both = b""
    for wh in (SMALL, LARGE):
        video = write_video(tmp_path / "a.avi", Recipe(frames=3, codec="mjpeg", pixels="yuvj420p", options={}, wh=wh))
        with av.open(str(video)) as container:
            both += b"".join(bytes(p) for p in container.demux(video=0))
    path = tmp_path / "both.mjpeg"
    path.write_bytes(both)
    assert [parameters.coded_wh for parameters in watched(path)] == [SMALL, LARGE]


def test_parameters_outlive_the_container_they_came_from(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", Recipe(frames=10))
    with av.open(str(path)) as container:
        parameters = ParameterWatch(container.streams.video[0]).parameters
    with av.open(io.BytesIO(), "w", format="mp4") as target:
        copy = target.add_stream_from_template(parameters.template, opaque=True)
        assert (copy.width, copy.height) == SMALL


def test_a_damaged_keyframe_changes_nothing(tmp_path: Path) -> None:
    with av.open(str(write_video(tmp_path / "a.ts", Recipe(frames=30, options=x264(10))))) as container:
        stream = container.streams.video[0]
        watch = ParameterWatch(stream)
        keyframes = [p for p in container.demux(stream) if p.size and p.is_keyframe]
        before = watch.of(keyframes[0])
        noise = av.Packet(b"\x00\x00\x01\x67" + bytes(range(200)))
        noise.is_keyframe, noise.time_base = True, keyframes[0].time_base
        assert watch.of(noise) == before
        assert watch.of(keyframes[1]) == before


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x00\x00\x01", b"\xff\xd8", b"\xff\xd8\xff\xc0\x00", b"\x00" * 50])
def test_data_without_parameters_have_none(data: bytes) -> None:
    assert sequence_parameters("h264", data) is None
    assert sequence_parameters("hevc", data) is None
    assert jpeg_size(data) is None
