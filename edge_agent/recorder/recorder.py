"""Recording one camera: from its reader through the clock into the ring, whatever camera, clock or disk do."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence

from edge_agent.agent_clock import AgentClock
from edge_agent.edge_config import CameraConfig, KeepConfig
from edge_agent.logs import facts
from edge_agent.recorder.camera_reader import CameraReader, Ended
from edge_agent.recorder.connection import Connection, News
from edge_agent.recorder.delivery import Delivery, SourceTrouble
from edge_agent.recorder.file_sources import TimelineCamera
from edge_agent.recorder.ring_keeper import RingKeeper
from edge_agent.recorder.segment_writer import NoKeyframe
from edge_agent.recorder.sources import OPEN_WITHIN_S, open_source
from edge_agent.recorder.stream_clock import LAG_S, Stamp, StreamClock
from edge_agent.recording_probe import RecordedFile
from edge_agent.ring.index import CameraStatus, SegmentIndex
from renzheng.errors import BadInput, RenzhengError

_LOG = logging.getLogger(__name__)

TICK_S = 0.2
STATUS_EVERY_S = 1.0
BUDGET_EVERY_S = 5.0
"""How often the recorder looks after its connection, tells how it is, and deletes what is too old; real seconds."""

MOST_HELD = 1_000
"""Packets held at most while a connection settles."""

STUCK_AFTER_S = 120.0
"""A read that has not come back so long after it was given up does not come back; only a new process helps."""

LEAVE_WITHIN_S = 0.5
"""How long leaving waits for the camera to be closed politely."""


class ReaderStuck(RenzhengError):
    """The camera's driver or a look-up of its name does not come back; a new process is needed."""

    exit_code = 5


