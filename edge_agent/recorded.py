"""Footage in recorded files: several recordings of one camera as one timeline."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_agent.clip import ClipPart, write_clip
from edge_agent.footage import LOOKS_PER_S, Cut, OnDamage, Stretch, TimeWindow
from edge_agent.masked_clip import write_masked_clip
from edge_agent.private_zones import PrivateZones
from edge_agent.recording_pictures import FrameMaker, decode_keyframe, decode_wanted
from edge_agent.recording_probe import RecordedFile, open_recording, open_recordings
from edge_agent.recording_reader import KEEP_OPEN, GopMap, Reader, ReaderPool
from renzheng.clock import from_seconds, local_text
from renzheng.errors import BadInput
from vision.types import Frame

__all__ = ["RecordedFile", "RecordedTimeline", "open_recording", "open_recordings"]

_GRID_TOLERANCE_S = 0.001
"""A picture this little before a grid point counts as on it: MKV rounds its time stamps to milliseconds."""


_LAST_PICTURES_S = 2.0
"""The last picture of a recording is looked for in so much of its end; an older one is in another interval anyway."""


def grid_cell(time_s: float) -> int:
    """Which interval of the looking grid, counted from 1970, a moment lies in."""
    return math.floor((time_s + _GRID_TOLERANCE_S) * LOOKS_PER_S)


@dataclass(frozen=True)
class _Span:
    """The part of the timeline for which a recording answers: where two overlap, the one that began first does."""

    recording: RecordedFile
    name: str
    start_s: float
    end_s: float
    gops: GopMap

    def within(self, window: TimeWindow) -> TimeWindow | None:
        start_s, end_s = max(self.start_s, window.start_s), min(self.end_s, window.end_s)
        return TimeWindow(start_s, end_s) if start_s < end_s else None

    def stretches(self, reader: Reader, part: TimeWindow) -> list[Stretch]:
        """None ends after the recording does: the file of an open segment may hold more than is told of it yet."""
        at = self.recording
        gops = self.gops.gops(reader, at.pts_at(part.start_s), at.pts_at(part.end_s) + 1)
        next_s = [at.end_s if gop.next_key_pts is None else at.seconds(gop.next_key_pts) for gop in gops]
        ends = [min(at.end_s, end_s) for end_s in next_s]
        found = [Stretch(self.name, at.seconds(gop.key_pts), end) for gop, end in zip(gops, ends, strict=True)]
        return [s for s in found if s.start_s < part.end_s and s.end_s > part.start_s]


class RecordedTimeline:
    """The recordings of one camera, in order of time; implements :class:`edge_agent.footage.Footage`.

    Files may overlap (the one that began first answers) and leave gaps. At most ``keep_open`` are kept open.
    ``threads`` is the decoder's threads per file; ``reduced_long_side_px`` the longest side of ``Frame.reduced_bgr``.
    Not for several threads at once; several processes may each have one.
    """

    def __init__(
        self,
        recordings: Sequence[RecordedFile],
        *,
        threads: int = 1,
        reduced_long_side_px: int = 640,
        keep_open: int = KEEP_OPEN,
    ) -> None:
        self._pool = ReaderPool(threads, keep_open)
        self._frames = FrameMaker(reduced_long_side_px)
        self._spans = _spans(recordings)
        self._span_named = {span.name: span for span in self._spans}

    def __enter__(self) -> RecordedTimeline:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files that are still open; the timeline can be used again."""
        self._pool.close()

    @property
    def recordings(self) -> tuple[RecordedFile, ...]:
        """The recordings that answer for some part of the timeline, in order of time."""
        return tuple(span.recording for span in self._spans)

    def stretches(self, window: TimeWindow) -> list[Stretch]:
        """Decodable stretches that overlap the window, in order of time; found without decoding."""
        found: list[Stretch] = []
        for span, part in self._parts(window):
            with self._pool.reader(span.recording) as reader:
                found += span.stretches(reader, part)
        return found

    def look(self, stretch: Stretch, window: TimeWindow, on_damage: OnDamage) -> Iterator[Frame]:
        """Decode one stretch and yield the frames to look at that lie in the window, in order of time.

        A frame is the first one in its interval of the grid; which ones that are does not depend on the window, nor on
        where one recording ends and the next follows on. After damage nothing of the stretch is yielded any more.
        Raises :class:`BadInput` for a stretch of other footage.
        """
        span = self._span_named.get(stretch.source)
        if span is None:
            raise BadInput(f"{stretch.source}: expected a recording of this timeline")
        part = span.within(window)
        if part is None:
            return
        recording = span.recording
        with self._pool.reader(recording) as reader:
            key_pts = round((stretch.start_s - recording.start_s) / float(recording.time_base)) + recording.origin_pts
            gop = span.gops.gop_at(reader, key_pts)
            if gop is None:
                raise BadInput(f"{stretch.source}: expected a keyframe at {stretch.start_s:.3f} s, there is none")
            before_pts = span.gops.last_shown_before(reader, key_pts)
            before_s = self._shown_before(span) if before_pts is None else recording.seconds(before_pts)
            wanted = _wanted_pts(recording, before_s, gop.shown_pts, part)
            if wanted:
                for picture in decode_wanted(reader, gop, wanted, _damage_teller(span, on_damage)):
                    yield self._frames.frame(recording, picture)

    def glances(self, window: TimeWindow, count: int) -> list[Frame]:
        """Up to ``count`` keyframes spread evenly over what is recorded of the window; only keyframes are decoded."""
        parts = self._parts(window)
        step_s = sum(part.length_s for _, part in parts) / count
        seen: dict[float, Frame] = {}
        due_s = step_s / 2
        for span, part in parts:
            while due_s < part.length_s:
                with self._pool.reader(span.recording) as reader:
                    picture = decode_keyframe(reader, span.recording.pts_at(part.start_s + due_s))
                if picture is not None:
                    frame = self._frames.frame(span.recording, picture)
                    seen.setdefault(frame.time_s, frame)
                due_s += step_s
            due_s -= part.length_s
        return [seen[time_s] for time_s in sorted(seen) if window.start_s <= time_s < window.end_s]

    def recorded_share(self, window: TimeWindow) -> float:
        """Share of the window, 0 to 1, that recordings cover."""
        return min(1.0, sum(part.length_s for _, part in self._parts(window)) / window.length_s)

    def cut(self, window: TimeWindow, path: Path, private: PrivateZones | None = None) -> Cut | None:
        """Write the window as an MP4 by stream copy from the keyframe before it; ``None`` when nothing is there.

        With ``private`` zones it is encoded again, with them black, from the window's first picture on.

        Recordings of other parameters than the one with the largest share of the window are left out; ``sources`` says
        which are in. Raises :class:`BadInput` when the codec does not go into an MP4 and
        :class:`renzheng.errors.StorageFull` when the disk is full; no partial file stays behind.
        """
        parts = [ClipPart(span.recording, span.name, span.gops, part) for span, part in self._parts(window)]
        if private and parts:
            return write_masked_clip(self._pool, parts, path, private)
        return write_clip(self._pool, parts, path) if parts else None

    def _shown_before(self, span: _Span) -> float | None:
        """When the picture just before a recording is shown, if it follows on another one without a break."""
        number = self._spans.index(span)
        before = self._spans[number - 1] if number else None
        if before is None or span.start_s - before.end_s > before.recording.frame_s / 2:
            return None
        at = before.recording
        with self._pool.reader(at) as reader:
            end_pts = at.pts_at(before.end_s)
            gops = before.gops.gops(reader, end_pts - round(_LAST_PICTURES_S / at.time_base), end_pts + 1)
        shown_s = (at.seconds(pts) for gop in gops for pts in gop.shown_pts)
        return max((time_s for time_s in shown_s if time_s < before.end_s), default=None)

    def _parts(self, window: TimeWindow) -> list[tuple[_Span, TimeWindow]]:
        return [(span, part) for span in self._spans if (part := span.within(window)) is not None]


