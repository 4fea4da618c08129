"""Footage in a live ring: the segments around an asked window as one timeline."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import TypeVar

from edge_agent.footage import Cut, OnDamage, Stretch, TimeWindow
from edge_agent.private_zones import PrivateZones
from edge_agent.recorded import RecordedFile, RecordedTimeline
from edge_agent.recording_pictures import FrameMaker, decode_keyframe
from edge_agent.recording_reader import Reader
from edge_agent.ring.index import IndexUnusable, Segment, SegmentIndex
from renzheng.clock import from_seconds
from renzheng.contracts.clip import ManifestSegment
from renzheng.errors import BadInput, StorageFull
from renzheng.files import sha256_file
from vision.types import Frame

_LOG = logging.getLogger(__name__)

_T = TypeVar("_T")

NEAR_S = 30.0
"""A window so close to contradicting times is unclear as well: nobody knows how far off the clock was."""

_BORDER_S = 1.0
"""The segment that ends within this before a window is read too, for where its last picture lies in the grid."""

_KEPT_TIMELINES = 4
_KEPT_OPEN = 6
"""Files that are open during a question: the segments of a usual window, each of which takes long to open."""
_TRIES = 3
"""The recorder may delete the oldest segment between a question to the index and the opening of the file."""


class SegmentRing:
    """What one camera's ring holds; implements :class:`edge_agent.footage.Footage`.

    Nothing is probed: the index says all there is to know of a segment. The open segment counts as far as the index
    says it can be read. No file stays open after a call, unless within :meth:`held_open`. A segment that is gone, or
    an index that cannot be read, is footage that is not there: only :meth:`cut` raises. Where the box's clock was set
    back, the later recording answers for the hours that came twice. Not for several threads at once.
    """

    def __init__(self, folder: Path, *, threads: int = 1, reduced_long_side_px: int = 640) -> None:
        self.folder = folder
        self.index = SegmentIndex(folder)
        self._threads = threads
        self._long_side_px = reduced_long_side_px
        self._frames = FrameMaker(reduced_long_side_px)
        self._timelines: OrderedDict[tuple[Segment, ...], RecordedTimeline] = OrderedDict()
        self._holders = 0

    def __enter__(self) -> SegmentRing:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the index; the ring can be used again."""
        self._close_files()
        self._timelines.clear()
        self.index.close()

    @contextmanager
    def held_open(self) -> Iterator[None]:
        """Files stay open from one question to the next, a few at a time: for a check, which asks many."""
        self._holders += 1
        try:
            yield
        finally:
            self._holders -= 1
            if not self._holders:
                self._close_files()

    # --- Footage ------------------------------------------------------------------------------------------------------

    def stretches(self, window: TimeWindow) -> list[Stretch]:
        """Decodable stretches that overlap the window, in order of time; found without decoding."""
        return self._ask(window, lambda timeline: timeline.stretches(window), [])

    def look(self, stretch: Stretch, window: TimeWindow, on_damage: OnDamage) -> Iterator[Frame]:
        """Decode one stretch and yield the frames to look at that lie in the window, in order of time.

        They are the same ones as if the ring were a single recording. A stretch that is no longer in the ring is told
        to ``on_damage``.
        """
        if stretch.end_s <= window.start_s or stretch.start_s >= window.end_s:
            return
        timeline = self._timeline(window)
        try:
            yield from timeline.look(stretch, window, on_damage)
        except BadInput as error:
            on_damage(f"{stretch.source}: cannot be read any more ({error})")
        finally:
            self._asked(timeline)

    def glances(self, window: TimeWindow, count: int) -> list[Frame]:
        """Up to ``count`` keyframes spread evenly over what is recorded of the window; only keyframes are decoded."""
        return self._ask(window, lambda timeline: timeline.glances(window, count), [])

    def recorded_share(self, window: TimeWindow) -> float:
        """Share of the window, 0 to 1, that the ring covers by now."""
        return self._ask(window, lambda timeline: timeline.recorded_share(window), 0.0)

    def cut(self, window: TimeWindow, path: Path, private: PrivateZones | None = None) -> Cut | None:
        """As :meth:`edge_agent.recorded.RecordedTimeline.cut`; ``sources`` are names of segments.

        Raises :class:`renzheng.errors.StorageFull` when the disk is full and :class:`BadInput` when what the index
        names cannot be read.
        """
        return self._ask(window, lambda timeline: timeline.cut(window, path, private), None, raises=True)

    # --- the ring's own -----------------------------------------------------------------------------------------------

    def recorded_until(self) -> float | None:
        """How far the newest segment can be read, seconds since 1970 (UTC); ``None`` when nothing is recorded."""
        try:
            return self.index.recorded_until()
        except (IndexUnusable, StorageFull) as error:
            _LOG.warning("%s", error)
            return None

    def newest_frame(self) -> Frame | None:
        """The newest keyframe that can be decoded; ``None`` when there is none."""
        try:
            key = self.index.newest_keyframe()
        except (IndexUnusable, StorageFull) as error:
            _LOG.warning("%s", error)
            return None
        if key is None:
            return None
        recording = self._recording(key.segment)
        try:
            reader = Reader(recording, self._threads)
        except BadInput:
            return None
        try:
            picture = decode_keyframe(reader, key.pts)
            return None if picture is None else self._frames.frame(recording, picture)
        finally:
            reader.close()

    def clock_unclear(self, window: TimeWindow) -> bool:
        """Whether the times of what is recorded of the window may be wrong.

        So where recordings from before and after the box's clock was set lie at the same times within ``NEAR_S`` of the
        window, and where the window lies in a recording from before it was set: the clock was found wrong after it.
        """
        near = self._segments(TimeWindow(window.start_s - NEAR_S, window.end_s + NEAR_S))
        if any(a.epoch != b.epoch and a.start_s < b.end_s and b.start_s < a.end_s for a, b in combinations(near, 2)):
            return True
        try:
            newest = self.index.newest_epoch()
        except (IndexUnusable, StorageFull):
            return True
        inside = [s for s in near if s.start_s < window.end_s and s.end_s > window.start_s]
        return newest is not None and any(segment.epoch != newest[0] for segment in inside)

    def segments_of(self, part: Cut | TimeWindow) -> tuple[ManifestSegment, ...]:
        """Names, digests and times of the segments a clip was cut from, or of those that overlap a window.

        The digest of an open segment is that of its bytes so far, with which the finished one begins.
        """
        window = part if isinstance(part, TimeWindow) else TimeWindow(part.start_s, part.end_s)
        wanted = None if isinstance(part, TimeWindow) else set(part.sources)
        return tuple(
            manifest
            for segment in self._segments(window)
            if (wanted is None or segment.name in wanted) and (manifest := self._manifest(segment)) is not None
        )

    def _manifest(self, segment: Segment) -> ManifestSegment | None:
        try:
            digest = sha256_file(self.folder / segment.name)
        except OSError:
            return None
        start, end = from_seconds(segment.start_s), from_seconds(segment.end_s)
        return ManifestSegment(name=segment.name, sha256=digest, start=start, end=end)

    # --- timelines ----------------------------------------------------------------------------------------------------

    def _ask(
        self, window: TimeWindow, question: Callable[[RecordedTimeline], _T], none: _T, *, raises: bool = False
    ) -> _T:
        """Ask the timeline of a window; again when a segment was deleted meanwhile."""
        for attempt in range(_TRIES):
            timeline = self._timeline(window)
            try:
                return question(timeline)
            except BadInput as error:
                if attempt == _TRIES - 1:
                    if raises:
                        raise
                    _LOG.warning("%s", error)
            finally:
                self._asked(timeline)
        return none

    def _asked(self, timeline: RecordedTimeline) -> None:
        if not self._holders:
            timeline.close()

    def _close_files(self) -> None:
        for timeline in self._timelines.values():
            timeline.close()

    def _timeline(self, window: TimeWindow) -> RecordedTimeline:
        """Made of the segments that are there now; kept for a few windows, so that groups are found once."""
        segments = tuple(_newest_first_served(self._segments(TimeWindow(window.start_s - _BORDER_S, window.end_s))))
        timeline = self._timelines.pop(segments, None)
        if timeline is None:
            timeline = RecordedTimeline(
                [self._recording(segment) for segment in segments],
                threads=self._threads,
                reduced_long_side_px=self._long_side_px,
                keep_open=_KEPT_OPEN,
            )
        self._timelines[segments] = timeline
        while len(self._timelines) > _KEPT_TIMELINES:
            self._timelines.popitem(last=False)[1].close()
        return timeline

    def _segments(self, window: TimeWindow) -> list[Segment]:
        try:
            return [s for s in self.index.covering(window) if (self.folder / s.name).is_file()]
        except (IndexUnusable, StorageFull) as error:
            _LOG.warning("%s", error)
            return []

    def _recording(self, segment: Segment) -> RecordedFile:
        return RecordedFile(
            self.folder / segment.name, segment.start_s, segment.end_s, "ring", segment.codec, segment.coded_wh,
            segment.time_base, segment.origin_pts, segment.frame_s,
        )  # fmt: skip


def _newest_first_served(segments: Sequence[Segment]) -> list[Segment]:
    """Segments of which those of earlier epochs give way where a later epoch has recorded the same times again."""
    kept = []
    for segment in segments:
        again_s = [s.start_s for s in segments if s.epoch > segment.epoch and s.end_s > segment.start_s]
        end_s = min([segment.end_s, *again_s])
        if end_s > segment.start_s:
            kept.append(replace(segment, end_s=end_s))
    return kept