class Recorder:
    """Records one camera into the ring of ``index``. Not for several threads at once.

    With ``recordings`` it plays them at their own times in place of the camera. ``is_over`` is asked a few times a
    second; when it is true the open segment is ended and :meth:`run` returns. Raises :class:`ReaderStuck` and what
    :class:`SegmentIndex` raises when it is damaged: both need a new process.
    """

    def __init__(
        self,
        camera: CameraConfig,
        keep: KeepConfig,
        clock: AgentClock,
        index: SegmentIndex,
        recordings: Sequence[RecordedFile] = (),
    ) -> None:
        self._camera = camera
        self._clock = clock
        self._recordings = recordings
        self._is_file = camera.url.startswith("file:")
        self._ring = RingKeeper(camera, keep, index)
        self._stream_clock = StreamClock(self._ring.first_epoch(clock.now_s()))
        self._connection = Connection(
            stall_after_s=camera.stall_after_s, connect_within_s=OPEN_WITHIN_S + camera.stall_after_s
        )
        self._reader: CameraReader | None = None
        self._left_at: float | None = None
        self._held: list[Delivery] = []
        self._since_s = clock.now_s()
        self._dropped_before = 0
        self._next_tick = self._next_status = self._next_budget = 0.0

    def run(self, is_over: Callable[[], bool]) -> None:
        """Record until it is over."""
        if not self._recordings:
            self._ring.was_away(self._clock.now_s())
        try:
            while not is_over():
                self._look_after()
                self._take()
        finally:
            self._leave()

    # --- packets ------------------------------------------------------------------------------------------------------

    def _take(self) -> None:
        """Work on packets until the next tick, or sleep until then."""
        while (left_s := self._next_tick - time.monotonic()) > 0:
            if self._reader is None:
                time.sleep(left_s)
                return
            got = self._reader.next(left_s)
            if isinstance(got, Ended):
                self._ended(got.trouble)
            elif got is not None and self._left_at is None:
                self._judge(got)

    def _judge(self, delivery: Delivery) -> None:
        """Date a packet, or hold it until it can be dated."""
        if delivery.time_s is not None:
            self._record(delivery, delivery.time_s)
            return
        clock = self._stream_clock
        stamp = clock.saw(delivery.order_s, delivery.shown_s, delivery.arrival)
        if stamp is Stamp.REPEATED:
            self._ring.dropped += 1
            return
        if stamp is Stamp.JUMPED:
            self._ring.dropped += len(self._held)
            self._held.clear()
            self._ring.pause("the camera's time stamps jumped", self._clock.now_s())
            _LOG.warning("time stamps jumped", extra=facts(camera=self._camera.id, jumps=clock.jumps))
        self._held.append(delivery)
        self._release(delivery.arrival.steady_s)

    def _release(self, steady_s: float) -> None:
        """Record what was held, once the connection has settled."""
        if self._held and (self._stream_clock.is_settled(steady_s) or len(self._held) >= MOST_HELD):
            held, self._held = self._held, []
            for delivery in held:
                self._record(delivery, self._time_of(delivery))

    def _time_of(self, delivery: Delivery) -> float | None:
        """When a packet's picture was taken; ``None`` when it needs a keyframe before it that has not come."""
        clock, start_s = self._stream_clock, self._ring.segment_start_s
        if delivery.packet.is_keyframe:
            is_due = start_s is None or clock.time_s(delivery.shown_s) - start_s >= self._ring.segment_s
            if is_due or clock.was_set:
                time_s = clock.begin_segment(delivery.shown_s, self._ring.last_picture_s)
                self._ring.use_epoch(clock.epoch)
                return time_s
        return None if start_s is None else clock.time_s(delivery.shown_s)

    def _record(self, delivery: Delivery, time_s: float | None) -> None:
        now_s = self._clock.now_s()
        try:
            is_fine = self._ring.record(delivery, time_s, now_s)
        except NoKeyframe as error:
            self._give_up(str(error))
        except BadInput as error:
            self._give_up(str(error), refused=True)
        else:
            if is_fine:
                self._tell(self._connection.received(time.monotonic()))

    # --- connection ---------------------------------------------------------------------------------------------------

    def _look_after(self) -> None:
        """What is due between packets."""
        now = time.monotonic()
        self._next_tick = now + TICK_S
        self._release(self._clock.steady_s())
        if not self._recordings and self._left_at is None:
            self._doubt(now)
        if self._left_at is not None and now - self._left_at > STUCK_AFTER_S:
            raise ReaderStuck(f"camera {self._camera.id}: reading it does not come back")
        if self._reader is None and self._connection.is_due(now):
            self._open(now)
        if now >= self._next_budget:
            self._next_budget = now + max(TICK_S, self._clock.real_s(BUDGET_EVERY_S))
            self._ring.keep_inside(self._clock.now_s())
        if now >= self._next_status:
            self._next_status = now + STATUS_EVERY_S
            self._ring.write_status(self._status())

    def _doubt(self, now: float) -> None:
        """Give up a connection that sends nothing, or nothing that can be dated."""
        if (news := self._connection.overdue(now)) is not None:
            self._paused(news)
        elif self._stream_clock.lag_s > LAG_S and not self._is_file:
            self._give_up(f"its pictures come more than {LAG_S:g} s late")
        elif self._stream_clock.is_erratic:
            self._give_up("its time stamps jump again and again")

    def _open(self, now: float) -> None:
        self._connection.opening(now)
        self._stream_clock.connected()
        self._since_s = self._clock.now_s()
        self._reader = CameraReader(
            self._camera.id,
            lambda stop: (
                TimelineCamera(self._recordings, self._clock, stop)
                if self._recordings
                else open_source(self._camera, self._clock, stop)
            ),
        )

    def _ended(self, trouble: SourceTrouble | None) -> None:
        """The reader is through: what it held is recorded, and the connection stands as it ended."""
        assert self._reader is not None
        was_given_up, self._left_at = self._left_at is not None, None
        self._dropped_before += self._reader.dropped
        self._reader = None
        if was_given_up:
            return
        if self._held:
            self._release(float("inf"))
        if trouble is None:
            self._connection.ended(time.monotonic())
            self._since_s = self._clock.now_s()
            self._ring.pause("the recording that stands in for a camera has ended", self._clock.now_s())
        else:
            self._give_up(str(trouble), refused=trouble.refused)

    def _give_up(self, why: str, *, refused: bool = False) -> None:
        self._paused(self._connection.failed(time.monotonic(), why, refused=refused))

    def _paused(self, news: News) -> None:
        """The connection is closed and tried again later."""
        self._tell(news)
        if self._reader is not None:
            self._reader.leave()
            self._left_at = time.monotonic()
        self._held.clear()
        self._stream_clock.connected()
        self._ring.pause(news.text, self._clock.now_s())

    def _tell(self, news: News | None) -> None:
        if news is None:
            return
        self._since_s = self._clock.now_s()
        level = logging.DEBUG if news.is_repeat else logging.WARNING if news.is_trouble else logging.INFO
        _LOG.log(level, "camera %s", news.text, extra=facts(camera=self._camera.id, state=self._connection.state))

    def _status(self) -> CameraStatus:
        ring, dropped = self._ring, self._dropped_before + (self._reader.dropped if self._reader else 0)
        parameters = ring.parameters
        return CameraStatus(
            self._connection.state, self._since_s, self._clock.now_s(), ring.packets, ring.bytes,
            self._connection.reconnects, ring.dropped + dropped, ring.last_picture_s,
            ring.trouble or self._connection.last_error, self._stream_clock.clock_steps, self._stream_clock.jumps,
            ring.parameter_changes, parameters.codec if parameters else "", parameters.coded_wh if parameters else None,
            ring.is_full, os.getpid(),
        )  # fmt: skip

    def _leave(self) -> None:
        """End the segment, tell that the recorder stops, and close the camera if that goes quickly."""
        if self._reader is not None:
            self._reader.leave()
        self._held.clear()
        self._connection.ended(time.monotonic())
        self._since_s = self._clock.now_s()
        self._ring.pause("the recorder was stopped", self._clock.now_s())
        self._ring.write_status(self._status())
        if self._reader is not None:
            self._reader.join(LEAVE_WITHIN_S)
