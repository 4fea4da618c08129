"""A clip of a camera with a private zone: every picture is decoded, blackened there and encoded again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from edge_agent.clip import ClipPart
from edge_agent.footage import Cut
from edge_agent.private_zones import PrivateZones
from edge_agent.recording_pictures import upright_bgr
from edge_agent.recording_reader import ReaderPool
from renzheng.files import atomic_path
from vision.types import BgrImage

_TIME_BASE = Fraction(1, 90_000)
_CODING = {"preset": "veryfast", "crf": "20", "bf": "0", "g": "50", "flags": "+bitexact"}
"""Without B-frames pictures are stored in the order they are shown in, so their times need no shift."""

_Shown = tuple[float, float, BgrImage]
"""When a picture is shown and for how long, seconds, and the picture, blackened."""


def write_masked_clip(pool: ReaderPool, parts: Sequence[ClipPart], path: Path, private: PrivateZones) -> Cut | None:
    """Encode the parts into one upright MP4 at the times their pictures had; the same bytes on every run.

    A recording of another size is scaled to the first one's. Raises :class:`renzheng.errors.StorageFull` when the disk
    is full; no partial file stays behind.
    """
    sources: dict[str, None] = {}
    shown = (
        picture for part in parts for picture in _pictures(pool, part, private) if not sources.update({part.name: None})
    )
    first = next(shown, None)
    if first is None:
        return None
    with atomic_path(path) as written:
        end_s = _write(written, first, shown, parts[0].recording.frame_s)
    return Cut(path, first[0], end_s, tuple(sources))


def _pictures(pool: ReaderPool, part: ClipPart, private: PrivateZones) -> Iterator[_Shown]:
    """The pictures on the screen during a part, as far as they can be decoded."""
    at = part.recording
    with pool.reader(at) as reader:
        gops = part.gops.gops(reader, at.pts_at(part.part.start_s), at.pts_at(part.part.end_s) + 1)
        packets = reader.packets_at(gops[0].key_pts) if gops else iter(())
        reader.context.skip_frame = "DEFAULT"
        time_s = at.seconds(gops[0].key_pts) - at.frame_s if gops else 0.0
        for picture in _decoded(reader.context, packets):
            pts = picture.pts if picture.pts is not None else picture.dts
            time_s = time_s + at.frame_s if pts is None else at.seconds(pts)
            if time_s >= part.part.end_s:
                return
            if time_s + at.frame_s > part.part.start_s:
                yield time_s, at.frame_s, private.blackened(upright_bgr(picture))


def _decoded(context: av.VideoCodecContext, packets: Iterator[Packet[VideoStream]]) -> Iterator[VideoFrame]:
    """Every picture the decoder gives; what it refuses is missing here as it is in the recording."""
    for packet in packets:
        with suppress(FFmpegError):
            yield from context.decode(packet)
    with suppress(FFmpegError):
        yield from context.decode(None)


def _write(path: Path, first: _Shown, others: Iterator[_Shown], frame_s: float) -> float:
    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    container = av.open(str(path), "w", format="mp4", container_options=options)
    try:
        end_s = _encode(container, first, others, frame_s)
        container.close()
    except BaseException:
        with suppress(FFmpegError, OSError):  # the error that led here says more
            container.close()
        raise
    return end_s


def _encode(container: OutputContainer, first: _Shown, others: Iterator[_Shown], frame_s: float) -> float:
    height, width = (side & ~1 or 2 for side in first[2].shape[:2])  # 4:2:0 takes even sides only
    rate = Fraction(1 / frame_s).limit_denominator(1000)
    stream = container.add_stream("libx264", rate=rate, options=_CODING)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.codec_context.time_base = _TIME_BASE
    stream.codec_context.thread_count = 1
    last_ticks, end_s = -1, first[0]
    for time_s, shown_s, picture_bgr in _chained(first, others):
        ticks = max(round((time_s - first[0]) / _TIME_BASE), last_ticks + 1)
        frame = VideoFrame.from_ndarray(_fitted(picture_bgr, width, height), format="bgr24")
        frame.pts, frame.time_base, frame.duration = ticks, _TIME_BASE, round(shown_s / _TIME_BASE)
        container.mux(stream.encode(frame))
        last_ticks, end_s = ticks, time_s + shown_s
    container.mux(stream.encode(None))
    return end_s


def _chained(first: _Shown, others: Iterator[_Shown]) -> Iterator[_Shown]:
    yield first
    yield from others


def _fitted(picture_bgr: BgrImage, width: int, height: int) -> BgrImage:
    """The picture in that size: less an odd last row or column, or scaled where it is of another size."""
    there_h, there_w = picture_bgr.shape[:2]
    if 0 <= there_w - width <= 1 and 0 <= there_h - height <= 1:
        return np.ascontiguousarray(picture_bgr[:height, :width])
    return np.asarray(cv2.resize(picture_bgr, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
