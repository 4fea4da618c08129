"""Videos fed through the real writer into a ring, as a recorder does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av

from edge_agent.recorder.segment_writer import SegmentWriter, parameters_of
from edge_agent.ring.index import SegmentIndex

SEGMENT_S = 2.0


def feed(
    writer: SegmentWriter, video: Path, start_s: float, *, first: int = 0, count: int | None = None, jump_s: float = 0.0
) -> tuple[int, int]:
    """Write packets ``first`` and the ``count`` after it of a video that begins at ``start_s``; told as written,
    dropped. ``jump_s`` is added to the times that are told, not to the time stamps.
    """
    written = dropped = 0
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        parameters = parameters_of(stream)
        packets = [p for p in container.demux(stream) if p.size]
        origin = next(p.pts for p in packets if p.is_keyframe)
        for packet in packets[first : None if count is None else first + count]:
            assert packet.pts is not None and origin is not None
            time_s = start_s + float((packet.pts - origin) * packet.time_base) + jump_s
            if writer.write(packet, parameters, time_s, packet.is_keyframe):
                written += 1
            else:
                dropped += 1
    return written, dropped


def record(
    video: Path, folder: Path, start_s: float, *, segment_s: float = SEGMENT_S, close: bool = True,
    before: Callable[[SegmentWriter], None] = lambda _: None,
) -> SegmentIndex:  # fmt: skip
    """A ring that holds the whole video; without ``close`` as if the recorder were still at it."""
    index = SegmentIndex(folder)
    writer = SegmentWriter(folder, index, segment_s)
    before(writer)
    feed(writer, video, start_s)
    if close:
        writer.close()
    return index