def _spans(recordings: Sequence[RecordedFile]) -> list[_Span]:
    ordered = sorted(recordings, key=lambda r: (r.start_s, r.end_s, str(r.path)))
    names = [r.path.name for r in ordered]
    spans: list[_Span] = []
    covered_s = -math.inf
    for recording, name in zip(ordered, names, strict=True):
        start_s = max(recording.start_s, covered_s)
        if start_s < recording.end_s:
            unique = name if names.count(name) == 1 else str(recording.path)
            spans.append(_Span(recording, unique, start_s, recording.end_s, GopMap(recording)))
            covered_s = recording.end_s
    return spans


def _wanted_pts(
    recording: RecordedFile, before_s: float | None, shown_pts: Sequence[int], part: TimeWindow
) -> list[int]:
    """Those of a group's pictures that are the first in their grid interval and lie in the window."""
    wanted = []
    cell_before = None if before_s is None else grid_cell(before_s)
    for pts in shown_pts:
        time_s = recording.seconds(pts)
        cell = grid_cell(time_s)
        if cell != cell_before and part.start_s <= time_s < part.end_s:
            wanted.append(pts)
        cell_before = cell
    return wanted


def _damage_teller(span: _Span, on_damage: OnDamage) -> Callable[[int, str], None]:
    def tell(pts: int, why: str) -> None:
        moment = local_text(from_seconds(span.recording.seconds(pts)), milliseconds=True)
        on_damage(f"{span.name}: from {moment} to the next keyframe: {why}")

    return tell
