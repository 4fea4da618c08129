"""Bringing a ring's index and its files together after a kill, a power cut or damage to the index."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.ring.database import IndexDamaged
from edge_agent.ring.segment import SEGMENT_SUFFIX, Segment, told_by_name
from edge_agent.ring.torn_end import cut_torn_end
from renzheng.clock import from_seconds
from renzheng.errors import BadInput

if TYPE_CHECKING:
    from edge_agent.ring.index import SegmentIndex

_LOG = logging.getLogger(__name__)

_ADOPT_AT_START_S = 5.0
"""Longest that a recorder's start is held up by files without a row; the others follow while it records."""

_DAMAGED_SUFFIX = ".damaged"


def recover(index: SegmentIndex) -> int:
    """See :meth:`SegmentIndex.recover`; returns how many files are still to be entered."""
    _set_damaged_aside(index)
    for segment in index.segments():
        if not (index.folder / segment.name).is_file():
            index.forget(segment.id)
        elif segment.is_open:
            _close_at_real_end(index, segment)
    left = adopt_some(index, _ADOPT_AT_START_S)
    if left:
        _LOG.warning("%s: %d files of the ring are still to be entered in its index", index.folder.name, left)
    return left


def adopt_some(index: SegmentIndex, limit_s: float) -> int:
    """See :meth:`SegmentIndex.adopt_some`."""
    unknown = sorted(_files_without_row(index), reverse=True)
    until_s = time.monotonic() + limit_s
    newest_start_s = max((segment.start_s for segment in index.segments()), default=None)
    for number, name in enumerate(unknown):
        if time.monotonic() > until_s:
            return len(unknown) - number
        path = index.folder / name
        found = _probed(path)
        if found is None:
            path.unlink(missing_ok=True)
        else:
            index.add(found, as_oldest=newest_start_s is not None and found.start_s < newest_start_s)
            newest_start_s = found.start_s if newest_start_s is None else max(newest_start_s, found.start_s)
    return 0


def _set_damaged_aside(index: SegmentIndex) -> None:
    """An index that cannot be read makes room for an empty one; the one before stays beside it to be looked at."""
    try:
        index.check()
    except IndexDamaged as error:
        index.close()
        for suffix in ("-wal", "-shm"):
            index.path.with_name(index.path.name + suffix).unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            index.path.replace(index.path.with_name(index.path.name + _DAMAGED_SUFFIX))
        _LOG.warning("%s; it is made anew from the segments", error)


def _close_at_real_end(index: SegmentIndex, segment: Segment) -> None:
    """A recorder that was killed has written up to a second more than it noted."""
    path = index.folder / segment.name
    found = _probed(path)
    if found is None:
        path.unlink(missing_ok=True)
        index.forget(segment.id)
        return
    length_s = found.end_s - found.start_s
    index.extend(segment.id, max(segment.end_s, segment.start_s + length_s), found.size_bytes, found.packets)
    index.finish(segment.id)


def _files_without_row(index: SegmentIndex) -> Iterator[str]:
    known = {segment.name for segment in index.segments()}
    for path in index.folder.iterdir():
        if path.suffix == SEGMENT_SUFFIX and path.name not in known and path.is_file():
            yield path.name


def _probed(path: Path) -> Segment | None:
    """What a segment's file tells of itself, without a torn end; ``None`` when nothing in it can be read.

    Its start is the first keyframe's; pictures shown before that may follow it.
    """
    from edge_agent.recording_probe import open_container, open_recording, packets_to_end, video_stream

    told = told_by_name(path.name)
    if told is None:
        return None
    start_s, epoch = told
    cut_torn_end(path)
    try:
        found = open_recording(path, from_seconds(start_s))
        with open_container(path) as container:
            packets = list(packets_to_end(container, video_stream(path, container)))
    except BadInput:
        return None
    first = packets[0] if packets else None
    if first is None or first.pts is None or not first.is_keyframe:
        return None
    length_s = found.duration_s - float((first.pts - found.origin_pts) * found.time_base)
    return Segment(
        0, path.name, epoch, start_s, start_s + length_s, False, path.stat().st_size, len(packets), found.codec,
        found.coded_wh, found.time_base, first.pts, found.frame_s,
    )  # fmt: skip
