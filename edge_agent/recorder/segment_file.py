"""One segment of a ring: a fragmented MP4 that can be read while it grows. Nothing is decoded.

There is one fragment per picture. Each is handed to the operating system at once and never synced: a kill of the
process loses the last picture at most, a power cut what the system had not yet written.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.stream import VideoStream

from renzheng.errors import BadInput, RenzhengError, StorageFull

_LEAST_TIMESCALE = 10_000
_GREATEST_TIMESCALE = 1_000_000_000
_FINEST = 1_000_000
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_DISK_TROUBLE = (errno.EIO, errno.EROFS, errno.ENODEV, errno.ENOENT, errno.EACCES, errno.EPERM, errno.EBADF)
_KEYFRAMES_APART_S = 0.9
"""Of streams in which every picture is a keyframe the index learns about one a second."""


class RingUnwritable(RenzhengError):
    """The disk of the ring refuses to be written, for another reason than being full."""


@dataclass(frozen=True)
class StreamParameters:
    """What all packets of one segment share. ``frame_s`` is the usual distance of two pictures, seconds.

    ``template`` is the stream that the packets are read from; it does not count when two are compared.
    """

    codec: str
    coded_wh: tuple[int, int]
    time_base: Fraction
    frame_s: float
    extradata: bytes
    template: VideoStream = field(compare=False, repr=False)


def parameters_of(stream: VideoStream) -> StreamParameters:
    """The parameters of an opened stream as they are now."""
    context = stream.codec_context
    return StreamParameters(
        codec=context.codec.name,
        coded_wh=(context.width, context.height),
        time_base=stream.time_base or Fraction(1, 90_000),
        frame_s=float(1 / stream.average_rate) if stream.average_rate else 0.04,
        extradata=context.extradata or b"",
        template=stream,
    )


class Stamped:
    """A packet with its own time stamps kept apart, because writing it changes them."""

    def __init__(self, packet: Packet[VideoStream], keyframe: bool) -> None:
        shown = packet.pts if packet.pts is not None else packet.dts
        assert shown is not None
        self.packet = packet
        self.keyframe = keyframe
        self.pts = shown
        self.dts = packet.dts if packet.dts is not None else shown
        self.duration = packet.duration or 0
        self.time_base = packet.time_base


class SegmentFile:
    """Writes the packets from one keyframe on into a new file at ``path``, which is made with the first packet.

    ``start_s`` is the keyframe's time, seconds since 1970 (UTC). Time stamps in the file are those of the packets,
    moved so that decoding begins at 0, in units of ``time_base``, in which they are exact.
    """

    def __init__(self, path: Path, start_s: float, key: Stamped, parameters: StreamParameters) -> None:
        self.path = path
        self.parameters = parameters
        self.key = key
        self.start_s = start_s
        self.time_base, self.origin_pts = timing_in_file(key)
        self._ticks = key.time_base / self.time_base
        self.packets = 0
        self.good_bytes = 0
        self.end_s = start_s
        """How far the file can be read; all of it once it is closed."""
        self.newest_s = start_s
        """When the latest picture is shown."""
        self._whole_end_s = start_s
        self._failed = False
        self._last_dts = -1
        self._last_keyframe_s = -float("inf")
        self.keyframes: list[tuple[int, float]] = []
        """As (pts in the file, time), at most about one a second; whoever has entered them clears the list."""
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None

    def time_of(self, stamped: Stamped) -> float:
        """When a packet's picture is shown by this file's time stamps, seconds since 1970 (UTC)."""
        return self.start_s + float((stamped.pts - self.key.pts) * stamped.time_base)

    def append(self, stamped: Stamped) -> bool:
        """Write one packet; false when the container refuses it as broken.

        Raises :class:`StorageFull`, :class:`RingUnwritable` and, for a codec that does not go into an MP4,
        :class:`BadInput`; call :meth:`close` then, and what was written before can be read.
        """
        dts = max(round((stamped.dts - self.key.dts) * self._ticks), self._last_dts + 1)
        pts = max(round((stamped.pts - self.key.dts) * self._ticks), dts)
        duration = round(stamped.duration * self._ticks)
        try:
            self._mux(stamped.packet, pts, dts, duration)
        except (FFmpegError, OSError, ValueError) as error:
            self._failed = self._failed or _is_disk_trouble(error)
            self._refused(error)
            return False
        self._last_dts = dts
        self.packets += 1
        self.good_bytes = self.path.stat().st_size
        self._note_times(pts, dts, duration, stamped.keyframe)
        return True

    def close(self) -> None:
        """Complete the file; on a full disk it ends with the last whole picture."""
        container, self._container = self._container, None
        if container is None:
            return
        try:
            container.close()
        except (FFmpegError, OSError):
            self._failed = True
        if self._failed:  # the last packet's fragment is there in part only
            self.packets = max(0, self.packets - 1)
            with suppress(OSError):
                os.truncate(self.path, self.good_bytes)
            return
        self.good_bytes = self.path.stat().st_size
        self.end_s = self._whole_end_s

    def _mux(self, packet: Packet[VideoStream], pts: int, dts: int, duration: int) -> None:
        if self._container is None:
            self._container = self._made()
        assert self._stream is not None
        packet.stream = self._stream
        packet.time_base = self.time_base
        packet.pts, packet.dts, packet.duration = pts, dts, duration
        self._container.mux_one(packet)

    def _made(self) -> OutputContainer:
        options = {
            "movflags": "+frag_every_frame+empty_moov+default_base_moof",
            "flush_packets": "1",
            "use_editlist": "0",  # an edit list would move the time stamps
            "video_track_timescale": str(self.time_base.denominator),
        }
        container = av.open(f"file:{self.path}", "w", format="mp4", container_options=options)
        try:
            self._stream = container.add_stream_from_template(self.parameters.template, opaque=True)
        except ValueError as error:
            container.close()
            raise BadInput(f"expected video that goes into an MP4, {self.parameters.codec} does not") from error
        self._stream.time_base = self.time_base
        return container

    def _refused(self, error: Exception) -> None:
        number = getattr(error, "errno", None)
        if number in _NO_ROOM:
            raise StorageFull(f"{self.path}: no space left on the disk") from error
        if number in _DISK_TROUBLE:
            raise RingUnwritable(f"{self.path}: cannot be written ({os.strerror(number)})") from error
        if not self.packets:
            raise BadInput(f"{self.parameters.codec} of this camera does not go into an MP4 ({error})") from error

    def _note_times(self, pts: int, dts: int, duration: int, keyframe: bool) -> None:
        shown_s = self._seconds(pts)
        self.newest_s = max(self.newest_s, shown_s)
        frame_ticks = duration or round(self.parameters.frame_s / self.time_base)
        self._whole_end_s = max(self._whole_end_s, self._seconds(pts + frame_ticks))
        # A picture is in the file once the next one was handed over, and what comes later is shown after its dts.
        self.end_s = max(self.end_s, self._seconds(dts))
        if keyframe and shown_s - self._last_keyframe_s >= _KEYFRAMES_APART_S:
            self._last_keyframe_s = shown_s
            self.keyframes.append((pts, shown_s))

    def _seconds(self, pts: int) -> float:
        return self.start_s + float((pts - self.origin_pts) * self.time_base)


def _is_disk_trouble(error: Exception) -> bool:
    return getattr(error, "errno", None) in (*_NO_ROOM, *_DISK_TROUBLE)


def timing_in_file(key: Stamped) -> tuple[Fraction, int]:
    """Time base of the file that begins with a keyframe, and the keyframe's presentation timestamp in it."""
    timescale = key.time_base.denominator
    if timescale > _GREATEST_TIMESCALE:
        timescale = _FINEST
    while timescale < _LEAST_TIMESCALE:  # FFmpeg doubles smaller ones by itself
        timescale *= 2
    return Fraction(1, timescale), round((key.pts - key.dts) * key.time_base * timescale)
