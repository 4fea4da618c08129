"""The ring as its recorder uses it: one place for segments, gaps, budget and a disk that is full."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from edge_agent.edge_config import GIB, CameraConfig, KeepConfig
from edge_agent.logs import facts
from edge_agent.recorder.budget import keep_inside
from edge_agent.recorder.delivery import Delivery
from edge_agent.recorder.segment_file import RingUnwritable, StreamParameters
from edge_agent.recorder.segment_writer import SegmentWriter
from edge_agent.ring.index import CameraStatus, IndexDamaged, IndexUnusable, SegmentIndex
from edge_agent.ring.segment import RECORDING_BEGINS
from renzheng.errors import RenzhengError, StorageFull

_LOG = logging.getLogger(__name__)

AWAY_S = 1.0
"""A recorder that was away for longer leaves a gap worth noting."""

FULL_RETRY_S = 2.0
"""How long to wait before a disk that had no room is tried again."""

KEPT_SHARE = 0.98
"""Of the budget: what is recorded until the ring is looked after again has its place in the rest."""

ADOPT_S = 0.02
"""Time spent at each look on entering files that the index does not know."""

_ROUNDING_S = 0.02
"""A keyframe this little before the length of a segment ends it; else rounding would double every other segment."""

_DISK_TROUBLE = (StorageFull, RingUnwritable, IndexUnusable)


@dataclass
class _OpenGap:
    start_s: float
    why: str
    is_noted: bool


class RingKeeper:
    """Writes packets into the ring, and goes on when the disk is full or fails.

    ``packets`` and ``bytes`` were recorded, ``dropped`` packets were not though they came; ``trouble`` says what is
    wrong with the disk. Raises :class:`IndexDamaged` when the index has to be made anew by another start.
    """

    def __init__(self, camera: CameraConfig, keep: KeepConfig, index: SegmentIndex) -> None:
        self.packets = 0
        self.bytes = 0
        self.dropped = 0
        self.parameter_changes = 0
        self.parameters: StreamParameters | None = None
        self.last_picture_s = index.recorded_until()
        self.is_full = False
        self.trouble = ""
        self._camera = camera
        self._keep = keep
        self._index = index
        self.segment_s = max(_ROUNDING_S, camera.segment_s - _ROUNDING_S)
        self._writer = SegmentWriter(index.folder, index, self.segment_s)
        self._retry = 0.0
        self._gap: _OpenGap | None = None
        self._must_adopt = True
        self._is_blocked = False

    def first_epoch(self, now_s: float) -> int:
        """The epoch that recording begins with: another one when what is recorded lies in the future."""
        newest = self._index.newest_epoch()
        is_ahead = self.last_picture_s is not None and self.last_picture_s > now_s + AWAY_S
        epoch = newest[0] + is_ahead if newest else 0
        self.use_epoch(epoch)
        return epoch

    def was_away(self, now_s: float) -> None:
        """Note what the camera has not recorded up to now, at the start."""
        until_s = self.last_picture_s
        if until_s is None or until_s > now_s:
            self._begin_gap(now_s, RECORDING_BEGINS)
        elif now_s - until_s > AWAY_S:
            self._begin_gap(until_s, "the recorder was not running")
        else:
            self._gap = _OpenGap(until_s, "", is_noted=True)  # what the recorder before left open, if it did

    # --- recording ----------------------------------------------------------------------------------------------------

    @property
    def segment_start_s(self) -> float | None:
        """When the segment that is being written began; ``None`` while a keyframe is waited for."""
        return self._writer.segment.start_s if self._writer.segment else None

    def use_epoch(self, epoch: int) -> None:
        """Of what comes now; when the box's clock was set that lies in another segment."""
        if epoch != self._writer.epoch:
            self._try(self._writer.cut)
            self._writer.epoch = epoch
            self.last_picture_s = None

    def record(self, delivery: Delivery, time_s: float | None, now_s: float) -> bool:
        """Write a packet of a known time; false when there was nothing to write: no keyframe before it, or broken.

        A packet that finds no room on the disk is dropped and counted, and the camera is none the worse for it. Raises
        :class:`NoKeyframe` and :class:`BadInput` as :class:`SegmentWriter` does.
        """
        if time.monotonic() < self._retry:
            self.dropped += 1
            return True
        size, is_keyframe = delivery.packet.size, delivery.packet.is_keyframe
        try:
            written = time_s is not None and self._writer.write(
                delivery.packet, delivery.parameters, time_s, is_keyframe
            )
        except _DISK_TROUBLE as error:
            self.dropped += 1
            self._no_room(error, now_s)
            return True
        if not written or time_s is None:
            self.dropped += self.packets > 0
            return False
        self._note_parameters(delivery.parameters)
        self.packets += 1
        self.bytes += size
        self.last_picture_s = time_s if self.last_picture_s is None else max(time_s, self.last_picture_s)
        self._is_well(time_s)
        return True

    def pause(self, why: str, now_s: float) -> None:
        """Nothing comes for a while: end the segment and note the gap."""
        self._try(self._writer.cut)
        self._begin_gap(now_s if self.last_picture_s is None else self.last_picture_s, why)

    # --- looking after it ---------------------------------------------------------------------------------------------

    def keep_inside(self, now_s: float, *, force: bool = False) -> bool:
        """Delete what is too old or too much; whether anything went."""
        camera = self._camera
        try:
            freed = keep_inside(
                self._index, self._index.folder, max_bytes=round(camera.ring_gib * GIB * KEPT_SHARE),
                max_age_s=camera.ring_hours * 3600, min_free_bytes=round(self._keep.min_free_gib * GIB),
                now_s=now_s, epoch=self._writer.epoch, force=force,
            )  # fmt: skip
            self._index.forget_gaps_before(now_s - 2 * camera.ring_hours * 3600)
            self._must_adopt = self._must_adopt and self._index.adopt_some(ADOPT_S) > 0
        except IndexDamaged:
            raise
        except (*_DISK_TROUBLE, OSError) as error:
            _LOG.debug("the ring cannot be cleared now: %s", error, extra=facts(camera=camera.id))
            return False
        if freed.blocked_by_pins and not self._is_blocked:
            _LOG.warning("nothing more of the ring can be deleted; checks need the rest", extra=facts(camera=camera.id))
        self._is_blocked = freed.blocked_by_pins
        return freed.count > 0

    def write_status(self, status: CameraStatus) -> None:
        """Keep the camera's state for others to read."""
        self._try(lambda: self._index.write_status(status))

    def _note_parameters(self, parameters: StreamParameters) -> None:
        if self.parameters is not None and parameters != self.parameters:
            self.parameter_changes += 1
            words = f"{parameters.codec} {parameters.coded_wh[0]}x{parameters.coded_wh[1]}"
            _LOG.warning("the stream's parameters changed", extra=facts(camera=self._camera.id, now=words))
        self.parameters = parameters

    def _no_room(self, error: RenzhengError, now_s: float) -> None:
        """Make room by deleting what is oldest; when there is none to make, record nothing for a while."""
        if isinstance(error, IndexDamaged):
            raise error
        is_full = isinstance(error, StorageFull)
        if is_full and self.keep_inside(now_s, force=True):
            return
        if not self.trouble:
            _LOG.error("nothing can be recorded: %s", error, extra=facts(camera=self._camera.id))
        self.trouble, self.is_full = str(error), is_full
        self._retry = time.monotonic() + FULL_RETRY_S
        self._begin_gap(now_s if self.last_picture_s is None else self.last_picture_s, self.trouble)

    def _is_well(self, time_s: float) -> None:
        """A packet was written."""
        if self.trouble:
            _LOG.warning("is recorded again", extra=facts(camera=self._camera.id, dropped=self.dropped))
            self.trouble, self.is_full = "", False
        gap, self._gap = self._gap, None
        if gap is not None:
            end = self._index.end_gap
            self._try(lambda: end(time_s) if gap.is_noted else self._index.note_gap(gap.start_s, time_s, gap.why))

    def _begin_gap(self, start_s: float, why: str) -> None:
        if self._gap is None:
            is_noted = self._try(lambda: self._index.note_gap(start_s, None, why))
            self._gap = _OpenGap(start_s, why, is_noted)

    def _try(self, action: Callable[[], None]) -> bool:
        """Whether a step of book-keeping went well; recording goes on without it."""
        try:
            action()
        except IndexDamaged:
            raise
        except _DISK_TROUBLE as error:
            _LOG.debug("the ring's index could not be written: %s", error, extra=facts(camera=self._camera.id))
            return False
        return True
