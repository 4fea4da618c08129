"""What a video file is before anything of it is decoded: its stream, when it begins and where it really ends."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.stream import VideoStream

from edge_agent.recording_extent import (
    claimed_duration_s,
    first_pts,
    packet_pts,
    packets_to_end,
    real_duration_s,
    refuse_restarts,
)
from edge_agent.recording_names import start_in_name
from renzheng.clock import from_seconds, local_text, to_seconds
from renzheng.errors import BadInput

__all__ = [
    "FoundRecordings", "RecordedFile", "find_recordings", "open_container", "open_recording", "open_recordings",
    "open_segment", "packet_pts", "packets_to_end", "video_stream",
]  # fmt: skip

_CONTAINERS = "mov,mp4,matroska,webm,mpegts,mpeg,avi,flv,asf,ogg,mxf,dhav,ivf,nut,3gp"
"""Formats that carry time stamps and can be sought in; play lists, pictures and subtitles are not footage."""

TOLERATED_OVERLAP_S = 5.0
"""Recorders begin a file a little before they end the one before it, and names are rounded to seconds."""

_EARLIEST_CREATION = datetime(2000, 1, 1, tzinfo=UTC)
_CREATION_REMARK = (
    "was taken to begin at its creation_time, {}; some recorders write the time of closing or exporting there: compare "
    "it with the clock in the picture"
)
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
    def is_segment(self) -> bool:
        """Whether it is a file of a ring, which this box wrote itself."""
        return self.start_from == "ring"

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

    def following(self, before: RecordedFile) -> RecordedFile:
        """The same recording beginning where another one ends."""
        remark = f"has no time of its own and was taken to begin where {before.path.name} ends"
        return replace(
            self,
            start_s=before.end_s,
            end_s=before.end_s + self.duration_s,
            start_from="follows",
            remarks=(*self.remarks, remark),
        )


def open_container(path: Path) -> InputContainer:
    """Open a video container for reading, local files only. Raises :class:`BadInput` that names the file."""
    return _opened(path)


def open_segment(path: Path) -> InputContainer:
    """Open a file of our own writing, whose header says what its pictures are. Raises as :func:`open_container`.

    To find that out without the header, FFmpeg decodes pictures, at every opening, and a check opens many such files.
    What no header says is how far pictures are sent before they are shown, so a file with such pictures is opened
    thoroughly: a decoder that does not know would leave some out.
    """
    container = _opened(path, codec_whitelist="none")
    try:
        reordered = _is_reordered(container, video_stream(path, container))
    except (BadInput, FFmpegError):
        reordered = True
    if not reordered:
        return container
    container.close()
    return open_container(path)


def _is_reordered(container: InputContainer, stream: VideoStream) -> bool:
    """Whether pictures of the first group are shown at other times than they are sent: others may come between."""
    for number, packet in enumerate(packets_to_end(container, stream)):
        if packet.pts != packet.dts:
            return True
        if number and packet.is_keyframe:
            break
    return False


def _opened(path: Path, **options: str) -> InputContainer:
    always = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file", "fflags": "+genpts"}
    try:
        return av.open(f"file:{path}", mode="r", metadata_errors="replace", container_options=always | options)
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


def open_recording(path: Path, start: datetime | None = None) -> RecordedFile:
    """Probe one recording; nothing is decoded.

    It begins at ``start`` if that is given, else at the time in its name (``20260501T090000+0800.mp4``; ``Z``, no zone
    and ``2026-05-01_09-00-00`` work too; without a zone it is Asia/Shanghai), else at the container's
    ``creation_time``. A truncated MPEG-TS, MKV or fragmented MP4 is used as far as it goes.

    Raises :class:`BadInput` for a file that is missing, empty, not video, sound only, of an unsupported codec, cut off
    before its index was written, with time stamps that start again, or of unknown start.
    """
    recording = _probed(path, start)
    if recording.start_from == "unknown":
        raise _unknown_start(path)
    return recording


def _unknown_start(path: Path) -> BadInput:
    """Says that nobody knows when a recording begins, and how to tell."""
    return BadInput(
        f"{path}: when does it begin? Give --recording-start, name it like 20260501T090000+0800{path.suffix}, "
        "or keep the container's creation_time"
    )


@dataclass(frozen=True)
class FoundRecordings:
    """The recordings that can be used, why the others cannot, and which of the usable ones contradict each other."""

    recordings: tuple[RecordedFile, ...]
    bad: tuple[BadInput, ...] = ()
    overlaps: tuple[BadInput, ...] = ()


def open_recordings(paths: Sequence[Path], start: datetime | None = None) -> list[RecordedFile]:
    """Probe several recordings that form one timeline.

    ``start`` is the beginning of the first one. A later file begins at the time of its own name or container, and one
    that has neither follows on where the file before it ends. Raises :class:`BadInput` as
    :func:`open_recording` does, and for files that overlap by more than
    ``TOLERATED_OVERLAP_S``.
    """
    found = find_recordings(paths, start)
    for error in (*found.bad, *found.overlaps):
        raise error
    return list(found.recordings)


def find_recordings(paths: Sequence[Path], start: datetime | None = None) -> FoundRecordings:
    """Probe several recordings as :func:`open_recordings` does, but go on past those that cannot be used.

    A file without a time of its own that follows a bad one is bad too: where the file before it ended is not known,
    and a guess would shift its footage.
    """
    recordings: list[RecordedFile] = []
    bad: list[BadInput] = []
    before: RecordedFile | BadInput | None = None
    for probed in _probe_each(paths, start):
        before = _in_turn(probed, before)
        if isinstance(before, BadInput):
            bad.append(before)
        else:
            recordings.append(before)
    return FoundRecordings(tuple(recordings), tuple(bad), _overlaps(recordings))


def _probe_each(paths: Sequence[Path], start: datetime | None) -> Iterator[RecordedFile | BadInput]:
    """Every file probed by itself, in the order given; ``start`` is that of the first."""
    for number, path in enumerate(paths):
        try:
            yield _probed(path, start if number == 0 else None)
        except BadInput as error:
            yield error


def _in_turn(probed: RecordedFile | BadInput, before: RecordedFile | BadInput | None) -> RecordedFile | BadInput:
    """One recording of several, on the timeline if the one before it tells where."""
    if isinstance(probed, BadInput) or probed.start_from != "unknown":
        return probed
    if before is None:
        return _unknown_start(probed.path)
    if isinstance(before, BadInput):
        return BadInput(
            f"{probed.path}: when does it begin? It has no time of its own and follows a recording that cannot be used;"
            f" name it like 20260501T090000+0800{probed.path.suffix}"
        )
    return probed.following(before)


def _overlaps(recordings: Sequence[RecordedFile]) -> tuple[BadInput, ...]:
    """For each recording that begins well before an earlier one ends, what is wrong."""
    found = []
    longest: RecordedFile | None = None
    for recording in sorted(recordings, key=lambda r: (r.start_s, r.end_s, str(r.path))):
        if longest is not None and min(recording.end_s, longest.end_s) - recording.start_s > TOLERATED_OVERLAP_S:
            found.append(_overlap(longest, recording))
        if longest is None or recording.end_s > longest.end_s:
            longest = recording
    return tuple(found)


def _overlap(first: RecordedFile, second: RecordedFile) -> BadInput:
    if first.path.resolve() == second.path.resolve():
        return BadInput(f"{second.path}: was given twice")
    shared_s = min(first.end_s, second.end_s) - second.start_s
    begin = local_text(from_seconds(second.start_s))
    return BadInput(
        f"{first.path} and {second.path}: overlap by {shared_s:.1f} s from {begin} on; "
        "recordings of one camera cannot overlap: is one of another camera, a copy, or wrongly dated?"
    )


def _probed(path: Path, start: datetime | None = None) -> RecordedFile:
    """As :func:`open_recording`, but where no start is known ``start_from`` is "unknown" and ``start_s`` 0."""
    if not path.is_file():
        raise BadInput(f"{path}: {'is a folder, expected a video file' if path.is_dir() else 'no such recording'}")
    if not path.stat().st_size:
        raise BadInput(f"{path}: is empty, expected a video file")
    with open_container(path) as container:
        stream = video_stream(path, container)
        time_base = stream.time_base or Fraction(1, 1000)
        origin_pts = first_pts(path, container, stream)
        frame_s = float(1 / stream.average_rate) if stream.average_rate else _FALLBACK_FRAME_S
        claimed_s = claimed_duration_s(container, stream)
        refuse_restarts(path, container, stream)
        duration_s = real_duration_s(path, container, stream, origin_pts, claimed_s, frame_s)
        remarks = []
        if claimed_s is not None and claimed_s - duration_s > _WORTH_A_REMARK_S:
            remarks.append(f"ends early: {claimed_s:.1f} s were announced, {duration_s:.1f} s are there")
        begin = _start(path, container, start, (duration_s, claimed_s or duration_s))
        return RecordedFile(
            path, begin.start_s, begin.start_s + duration_s, begin.told_by, stream.codec_context.codec.name,
            (stream.width, stream.height), time_base, origin_pts, frame_s, (*remarks, *begin.remarks),
        )  # fmt: skip


@dataclass(frozen=True)
class _Start:
    """When a recording begins, what tells so, and what is to be said of that."""

    start_s: float
    told_by: str
    remarks: tuple[str, ...] = ()


def _start(path: Path, container: InputContainer, start: datetime | None, lengths_s: tuple[float, float]) -> _Start:
    if start is not None:
        return _Start(to_seconds(start), "given")
    named = start_in_name(path, lengths_s)
    if named is not None:
        return _Start(to_seconds(named.moment), "name", (named.remark,) if named.remark else ())
    created = container.metadata.get("creation_time") or next(
        (s.metadata["creation_time"] for s in container.streams if "creation_time" in s.metadata), ""
    )
    try:
        moment = datetime.fromisoformat(created)
    except ValueError:
        return _Start(0.0, "unknown")
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if moment < _EARLIEST_CREATION:
        return _Start(0.0, "unknown")
    return _Start(to_seconds(moment), "container", (_CREATION_REMARK.format(local_text(moment)),))


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
