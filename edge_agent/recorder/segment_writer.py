"""Writing a camera's packets into its ring: one segment after the other, each entered in the index as it grows."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from av.packet import Packet
from av.video.stream import VideoStream

from edge_agent.recorder.segment_file import (
    RingUnwritable,
    SegmentFile,
    Stamped,
    StreamParameters,
    parameters_of,
    timing_in_file,
)
from edge_agent.ring.index import Segment, SegmentIndex
from renzheng.errors import RenzhengError

__all__ = ["NoKeyframe", "RingUnwritable", "SegmentWriter", "StreamParameters", "parameters_of"]

EXTEND_EVERY_S = 0.25
"""How often the index is told how far an open segment can be read; verdicts wait for it."""

LONGEST_WITHOUT_KEYFRAME_S = 300.0
"""A camera that sends no keyframe for so long is asked anew: a segment that never ends cannot be deleted."""

_CONTINUES_S = 1.0
"""A segment that begins this little after the end of the one before follows on it without a gap."""

_TOLERATED_DRIFT_S = 0.25
"""A packet whose time differs more from what its time stamp says within the segment belongs to another one."""


class NoKeyframe(RenzhengError):
    """The camera has sent no keyframe for ``LONGEST_WITHOUT_KEYFRAME_S``; a new connection makes it send one."""


class SegmentWriter:
    """Writes packets into segments of ``folder`` and enters them in ``index``.

    A segment begins with a keyframe and ends at the first keyframe ``segment_s`` seconds or more after its start, when
    the parameters change, when the times jump, or at :meth:`cut`. Pictures that are sent after a keyframe and shown
    before it (open GOP) go into the segment before as well, with a copy of the keyframe: there they can be decoded. Not
    for several threads at once.
    """

    def __init__(self, folder: Path, index: SegmentIndex, segment_s: float) -> None:
        self._folder = folder
        self._index = index
        self._segment_s = segment_s
        self._open: _OpenSegment | None = None
        self._ending: _OpenSegment | None = None
        self._closed: list[_OpenSegment] = []
        self.epoch = 0
        """Of the segments to come; the recorder sets it, and cuts, when the box's clock was set."""

    @property
    def segment(self) -> Segment | None:
        """The open segment as it was begun; ``None`` while a keyframe is waited for."""
        return self._open.segment if self._open else None

    def write(self, packet: Packet[VideoStream], parameters: StreamParameters, time_s: float, keyframe: bool) -> bool:
        """Write one packet, in decoding order; false when it was dropped: without a keyframe before it, or broken.

        ``time_s`` is when its picture is shown, seconds since 1970 (UTC) on the box's clock; within a segment the
        keyframe's time and the time stamps decide. The packet's time stamps are changed. Raises
        :class:`renzheng.errors.StorageFull`, :class:`RingUnwritable`, :class:`NoKeyframe` and, for a codec that does
        not go into an MP4, :class:`renzheng.errors.BadInput`. After each of them what was written before can be read,
        and the next keyframe begins a new segment.
        """
        if packet.pts is None and packet.dts is None:
            return False
        stamped = Stamped(packet, keyframe)
        try:
            return self._write(stamped, parameters, time_s)
        except RenzhengError:
            with suppress(RenzhengError):
                self.cut()
            raise

    def cut(self) -> None:
        """End the open segment; the next keyframe begins another one.

        Raises :class:`renzheng.errors.StorageFull` when not even the index can be written; that is made up for at the
        next segment.
        """
        ending, opened, self._ending, self._open = self._ending, self._open, None, None
        if ending:
            ending.close(opened.file.start_s if opened else None)
            self._closed.append(ending)
        if opened:
            opened.close(None)
            self._closed.append(opened)
        self._enter_closed()

    def close(self) -> None:
        """End what is open, as :meth:`cut` does; the writer can be used again."""
        self.cut()

    def _write(self, stamped: Stamped, parameters: StreamParameters, time_s: float) -> bool:
        if self._open and not self._open.suits(stamped, parameters, time_s):
            self.cut()
        if self._open and stamped.keyframe and time_s - self._open.file.start_s >= self._segment_s:
            self._end_ending()
            self._ending, self._open = self._open, None
        if self._open is None:
            if not stamped.keyframe:
                return False
            self._open = self._begun(stamped, parameters, time_s)
        elif stamped.pts >= self._open.file.key.pts:
            self._end_ending()
        elif self._ending:
            self._ending.append_leading(stamped, self._open.file.key)
        written = self._open.append(stamped)
        if self._open.keyframe_wanted_s > max(LONGEST_WITHOUT_KEYFRAME_S, 2 * self._segment_s):
            raise NoKeyframe(f"no keyframe for {self._open.keyframe_wanted_s:.0f} s, expected one every few seconds")
        return written

    def _begun(self, key: Stamped, parameters: StreamParameters, time_s: float) -> _OpenSegment:
        self._enter_closed()
        time_base, origin_pts = timing_in_file(key)
        segment = self._index.begin(
            start_s=time_s, epoch=self.epoch, codec=parameters.codec, coded_wh=parameters.coded_wh,
            time_base=time_base, origin_pts=origin_pts, frame_s=parameters.frame_s,
        )  # fmt: skip
        file = SegmentFile(self._folder / segment.name, time_s, key, parameters)
        return _OpenSegment(file, segment, self._index)

    def _end_ending(self) -> None:
        """No picture shown before the open segment can come any more."""
        ending, self._ending = self._ending, None
        if ending:
            ending.close(self._open.file.start_s if self._open else None)
            self._closed.append(ending)
            self._enter_closed()

    def _enter_closed(self) -> None:
        while self._closed:
            self._closed[0].enter()
            self._closed.pop(0)


