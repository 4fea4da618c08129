"""What a video file is before anything of it is decoded: its stream, when it begins and where it really ends."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from renzheng.clock import SHANGHAI, to_seconds
from renzheng.errors import BadInput

_CONTAINERS = "mov,mp4,matroska,webm,mpegts,mpeg,avi,flv,asf,ogg,mxf,dhav,ivf,nut,3gp"
"""Formats that carry time stamps and can be sought in; play lists, pictures and subtitles are not footage."""

_NAME_TIME = re.compile(
    r"(?<!\d)(?P<year>20\d\d)[-_.]?(?P<month>\d\d)[-_.]?(?P<day>\d\d)[-_. T]?"
    r"(?P<hour>\d\d)[-_.:]?(?P<minute>\d\d)[-_.:]?(?P<second>\d\d)(?!\d)(?P<zone>Z|[+-]\d\d:?\d\d(?!\d))?"
)
_EARLIEST_CREATION = datetime(2000, 1, 1, tzinfo=UTC)
_INDEX_SLACK_S = 2.0
_WORTH_A_REMARK_S = 0.5
_FALLBACK_FRAME_S = 0.04
_ROUNDING_TICKS = 0.1
"""Seconds since 1970 carry a quarter of a microsecond of rounding, a fiftieth of a tick of 90 kHz."""


@dataclass(frozen=True)
class RecordedFile:
    """One recording on the camera's timeline.

    ``start_s`` and ``end_s`` are seconds since 1970 (UTC) of its first frame and of the end of its last;
    ``coded_wh`` is the size before any rotation by metadata. A frame's time is
    ``start_s + (pts - origin_pts) * time_base``. ``remarks`` says what is unusual, e.g. that the file ends early.
    """

    path: Path
    start_s: float
    end_s: float
    start_from: str
    codec: str
    coded_wh: tuple[int, int]
    time_base: Fraction
    origin_pts: int
    frame_s: float
    remarks: tuple[str, ...] = ()

    @property
    def duration_s(self) -> float:
        """Seconds of footage that are really there."""
        return self.end_s - self.start_s

    def seconds(self, pts: int) -> float:
        """Time of a presentation timestamp, seconds since 1970 (UTC)."""
        return self.start_s + float((pts - self.origin_pts) * self.time_base)

    def pts_at(self, time_s: float) -> int:
        """The presentation timestamp at or just before a time."""
        return self.origin_pts + math.floor((time_s - self.start_s) / float(self.time_base) + _ROUNDING_TICKS)

    def moved_to(self, start_s: float) -> RecordedFile:
        """The same recording beginning at another time."""
        return replace(self, start_s=start_s, end_s=start_s + self.duration_s, start_from="given")


def open_container(path: Path) -> InputContainer:
    """Open a video container for reading, local files only. Raises :class:`BadInput` that names the file."""
    try:
        return av.open(
            f"file:{path}", mode="r", metadata_errors="replace",
            container_options={"format_whitelist": _CONTAINERS, "protocol_whitelist": "file", "fflags": "+genpts"},
        )  # fmt: skip
    except (FFmpegError, ValueError) as error:
        raise BadInput(_why_unreadable(path, error)) from error


def video_stream(path: Path, container: InputContainer) -> VideoStream:
    """The moving picture of a container. Raises :class:`BadInput` when there is none or no decoder for it."""
    moving = [s for s in container.streams if s.type == "video" and not s.disposition & Disposition.attached_pic]
    if not moving:
        has_audio = any(s.type == "audio" for s in container.streams)
        raise BadInput(f"{path}: expected a video, found {'sound only' if has_audio else 'no video stream'}")
    stream = moving[0]
    if not isinstance(stream, VideoStream) or stream.codec_context is None:
        raise BadInput(f"{path}: its video codec is not supported; expected H.264, H.265, VP9, MJPEG or the like")
    return stream


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


def open_recording(path: Path, start: datetime | None = None) -> RecordedFile:
    """Probe one recording; nothing is decoded.

    It begins at ``start`` if that is given, else at the time in its name (``20260501T090000+0800.mp4``; ``Z``, no zone
    and ``2026-05-01_09-00-00`` work too; without a zone it is Asia/Shanghai), else at the container's
    ``creation_time``. A truncated MPEG-TS, MKV or fragmented MP4 is used as far as it goes.

    Raises :class:`BadInput` for a file that is missing, empty, not video, sound only, of an unsupported codec, cut off
    before its index was written, or of unknown start.
    """
    recording = _probed(path, start)
    if recording.start_from == "unknown":
        raise BadInput(
            f"{path}: when does it begin? Give --recording-start, name it like 20260501T090000+0800{path.suffix}, "
            "or keep the container's creation_time"
        )
    return recording


def open_recordings(paths: Sequence[Path], start: datetime | None = None) -> list[RecordedFile]:
    """Probe several recordings that form one timeline.

    ``start`` is the beginning of the first one. A later file begins at the time of its own name or container, and one
    that has neither follows on where the file before it ends. Raises :class:`BadInput` as :func:`open_recording` does.
    """
    found = find_recordings(paths, start)
    if found.bad:
        raise found.bad[0]
    return list(found.recordings)


@dataclass(frozen=True)
class FoundRecordings:
    """The recordings that can be used, and why the others cannot."""

    recordings: tuple[RecordedFile, ...]
    bad: tuple[BadInput, ...] = ()


def find_recordings(paths: Sequence[Path], start: datetime | None = None) -> FoundRecordings:
    """Probe several recordings as :func:`open_recordings` does, but go on past those that cannot be used.

    A file without a time of its own that follows a bad one is bad too: where the file before it ended is not known,
    and a guess would shift its footage.
    """
    recordings: list[RecordedFile] = []
    bad: list[BadInput] = []
    ended_s: float | None = None
    for number, path in enumerate(paths):
        try:
            recording = _in_turn(
                path, start if number == 0 else None, ended_s, after_bad=bool(number) and ended_s is None
            )
        except BadInput as error:
            bad.append(error)
            ended_s = None
            continue
        recordings.append(recording)
        ended_s = recording.end_s
    return FoundRecordings(tuple(recordings), tuple(bad))


def _in_turn(path: Path, start: datetime | None, ended_s: float | None, *, after_bad: bool) -> RecordedFile:
    """One recording of several; ``ended_s`` is where the one before it ended, if that is known."""
    recording = _probed(path, start)
    if recording.start_from != "unknown":
        return recording
    if after_bad:
        raise BadInput(
            f"{path}: when does it begin? It has no time of its own and follows a recording that cannot be used; "
            f"name it like 20260501T090000+0800{path.suffix}"
        )
    return open_recording(path, start) if ended_s is None else recording.moved_to(ended_s)


def time_in_name(name: str) -> datetime | None:
    """The time a file's name tells, aware; ``None`` when it tells none."""
    found = _NAME_TIME.search(name)
    if found is None:
        return None
    year, month, day, hour, minute, second = (
        int(found[part]) for part in ("year", "month", "day", "hour", "minute", "second")
    )
    zone = (found["zone"] or "").replace(":", "")
    try:
        local = datetime(year, month, day, hour, minute, second)
        return (
            datetime.strptime(local.isoformat() + zone, "%Y-%m-%dT%H:%M:%S%z")
            if zone
            else local.replace(tzinfo=SHANGHAI)
        )
    except ValueError:
        return None


