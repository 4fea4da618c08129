"""Cutting a clip out of recordings by stream copy: no picture is touched, only the container is new."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.stream import VideoStream

from edge_agent.footage import Cut, Footage, TimeWindow
from edge_agent.recording_probe import RecordedFile, packet_pts
from edge_agent.recording_reader import Gop, GopMap, Reader, ReaderPool
from renzheng.clock import from_seconds, local_text
from renzheng.errors import BadInput
from renzheng.files import atomic_path

_CLIP_TIME_BASE = Fraction(1, 90_000)
_UNSHOWN_WORTH_TELLING_S = 0.5


@dataclass(frozen=True)
class ClipPart:
    """The part of a window for which one recording answers."""

    recording: RecordedFile
    name: str
    gops: GopMap
    part: TimeWindow


@dataclass(frozen=True)
class _Piece:
    """A run of packets: from a keyframe up to the last one, in decoding order, that is shown before the end."""

    source: ClipPart
    key_pts: int
    last_pts: frozenset[int]

    @property
    def start_s(self) -> float:
        return self.source.recording.seconds(self.key_pts)


def write_clip(pool: ReaderPool, parts: Sequence[ClipPart], path: Path) -> Cut | None:
    """Join the parts into one MP4 whose times begin at the first keyframe; the same bytes on every run.

    Raises :class:`BadInput` when the codec does not go into an MP4, :class:`renzheng.errors.StorageFull` when the
    disk is full; no partial file stays behind.
    """
    alike = _alike(pool, parts)
    pieces = [piece for part in alike if (piece := _piece(pool, part)) is not None]
    if not pieces:
        return None
    with atomic_path(path) as written:
        end_s = _write(pool, pieces, written)
    return Cut(path, pieces[0].start_s, end_s, tuple(piece.source.name for piece in pieces))


def what_a_clip_lacks(footage: Footage, window: TimeWindow, cut: Cut) -> str:
    """Says that a clip shows less than is recorded of its window; empty when it shows all of it."""
    unshown_s, left_out = 0.0, set()
    for stretch in footage.stretches(window):
        start_s, end_s = max(stretch.start_s, window.start_s), min(stretch.end_s, window.end_s)
        shown_s = min(end_s, cut.end_s) - max(start_s, cut.start_s)
        if stretch.source not in cut.sources:
            left_out.add(stretch.source)
            shown_s = 0.0
        unshown_s += end_s - start_s - max(0.0, shown_s)
    if unshown_s <= _UNSHOWN_WORTH_TELLING_S:
        return ""
    moments = (max(cut.start_s, window.start_s), min(cut.end_s, window.end_s))
    start, end = (local_text(from_seconds(moment_s), milliseconds=True) for moment_s in moments)
    without = f"; {', '.join(sorted(left_out))} could not be joined to it" if left_out else ""
    return f"the clip shows only {start} to {end}, {unshown_s:.1f} s less than is recorded of the window{without}"


def _alike(pool: ReaderPool, parts: Sequence[ClipPart]) -> list[ClipPart]:
    """The parts that can share one video track with the largest of them."""
    if len(parts) == 1:
        return list(parts)
    parameters = {}
    for part in parts:
        with pool.reader(part.recording) as reader:
            context = reader.context
            parameters[part.name] = (
                context.codec.name,
                context.width,
                context.height,
                context.pix_fmt,
                context.extradata,
            )
    shared = parameters[max(parts, key=lambda p: p.part.length_s).name]
    return [part for part in parts if parameters[part.name] == shared]


def _piece(pool: ReaderPool, source: ClipPart) -> _Piece | None:
    at = source.recording
    with pool.reader(at) as reader:
        gops = source.gops.gops(reader, at.pts_at(source.part.start_s), at.pts_at(source.part.end_s) + 1)
    shown = _shown_before(gops, at, source.part.end_s)
    return _Piece(source, gops[0].key_pts, shown) if shown else None


def _shown_before(gops: Sequence[Gop], at: RecordedFile, end_s: float) -> frozenset[int]:
    return frozenset(pts for gop in gops for pts in gop.shown_pts if at.seconds(pts) < end_s)


def _write(pool: ReaderPool, pieces: Sequence[_Piece], path: Path) -> float:
    container = av.open(
        str(path), "w", format="mp4", container_options={"movflags": "+faststart", "fflags": "+bitexact"}
    )
    try:
        end_s = _Writer(container, pieces[0].start_s).write(pool, pieces)
        container.close()
    except BaseException:
        _close_quietly(container)
        raise
    return end_s


def _close_quietly(container: OutputContainer) -> None:
    with suppress(FFmpegError, OSError):  # the error that led here says more
        container.close()


class _Writer:
    """Copies pieces into one track, keeping decoding times rising across the joins."""

    def __init__(self, container: OutputContainer, start_s: float) -> None:
        self._container = container
        self._start_s = start_s
        self._stream: VideoStream | None = None
        self._last_dts: int | None = None
        self._end_s = start_s
        self._has_next_key = False

    def write(self, pool: ReaderPool, pieces: Sequence[_Piece]) -> float:
        for number, piece in enumerate(pieces):
            until_s = pieces[number + 1].start_s if number + 1 < len(pieces) else float("inf")
            with pool.reader(piece.source.recording) as reader:
                if self._stream is None:
                    self._stream = _add_stream(self._container, reader)
                self._copy(reader, piece, until_s)
        if self._last_dts is None:
            raise BadInput(
                f"{pieces[0].source.recording.path}: could not be read again from its keyframe; has it changed?"
            )
        return self._end_s

    def _copy(self, reader: Reader, piece: _Piece, until_s: float) -> None:
        at = piece.source.recording
        frame_ticks = max(1, round(at.frame_s / at.time_base))
        last_pts = piece.key_pts
        skip_key, self._has_next_key = self._has_next_key, False
        left = set(piece.last_pts)
        for packet in reader.packets_at(piece.key_pts):
            if not left:
                return
            left.discard(packet_pts(packet) or 0)
            pts = packet_pts(packet)
            if pts is None:  # MPEG-PS stamps only some pictures; the others follow at the usual pace
                pts = last_pts + frame_ticks
            last_pts = pts
            if pts < piece.key_pts or (skip_key and pts == piece.key_pts):
                continue
            if at.seconds(pts) >= until_s:
                if not _leads_over(at, packet, pts, left, until_s):
                    continue
                self._has_next_key = True
            dts = packet.dts if packet.dts is not None else pts
            duration = packet.duration or frame_ticks
            self._end_s = max(self._end_s, at.seconds(pts + duration))
            self._mux(
                packet,
                at.seconds(pts) - self._start_s,
                float((pts - dts) * at.time_base),
                float(duration * at.time_base),
            )

    def _mux(self, packet: Packet[VideoStream], shown_s: float, ahead_s: float, duration_s: float) -> None:
        pts = _ticks(shown_s)
        dts = pts - _ticks(ahead_s)
        if self._last_dts is not None:
            dts = max(dts, self._last_dts + 1)
        self._last_dts = dts
        assert self._stream is not None
        packet.stream = self._stream
        packet.time_base = _CLIP_TIME_BASE
        packet.pts, packet.dts, packet.duration = max(pts, dts), dts, _ticks(duration_s)
        self._container.mux_one(packet)


def _leads_over(at: RecordedFile, packet: Packet[VideoStream], pts: int, left: set[int], until_s: float) -> bool:
    """Whether a packet is the next piece's keyframe, on which pictures shown before it rest (open GOP)."""
    is_next_key = packet.is_keyframe and at.seconds(pts) - until_s < at.frame_s / 2
    return is_next_key and any(at.seconds(other) < until_s for other in left)


def _add_stream(container: OutputContainer, reader: Reader) -> VideoStream:
    try:
        stream = container.add_stream_from_template(reader.stream, opaque=True)
    except ValueError as error:
        codec = reader.context.codec.name
        raise BadInput(f"{reader.recording.path}: expected video that goes into an MP4, {codec} does not") from error
    stream.time_base = _CLIP_TIME_BASE
    if reader.context.codec.name == "hevc":
        stream.codec_context.codec_tag = "hvc1"
    return stream


def _ticks(seconds: float) -> int:
    return round(seconds / _CLIP_TIME_BASE)
