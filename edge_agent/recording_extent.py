"""Where the pictures of an opened video file begin and end, read from its index or its packets."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.stream import VideoStream

from renzheng.errors import BadInput

_JOINABLE = frozenset({"mpegts", "mpeg"})
"""Formats without an index, in which files joined end to end play on while the time stamps start again."""
_RESTART_SAMPLES = 23
_RESTART_S = 1.0
"""So many places of a file are compared; decoding times that lie this much earlier than before have started again."""
_INDEX_SLACK_S = 2.0


def packet_pts(packet: Packet[VideoStream]) -> int | None:
    """Presentation timestamp, or decoding timestamp in containers that have no other (AVI)."""
    return packet.pts if packet.pts is not None else packet.dts


def packets_to_end(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
    """Packets with data up to the end of what can be read; a truncated file simply ends."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, FFmpegError):
            return
        if packet.size:
            yield packet


def claimed_duration_s(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration is not None else None


def first_pts(path: Path, container: InputContainer, stream: VideoStream) -> int:
    if stream.start_time is not None:
        return stream.start_time
    for packet in packets_to_end(container, stream):
        pts = packet_pts(packet)
        if pts is None:
            break
        container.seek(pts, stream=stream)
        return pts
    raise BadInput(f"{path}: holds no picture with a time stamp; expected a finished recording, not a bare stream")


def real_duration_s(
    path: Path, container: InputContainer, stream: VideoStream, origin_pts: int, claimed_s: float | None, frame_s: float
) -> float:
    """Where the data end, whatever the header says: read from the packets, unless a complete index vouches for it."""
    time_base = float(stream.time_base or Fraction(1, 1000))
    indexed_s, whole = _indexed_duration_s(path, container, stream, origin_pts, time_base)
    if whole and indexed_s is not None and claimed_s is not None and abs(indexed_s - claimed_s) < _INDEX_SLACK_S:
        return claimed_s
    tail_from_s = min(d for d in (indexed_s, claimed_s, float("inf")) if d is not None)
    end_pts = None
    if tail_from_s < float("inf"):
        end_pts = _last_end(
            _packets_from(container, stream, origin_pts + int(tail_from_s / time_base)), frame_s / time_base
        )
    if end_pts is None:
        end_pts = _last_end(_packets_from(container, stream, origin_pts), frame_s / time_base)
    if end_pts is None or end_pts <= origin_pts:
        raise BadInput(f"{path}: holds no picture; expected a video file, this one is cut off before its first picture")
    return (end_pts - origin_pts) * time_base


def refuse_restarts(path: Path, container: InputContainer, stream: VideoStream) -> None:
    """Raise :class:`BadInput` where time stamps start again within the file: what comes after cannot be dated.

    Looks at a few places only, so it notices stamps that fall back by more than one part of ``_RESTART_SAMPLES``.
    """
    if container.format.name not in _JOINABLE:
        return
    size, time_base = path.stat().st_size, float(stream.time_base or Fraction(1, 1000))
    latest_s = -math.inf
    for number in range(_RESTART_SAMPLES):
        share = number / _RESTART_SAMPLES
        try:
            container.seek(int(size * share), unsupported_byte_offset=True)
        except FFmpegError:
            return
        dts = next((p.dts for p in packets_to_end(container, stream) if p.dts is not None and not p.is_corrupt), None)
        if dts is None:
            return
        if dts * time_base < latest_s - _RESTART_S:
            raise BadInput(
                f"{path}: its time stamps start again at about {share:.0%} of the file, as when files were joined end"
                " to end; when the pictures after that were taken cannot be told. Give the files it was joined from"
            )
        latest_s = max(latest_s, dts * time_base)


def _indexed_duration_s(
    path: Path, container: InputContainer, stream: VideoStream, origin_pts: int, time_base: float
) -> tuple[float | None, bool]:
    """How far an MP4's index reaches within the bytes that are there, and whether they hold all of it.

    Other containers index only as they are read.
    """
    entries = stream.index_entries
    if "mp4" not in container.format.name or not len(entries):
        return None, False
    size = path.stat().st_size
    complete = bisect_right(range(len(entries)), size, key=lambda i: entries[i].pos + entries[i].size)
    return (entries[complete - 1].timestamp - origin_pts) * time_base if complete else 0.0, complete == len(entries)


def _packets_from(container: InputContainer, stream: VideoStream, pts: int) -> Iterator[Packet[VideoStream]]:
    try:
        container.seek(pts, stream=stream)
    except FFmpegError:
        return iter(())
    return packets_to_end(container, stream)


def _last_end(packets: Iterable[Packet[VideoStream]], frame_ticks: float) -> float | None:
    return max(
        (
            pts + (packet.duration or frame_ticks)
            for packet in packets
            if (pts := packet_pts(packet)) is not None and not packet.is_corrupt
        ),
        default=None,
    )