class _OpenSegment:
    """A segment that is being written and its row."""

    def __init__(self, file: SegmentFile, segment: Segment, index: SegmentIndex) -> None:
        self.file = file
        self.segment = segment
        self._index = index
        self._told_s = file.start_s
        self._keyframe_s = file.start_s
        self._key_copied = False

    @property
    def keyframe_wanted_s(self) -> float:
        """Seconds since the last keyframe."""
        return self.file.newest_s - self._keyframe_s

    def suits(self, stamped: Stamped, parameters: StreamParameters, time_s: float) -> bool:
        """Whether a packet can be part of this segment."""
        return parameters == self.file.parameters and abs(self.file.time_of(stamped) - time_s) <= _TOLERATED_DRIFT_S

    def append(self, stamped: Stamped) -> bool:
        written = self.file.append(stamped)
        if written and stamped.keyframe:
            self._keyframe_s = self.file.newest_s
        if self.file.end_s - self._told_s >= EXTEND_EVERY_S:
            self._extend()
        return written

    def append_leading(self, leading: Stamped, key: Stamped) -> None:
        """A picture shown before the next segment's keyframe, on which it may rest: that comes along once."""
        if not self._key_copied:
            self._key_copied = self.file.append(key)
        if self._key_copied:
            self.file.append(leading)

    def close(self, next_start_s: float | None) -> None:
        """Complete the file; ``next_start_s`` is where the next segment begins, if one follows."""
        self.file.close()
        if next_start_s is not None and abs(next_start_s - self.file.end_s) <= _CONTINUES_S:
            self.file.end_s = max(next_start_s, self.file.start_s)

    def enter(self) -> None:
        """Have the index know the whole of it, or nothing if nothing could be written."""
        if self.file.packets:
            self._extend()
            self._index.finish(self.segment.id)
        else:
            self.file.path.unlink(missing_ok=True)
            self._index.forget(self.segment.id)

    def _extend(self) -> None:
        file = self.file
        self._index.extend(self.segment.id, file.end_s, file.good_bytes, file.packets, file.keyframes)
        self._told_s = file.end_s
        file.keyframes.clear()
