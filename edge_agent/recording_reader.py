"""An opened recording: packets from a keyframe on, the map of its groups of pictures, and a pool of open files."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from av.error import FFmpegError
from av.packet import Packet
from av.video.stream import VideoStream

from edge_agent.recording_probe import (
    RecordedFile,
    open_container,
    open_segment,
    packet_pts,
    packets_to_end,
    video_stream,
)

KEEP_OPEN = 2
"""Recordings kept open between uses; more are open only while that many are being looked at."""

_FIRST_STEP_BACK_S = 1.0
_INTRA_ONLY = frozenset({"mjpeg", "prores", "dnxhd", "jpeg2000", "rawvideo", "ffv1", "huffyuv", "png"})
_INTRA_GROUP_S = 1.0
"""Codecs without dependent pictures are grouped by whole seconds, or every picture would be a stretch."""


@dataclass(frozen=True)
class Gop:
    """A group of pictures: its keyframe, when each picture is shown (in order), and where the next group begins."""

    key_pts: int
    shown_pts: tuple[int, ...]
    next_key_pts: int | None


class Reader:
    """One open recording with its decoder. Not for several threads at once."""

    def __init__(self, recording: RecordedFile, threads: int) -> None:
        self.recording = recording
        self.container = (open_segment if recording.is_segment else open_container)(recording.path)
        self.stream = video_stream(recording.path, self.container)
        self.context = self.stream.codec_context
        self.context.thread_count = threads
        self.context.thread_type = "AUTO" if threads > 1 else "NONE"
        self.context.options = {} if self.context.codec.name == "h264" else {"err_detect": "explode"}

    @property
    def intra_only(self) -> bool:
        """Whether every picture stands alone."""
        return self.context.codec.name in _INTRA_ONLY

    def packets_from(self, pts: int) -> Iterator[Packet[VideoStream]]:
        """Packets from a keyframe at or before ``pts`` on, or from the first keyframe there is.

        Where a container's seek lands behind the wanted time or between keyframes (MPEG-TS), it steps back further.
        """
        step = round(_FIRST_STEP_BACK_S / self.recording.time_base)
        target = pts
        while True:
            at_start = target < self.recording.origin_pts
            packets = self._after_seek(target)
            first = next((p for p in packets if p.is_keyframe and packet_pts(p) is not None), None)
            first_pts = packet_pts(first) if first else None
            if first is not None and first_pts is not None and (first_pts <= pts or at_start):
                yield first
                yield from packets
                return
            if at_start:
                return
            target, step = target - step, step * 2

    def packets_at(self, key_pts: int) -> Iterator[Packet[VideoStream]]:
        """Packets from exactly that keyframe on, in decoding order, for a decoder that starts afresh."""
        self.context.flush_buffers()
        packets = self.packets_from(key_pts)
        for packet in packets:
            if packet.is_keyframe and packet_pts(packet) == key_pts:
                yield packet
                break
        yield from packets

    def _after_seek(self, pts: int) -> Iterator[Packet[VideoStream]]:
        for target in (pts, self.recording.origin_pts, 0):  # some containers refuse what lies before their start
            with suppress(FFmpegError):
                self.container.seek(target, stream=self.stream)
                break
        return packets_to_end(self.container, self.stream)

    def close(self) -> None:
        """Let go of the file and the decoder."""
        self.container.close()


class ReaderPool:
    """Open recordings, few at a time: each borrower has one to itself, the last ones given back stay open."""

    def __init__(self, threads: int, keep: int = KEEP_OPEN) -> None:
        self._threads = threads
        self._keep = keep
        self._idle: list[Reader] = []

    @contextmanager
    def reader(self, recording: RecordedFile) -> Iterator[Reader]:
        """Borrow the recording; it is given back even when the borrower stops half-way."""
        reader = next((r for r in self._idle if r.recording is recording), None)
        if reader is not None:
            self._idle.remove(reader)
        else:
            self._shrink(self._keep - 1)
            reader = Reader(recording, self._threads)
        try:
            yield reader
        finally:
            self._idle.append(reader)
            self._shrink(self._keep)

    def _shrink(self, count: int) -> None:
        while len(self._idle) > count:
            self._idle.pop(0).close()

    def close(self) -> None:
        """Close what is open."""
        self._shrink(0)


class GopMap:
    """What is known of a recording's groups of pictures; grows as windows are asked for, by demuxing only."""

    def __init__(self, recording: RecordedFile) -> None:
        self._recording = recording
        self._gops: dict[int, Gop] = {}
        self._keys: list[int] = []

    def gops(self, reader: Reader, from_pts: int, to_pts: int) -> list[Gop]:
        """Groups that cover ``[from_pts, to_pts)``, the first of which may begin before it."""
        gop = self._known_at(from_pts)
        if gop is None:
            self._scan(reader, from_pts, to_pts)
            gop = self._known_at(from_pts) or self._first_after(from_pts)
        found: list[Gop] = []
        while gop is not None and gop.key_pts < to_pts:
            found.append(gop)
            next_key = gop.next_key_pts
            if next_key is None or next_key >= to_pts:
                break
            if next_key not in self._gops:
                self._scan(reader, next_key, to_pts)
            gop = self._gops.get(next_key)
        return found

    def gop_at(self, reader: Reader, key_pts: int) -> Gop | None:
        """The group that begins with that keyframe."""
        return next((gop for gop in self.gops(reader, key_pts, key_pts + 1) if gop.key_pts == key_pts), None)

    def last_shown_before(self, reader: Reader, key_pts: int) -> int | None:
        """When the picture shown just before a keyframe is shown."""
        if key_pts <= self._recording.origin_pts:
            return None
        before = [gop for gop in self.gops(reader, key_pts - 1, key_pts) if gop.shown_pts and gop.key_pts < key_pts]
        return before[-1].shown_pts[-1] if before else None

    def _known_at(self, pts: int) -> Gop | None:
        index = bisect_right(self._keys, pts)
        if not index:
            return None
        gop = self._gops[self._keys[index - 1]]
        return gop if gop.next_key_pts is None or pts < gop.next_key_pts else None

    def _first_after(self, pts: int) -> Gop | None:
        index = bisect_right(self._keys, pts)
        return self._gops[self._keys[index]] if index < len(self._keys) else None

    def _scan(self, reader: Reader, from_pts: int, to_pts: int) -> None:
        group_ticks = round(_INTRA_GROUP_S / self._recording.time_base) if reader.intra_only else 0
        first_pts = from_pts - 2 * group_ticks
        for number, gop in enumerate(_grouped(reader.packets_from(first_pts), group_ticks, self._recording.origin_pts)):
            partial = group_ticks and number == 0 and gop.key_pts > self._recording.origin_pts
            if not partial and gop.key_pts not in self._gops:
                self._gops[gop.key_pts] = gop
                insort(self._keys, gop.key_pts)
            if gop.next_key_pts is not None and gop.next_key_pts >= to_pts:
                return


