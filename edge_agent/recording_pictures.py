"""Decoding the pictures that are wanted out of one group, and turning them into frames.

A picture that the decoder patched up must never become evidence. So whatever the decoder refuses or flags ends the
use of its group: every later picture of the group may rest on the damaged one. H.264 flags patched pictures
(``is_corrupt``), and reference pictures that are missing are noticed by their numbers. The decoders of other codecs
are told to refuse (``err_detect=explode``), because H.265 drops what is damaged silently; H.264 is not told so,
because it would then refuse harmless oddities in side messages too. Noise that still reads as valid H.265 is noticed
by nothing here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream

from edge_agent.h264_gaps import ReferenceCounter
from edge_agent.recording_probe import RecordedFile, packet_pts
from edge_agent.recording_reader import Gop, Reader
from vision.types import BgrImage, Frame

Damage = Callable[[int, str], None]
"""Told the presentation timestamp from which pictures are lost, and why."""

_QUARTER_TURN = 90


class Damaged(Exception):
    """The rest of a group cannot be trusted."""


def decode_wanted(reader: Reader, gop: Gop, wanted_pts: Sequence[int], damage: Damage) -> Iterator[VideoFrame]:
    """Yield the wanted pictures of a group in order of time, decoding no more than they need.

    A picture is held back until everything it may rest on has come out sound.
    """
    if reader.intra_only:
        yield from _decode_standalone(reader, gop, wanted_pts, damage)
        return
    pictures = _Pictures(reader, gop, wanted_pts)
    try:
        for packet in reader.packets_at(gop.key_pts):
            yield from pictures.feed(packet)
            if pictures.all_fed:
                break
        yield from pictures.drain()
    except Damaged as why:
        damage(pictures.next_wanted_pts, str(why))


def decode_keyframe(reader: Reader, pts: int) -> VideoFrame | None:
    """The sound picture of the first keyframe after a seek to ``pts``, and nothing else."""
    reader.context.flush_buffers()
    packet = next(reader.packets_from(pts), None)
    if packet is None:
        return None
    frames = _decoded(reader, packet) + _decoded(reader, None)
    reader.context.flush_buffers()
    return next((frame for frame in frames if not frame.is_corrupt), None)


def _decoded(reader: Reader, packet: Packet[VideoStream] | None) -> list[VideoFrame]:
    try:
        return reader.context.decode(packet)
    except FFmpegError:
        return []


def _decode_standalone(reader: Reader, gop: Gop, wanted_pts: Sequence[int], damage: Damage) -> Iterator[VideoFrame]:
    left = set(wanted_pts)
    for packet in reader.packets_at(gop.key_pts) if left else ():
        pts = packet_pts(packet)
        if pts in left:
            left.remove(pts)
            sound = [f for f in _decoded(reader, packet) if not f.is_corrupt] if not packet.is_corrupt else []
            if not sound:
                damage(pts, "the decoder refuses the picture")
            yield from sound
        if not left:
            return


class _Pictures:
    """Decoder state while one group is decoded."""

    def __init__(self, reader: Reader, gop: Gop, wanted_pts: Sequence[int]) -> None:
        self._context = reader.context
        self._gop = gop
        self._wanted = deque(sorted(wanted_pts))
        self._to_feed = set(wanted_pts)
        self._sound_at: dict[int, int] = {}
        self._held: deque[VideoFrame] = deque()
        self._last_fed_pts = gop.key_pts
        self._may_skip = reader.context.codec.name == "h264"
        self._references = ReferenceCounter(reader.context.extradata) if self._may_skip else None
        self._expected: set[int] = set()

    @property
    def all_fed(self) -> bool:
        return not self._to_feed

    @property
    def next_wanted_pts(self) -> int:
        return self._wanted[0] if self._wanted else self._last_fed_pts

    def feed(self, packet: Packet[VideoStream]) -> Iterator[VideoFrame]:
        pts = packet_pts(packet)
        leading = pts is None or pts < self._gop.key_pts
        if not leading and packet.is_corrupt:
            raise Damaged("data are missing from the file")
        if self._references and self._references.lost_before(memoryview(packet)) and not leading:
            raise Damaged("pictures are missing from the recording")
        if pts is not None and not leading:
            self._note_fed(pts, packet.is_discard)
        if self._may_skip:  # never referenced pictures need no decoding unless they are wanted themselves
            self._context.skip_frame = "DEFAULT" if pts in self._to_feed else "NONREF"
        self._to_feed.discard(pts if pts is not None else self._gop.key_pts - 1)
        try:
            frames = self._context.decode(packet)
        except FFmpegError as error:
            if leading:
                return
            raise Damaged(f"the decoder refuses the data ({error.strerror})") from error
        yield from self._sound(frames)

    def drain(self) -> Iterator[VideoFrame]:
        """What the decoder still holds; tells when wanted pictures never came out."""
        if self._wanted or self._held:
            try:
                frames = self._context.decode(None)
            except FFmpegError as error:
                raise Damaged(f"the decoder refuses the data ({error.strerror})") from error
            finally:
                self._context.flush_buffers()
            yield from self._sound(frames)
            while self._held:
                yield self._released()
        if self._wanted:
            raise Damaged("the decoder gives no picture")

    def _note_fed(self, pts: int, discarded: bool) -> None:
        self._last_fed_pts = max(self._last_fed_pts, pts)
        self._sound_at[pts] = self._last_fed_pts
        if not self._may_skip and not discarded:
            self._expected.add(pts)

    def _sound(self, frames: list[VideoFrame]) -> Iterator[VideoFrame]:
        for frame in frames:
            pts = frame.pts if frame.pts is not None else frame.dts
            if pts is None or pts < self._gop.key_pts:
                continue
            self._expected.discard(pts)
            if frame.is_corrupt:
                raise Damaged("the decoder had to patch a picture")
            if self._expected and min(self._expected) < pts:
                raise Damaged("the decoder left out a picture")
            if pts in self._wanted:
                self._held.append(frame)
            while self._held and self._sound_at[self._held[0].pts or 0] <= pts:
                yield self._released()

    def _released(self) -> VideoFrame:
        frame = self._held.popleft()
        self._wanted.popleft()
        return frame


class FrameMaker:
    """Turns decoded pictures into :class:`vision.types.Frame`; keeps the scaler between pictures."""

    def __init__(self, reduced_long_side_px: int) -> None:
        self._long_side_px = reduced_long_side_px
        self._reduce = VideoReformatter()

    def frame(self, recording: RecordedFile, picture: VideoFrame) -> Frame:
        """The frame of a picture: reduced at once, in full on demand, both turned upright."""
        turns = round(picture.rotation / _QUARTER_TURN) % 4
        wh = (picture.width, picture.height)
        shrink = min(1.0, self._long_side_px / max(wh))
        width, height = (max(1, round(side * shrink)) for side in wh)
        reduced = self._reduce.reformat(
            picture, width=width, height=height, format="bgr24", interpolation=Interpolation.BILINEAR
        )
        pts = picture.pts if picture.pts is not None else picture.dts or 0
        return Frame(
            recording.seconds(pts), wh if turns % 2 == 0 else wh[::-1], _upright(reduced, turns), _Full(picture, turns)
        )


class _Full:
    """The whole picture on demand; the decoded one is dropped as soon as it was given."""

    def __init__(self, picture: VideoFrame, turns: int) -> None:
        self._picture: VideoFrame | None = picture
        self._turns = turns

    def __call__(self) -> BgrImage:
        picture, self._picture = self._picture, None
        if picture is None:
            raise ValueError("a frame's full picture is loaded once")
        return _upright(picture.reformat(format="bgr24"), self._turns)


def upright_bgr(picture: VideoFrame) -> BgrImage:
    """A decoded picture in full, turned upright as its metadata say, height × width × 3."""
    return _upright(picture.reformat(format="bgr24"), round(picture.rotation / _QUARTER_TURN) % 4)


def _upright(picture: VideoFrame, turns: int) -> BgrImage:
    """Pixels turned counter-clockwise by quarter turns, height × width × 3."""
    return np.ascontiguousarray(np.rot90(np.asarray(picture.to_ndarray(), dtype=np.uint8), turns))
