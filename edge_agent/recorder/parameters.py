"""What all packets of a stretch share, and noticing that a camera changed it in the middle of its stream.

A camera whose resolution is changed goes on sending: the new parameters stand only in the next keyframe. They are read
from there, without decoding a picture.
"""

from __future__ import annotations

import io
from fractions import Fraction

import av
from av.error import FFmpegError
from av.packet import Packet
from av.video.stream import VideoStream

from edge_agent.recorder.segment_file import StreamParameters

_START_CODE = b"\x00\x00\x01"
_SPS_TYPE = {"h264": 7, "hevc": 33}
"""Number of the sequence parameter set among a codec's units: ITU-T H.264 table 7-1, H.265 table 7-1."""

_FIRST_MARKER = 0xC0
_LAST_MARKER = 0xCF
_NO_FRAME_MARKERS = (0xC4, 0xC8, 0xCC)
_SCAN_MARKER = 0xDA
"""Markers of JPEG, ITU-T T.81 table B.1: C0 to CF begin a frame, but for three; after DA come the coded pictures."""

_FALLBACK_FRAME_S = 0.04
_FRAME_RATES = (0.05, 240.0)
"""Pictures a second that are believed; some cameras announce 90,000."""


class ParameterWatch:
    """Tells the parameters of each packet of one stream."""

    def __init__(self, stream: VideoStream) -> None:
        context = stream.codec_context
        self._codec = context.codec.name
        extradata = context.extradata or b""
        self._reads_units = self._codec in _SPS_TYPE and not extradata.startswith(b"\x01")
        self._mark = sequence_parameters(self._codec, extradata) if self._reads_units else _wh_mark(stream)
        self.parameters = StreamParameters(
            self._codec,
            (stream.width, stream.height),
            stream.time_base or Fraction(1, 90_000),
            _frame_s(stream),
            extradata,
            _independent(stream),
        )

    def of(self, packet: Packet[VideoStream]) -> StreamParameters:
        """The parameters this packet is to be read with."""
        if packet.is_keyframe:
            mark = self._mark_of(packet)
            if mark is not None and mark != self._mark:
                self._change(packet, mark)
        if packet.time_base != self.parameters.time_base:
            self._replace(time_base=packet.time_base)
        return self.parameters

    def _mark_of(self, packet: Packet[VideoStream]) -> bytes | None:
        """What of a keyframe's parameters tells one set from another; ``None`` when it carries none."""
        if self._reads_units:
            return sequence_parameters(self._codec, bytes(packet))
        return jpeg_size(bytes(packet)) if self._codec == "mjpeg" else None

    def _change(self, packet: Packet[VideoStream], mark: bytes) -> None:
        """Take over what the keyframe says; a camera may have announced something else before its first one."""
        try:
            opened = av.open(io.BytesIO(bytes(packet)), format=self._codec)
            template = opened.streams.video[0]
            extradata = template.codec_context.extradata or b""
        except (FFmpegError, IndexError, AttributeError):  # a damaged keyframe changes nothing
            return
        if not template.width or not template.height:
            return
        self._replace(coded_wh=(template.width, template.height), extradata=extradata, template=template)
        self._mark = mark

    def _replace(
        self,
        coded_wh: tuple[int, int] | None = None,
        extradata: bytes | None = None,
        template: VideoStream | None = None,
        time_base: Fraction | None = None,
    ) -> None:
        was = self.parameters
        self.parameters = StreamParameters(
            was.codec,
            coded_wh or was.coded_wh,
            time_base or was.time_base,
            was.frame_s,
            was.extradata if extradata is None else extradata,
            template or was.template,
        )


def sequence_parameters(codec: str, data: bytes) -> bytes | None:
    """The sequence parameter set of an H.264 or H.265 access unit with start codes (Annex B); ``None`` without one."""
    begin = data.find(_START_CODE)
    while begin >= 0 and begin + 3 < len(data):
        header = data[begin + 3]
        kind = header & 0x1F if codec == "h264" else header >> 1 & 0x3F
        if (1 <= kind <= 5) if codec == "h264" else kind < 32:  # a slice: what describes it stands before
            return None
        end = data.find(_START_CODE, begin + 3)
        if kind == _SPS_TYPE[codec]:
            return data[begin + 3 : end if end >= 0 else len(data)].rstrip(b"\x00")
        begin = end
    return None


def jpeg_size(data: bytes) -> bytes | None:
    """The bytes of a JPEG that tell height and width; ``None`` when it is none or is cut off before them."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF and data[at + 1] != _SCAN_MARKER:
        marker = data[at + 1]
        if _FIRST_MARKER <= marker <= _LAST_MARKER and marker not in _NO_FRAME_MARKERS:
            return data[at + 5 : at + 9]
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _wh_mark(stream: VideoStream) -> bytes:
    return stream.height.to_bytes(2, "big") + stream.width.to_bytes(2, "big")


def _frame_s(stream: VideoStream) -> float:
    for rate in (stream.average_rate, stream.guessed_rate):
        if rate and _FRAME_RATES[0] <= rate <= _FRAME_RATES[1]:
            return float(1 / rate)
    return _FALLBACK_FRAME_S


def _independent(stream: VideoStream) -> VideoStream:
    """The same stream in a container of its own, so that it outlives the connection it came from."""
    shelf = av.open(io.BytesIO(), "w", format="nut")
    return shelf.add_stream_from_template(stream, opaque=True)