def _grouped(packets: Iterator[Packet[VideoStream]], group_ticks: int, origin_pts: int) -> Iterator[Gop]:
    """Split packets in decoding order into groups.

    Pictures that follow a keyframe in decoding order and precede it on the screen (open GOP) belong to the group
    before it. With ``group_ticks`` a group begins with the first keyframe of each such interval.
    """
    ended: tuple[int, list[int]] | None = None
    current: tuple[int, list[int]] | None = None
    for packet in packets:
        pts = packet_pts(packet)
        if pts is None:
            continue
        shown = [] if packet.is_discard else [pts]
        if packet.is_keyframe and (current is None or _begins_group(current[0], pts, group_ticks, origin_pts)):
            if ended and current:
                yield _gop(ended, current[0])
            ended, current = current, (pts, shown)
        elif current is not None and pts < current[0]:
            if ended:
                ended[1].extend(shown)
        elif current is not None:
            current[1].extend(shown)
            if ended:
                yield _gop(ended, current[0])
                ended = None
    if ended and current:
        yield _gop(ended, current[0])
    if current:
        yield _gop(current, None)


def _begins_group(key_pts: int, pts: int, group_ticks: int, origin_pts: int) -> bool:
    if group_ticks:
        return (pts - origin_pts) // group_ticks > (key_pts - origin_pts) // group_ticks
    return pts > key_pts


def _gop(group: tuple[int, list[int]], next_key_pts: int | None) -> Gop:
    return Gop(group[0], tuple(sorted(group[1])), next_key_pts)