def _probed(path: Path, start: datetime | None) -> RecordedFile:
    if not path.is_file():
        raise BadInput(f"{path}: {'is a folder, expected a video file' if path.is_dir() else 'no such recording'}")
    if not path.stat().st_size:
        raise BadInput(f"{path}: is empty, expected a video file")
    with open_container(path) as container:
        stream = video_stream(path, container)
        time_base = stream.time_base or Fraction(1, 1000)
        origin_pts = _origin_pts(path, container, stream)
        frame_s = float(1 / stream.average_rate) if stream.average_rate else _FALLBACK_FRAME_S
        claimed_s = _claimed_duration_s(container, stream)
        duration_s = _real_duration_s(path, container, stream, origin_pts, claimed_s, frame_s)
        begin, start_from = _start(path, container, start)
        remarks = []
        if claimed_s is not None and claimed_s - duration_s > _WORTH_A_REMARK_S:
            remarks.append(f"ends early: {claimed_s:.1f} s were announced, {duration_s:.1f} s are there")
        return RecordedFile(
            path, begin, begin + duration_s, start_from, stream.codec_context.codec.name,
            (stream.width, stream.height), time_base, origin_pts, frame_s, tuple(remarks),
        )  # fmt: skip


def _start(path: Path, container: InputContainer, start: datetime | None) -> tuple[float, str]:
    if start is not None:
        return to_seconds(start), "given"
    named = time_in_name(path.name)
    if named is not None:
        return to_seconds(named), "name"
    created = container.metadata.get("creation_time") or next(
        (s.metadata["creation_time"] for s in container.streams if "creation_time" in s.metadata), ""
    )
    try:
        moment = datetime.fromisoformat(created)
    except ValueError:
        return 0.0, "unknown"
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (to_seconds(moment), "container") if moment >= _EARLIEST_CREATION else (0.0, "unknown")


def _claimed_duration_s(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration is not None else None


def _origin_pts(path: Path, container: InputContainer, stream: VideoStream) -> int:
    if stream.start_time is not None:
        return stream.start_time
    for packet in packets_to_end(container, stream):
        pts = packet_pts(packet)
        if pts is None:
            break
        container.seek(pts, stream=stream)
        return pts
    raise BadInput(f"{path}: holds no picture with a time stamp; expected a finished recording, not a bare stream")


def _real_duration_s(
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


def _why_unreadable(path: Path, error: Exception) -> str:
    if isinstance(error, PermissionError):
        return f"{path}: may not be read"
    try:
        with path.open("rb") as stream:
            head = stream.read(12)
    except OSError as unread:
        return f"{path}: {unread.strerror}"
    if head[4:8] in (b"ftyp", b"mdat", b"moov", b"free", b"wide"):
        return f"{path}: is an unfinished or truncated MP4 (its index is missing); expected a recording that was closed"
    return f"{path}: is not a video that can be read; expected MP4, MOV, MKV, MPEG-TS, MPEG-PS, AVI or the like"
