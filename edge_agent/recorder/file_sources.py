"""Files as cameras: one that plays a file as if it were live, and one that plays recordings at their own times."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from av.packet import Packet
from av.video.stream import VideoStream

from edge_agent.agent_clock import AgentClock, ReplayClock
from edge_agent.footage import TimeWindow
from edge_agent.recorder.delivery import Delivery, SourceTrouble, arrival_now, wait_for_clock
from edge_agent.recorder.parameters import ParameterWatch
from edge_agent.recording_probe import RecordedFile, open_container, packet_pts, packets_to_end, video_stream
from edge_agent.recording_reader import Reader
from renzheng.errors import BadInput


class FileCamera:
    """A file that stands in for a camera, at the pace of the clock from now on; with ``loop`` it never ends.

    Time stamps go on from one pass to the next. Like any camera it does not wait for a recorder that is too slow.
    Raises :class:`SourceTrouble` when the file cannot be played.
    """

    can_wait = False

    def __init__(self, path: Path, clock: AgentClock, stop: threading.Event, *, loop: bool) -> None:
        self._path = path
        self._clock = clock
        self._stop = stop
        self._loop = loop
        with ExitStack() as undo:
            try:
                self._container = undo.enter_context(open_container(path))
                self._stream = video_stream(path, self._container)
            except BadInput as error:
                raise SourceTrouble(str(error)) from error
            self._watch = ParameterWatch(self._stream)
            undo.pop_all()

    def close(self) -> None:
        """See :class:`edge_agent.recorder.delivery.PacketSource`."""
        self._container.close()

    def packets(self) -> Iterator[Delivery]:
        """See :class:`edge_agent.recorder.delivery.PacketSource`."""
        began_s = self._clock.steady_s()
        tape = _Tape(round(self._watch.parameters.frame_s / self._watch.parameters.time_base))
        while True:
            for packet in packets_to_end(self._container, self._stream):
                due_ticks = tape.wind(packet)
                if due_ticks is None:
                    continue
                due_s = began_s + float(due_ticks * packet.time_base)
                while not self._stop.is_set() and (left_s := due_s - self._clock.steady_s()) > 0:
                    wait_for_clock(self._clock, left_s, self._stop)
                if self._stop.is_set():
                    return
                yield Delivery(packet, self._watch.of(packet), arrival_now(self._clock))
            if not self._loop or not tape.rewind():
                return
            self._open_again()

    def _open_again(self) -> None:
        """Begin at the first packet again; not every container can be sought back to it."""
        self._container.close()
        try:
            self._container = open_container(self._path)
            self._stream = video_stream(self._path, self._container)
        except BadInput as error:
            raise SourceTrouble(str(error)) from error


@dataclass
class _Tape:
    """Time stamps of a file that is played over and over. ``frame_ticks`` is the usual distance of two pictures."""

    frame_ticks: int
    origin: int | None = None
    latest: int = 0
    end: int = 0
    moved: int = 0

    def wind(self, packet: Packet[VideoStream]) -> int | None:
        """Move a packet to where its pass lies; returns when it is due, in ticks since the first pass began.

        A picture sent ahead of those shown before it is sent when it is shown, as an encoder at work would.
        ``None`` for a packet without a time stamp.
        """
        pts = packet_pts(packet)
        if pts is None:
            return None
        self.origin = pts if self.origin is None else self.origin
        packet.pts = pts + self.moved
        packet.dts = None if packet.dts is None else packet.dts + self.moved
        self.latest = max(self.latest, packet.pts - self.origin)
        self.end = max(self.end, pts - self.origin + (packet.duration or self.frame_ticks))
        return self.latest

    def rewind(self) -> bool:
        """Begin another pass; false when there is nothing to play."""
        self.moved += self.end
        return self.end > 0


class TimelineCamera:
    """Recordings of one camera, each packet when the clock shows the moment it was taken at.

    Times are those of the recordings, so that a replay gives what an audit of the same files gives. A
    :class:`ReplayClock` that leaps is followed: only what lies in its legs is delivered, from the keyframe before each.
    Where recordings overlap, all are delivered, and whoever reads the ring lets the earlier one answer.
    """

    can_wait = True

    def __init__(self, recordings: Sequence[RecordedFile], clock: AgentClock, stop: threading.Event) -> None:
        self._recordings = sorted(recordings, key=lambda r: (r.start_s, r.end_s, str(r.path)))
        self._clock = clock
        self._stop = stop
        self._legs = _legs(clock)

    def close(self) -> None:
        """See :class:`edge_agent.recorder.delivery.PacketSource`."""

    def packets(self) -> Iterator[Delivery]:
        """See :class:`edge_agent.recorder.delivery.PacketSource`."""
        for recording in self._recordings:
            legs = [leg for leg in self._legs if leg.start_s < recording.end_s and leg.end_s > recording.start_s]
            if legs:
                yield from self._play(recording, legs)
            if self._stop.is_set():
                return

    def _play(self, recording: RecordedFile, legs: Sequence[TimeWindow]) -> Iterator[Delivery]:
        try:
            reader = Reader(recording, threads=1)
        except BadInput as error:
            raise SourceTrouble(str(error)) from error
        with closing(reader):
            watch = ParameterWatch(reader.stream)
            played_to = -math.inf  # two legs may lie in one group of pictures
            for leg in legs:
                for packet in reader.packets_from(recording.pts_at(max(leg.start_s, recording.start_s))):
                    pts, order = packet_pts(packet), packet.dts if packet.dts is not None else packet.pts
                    if pts is None or order is None or order <= played_to:
                        continue
                    if recording.seconds(order) >= leg.end_s:
                        break
                    if not self._wait(recording.seconds(pts)):
                        return
                    played_to = order
                    yield Delivery(packet, watch.of(packet), arrival_now(self._clock), recording.seconds(pts))

    def _wait(self, moment_s: float) -> bool:
        """Whether the moment came before the end was asked for."""
        while not self._stop.is_set() and (left_s := moment_s - self._clock.now_s()) > 0:
            wait_for_clock(self._clock, left_s, self._stop)
        return not self._stop.is_set()


def _legs(clock: AgentClock) -> list[TimeWindow]:
    """The times a clock will show."""
    if not isinstance(clock, ReplayClock):
        return [TimeWindow(-math.inf, math.inf)]
    legs = [TimeWindow(leg.start_s, leg.start_s + leg.length_s) for leg in clock.legs]
    return [*legs[:-1], TimeWindow(legs[-1].start_s, math.inf)]
