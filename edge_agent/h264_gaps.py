"""Noticing H.264 pictures that a recorder lost.

A recorder that loses a picture on the network writes on without it. The decoder then quietly puts an old picture in
the place of the lost one, and everything up to the next keyframe is smeared. Reference pictures are counted by
``frame_num``, which this module reads from the slice headers (ITU-T H.264, 7.3.2.1.1, 7.3.3 and 7.4.3).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_SLICE, _IDR_SLICE, _SPS = 1, 5, 7
_HEADER_BYTES = 64
_SEARCHED_BYTES = 16_384
_CHROMA_PROFILES = frozenset({44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244})


@dataclass(frozen=True)
class _Counting:
    """How a stream counts its reference pictures."""

    frame_num_bits: int
    has_colour_planes: bool
    gaps_allowed: bool


class ReferenceCounter:
    """Follows ``frame_num`` from a keyframe on. Streams it cannot read are taken as without gaps."""

    def __init__(self, extradata: bytes | None) -> None:
        extradata = extradata or b""
        self._length_bytes = (extradata[4] & 3) + 1 if len(extradata) > 6 and extradata[0] == 1 else 0
        self._counting: _Counting | None = None
        self._last: int | None = None
        for unit in _configured_units(extradata) if self._length_bytes else _start_code_units(extradata):
            self._note_parameters(unit)

    def lost_before(self, data: memoryview) -> bool:
        """Whether a reference picture is missing between the packet before and this one."""
        head = bytes(data[:_SEARCHED_BYTES])
        for unit in _length_units(head, self._length_bytes) if self._length_bytes else _start_code_units(head):
            kind = unit[0] & 31
            self._note_parameters(unit)
            if kind in (_SLICE, _IDR_SLICE):
                return self._follow(unit, kind)
        return False

    def _note_parameters(self, unit: bytes) -> None:
        if unit and unit[0] & 31 == _SPS:
            try:
                self._counting = _parse_sps(unit)
            except IndexError:
                self._counting = None

    def _follow(self, unit: bytes, kind: int) -> bool:
        how = self._counting
        if how is None or how.gaps_allowed:
            return False
        try:
            frame_num = _frame_num(unit, how)
        except IndexError:
            return False
        last = self._last
        if unit[0] >> 5 & 3 or last is None:
            self._last = frame_num
        if last is None or kind == _IDR_SLICE:
            return False
        return (frame_num - last) % (1 << how.frame_num_bits) > 1


class _Bits:
    """Reads a unit's payload bit by bit; raises ``IndexError`` past its end."""

    def __init__(self, unit: bytes) -> None:
        self._data = unit[1:].replace(b"\0\0\3", b"\0\0")
        self._position = 0

    def read(self, count: int) -> int:
        value = 0
        for _ in range(count):
            value = value << 1 | self._data[self._position >> 3] >> (7 - self._position & 7) & 1
            self._position += 1
        return value

    def unsigned(self) -> int:
        """Exp-Golomb code ue(v)."""
        zeros = 0
        while not self.read(1):
            zeros += 1
        return (1 << zeros) - 1 + self.read(zeros)

    def signed(self) -> int:
        """Exp-Golomb code se(v)."""
        code = self.unsigned()
        return (code + 1) // 2 if code & 1 else -(code // 2)


def _parse_sps(unit: bytes) -> _Counting:
    bits = _Bits(unit)
    profile = bits.read(8)
    bits.read(16)
    bits.unsigned()
    has_colour_planes = profile in _CHROMA_PROFILES and _skip_chroma(bits)
    frame_num_bits = bits.unsigned() + 4
    order_type = bits.unsigned()
    if order_type == 0:
        bits.unsigned()
    elif order_type == 1:
        bits.read(1)
        bits.signed()
        bits.signed()
        for _ in range(bits.unsigned()):
            bits.signed()
    bits.unsigned()
    return _Counting(frame_num_bits, has_colour_planes, bool(bits.read(1)))


def _skip_chroma(bits: _Bits) -> bool:
    chroma = bits.unsigned()
    has_colour_planes = chroma == 3 and bool(bits.read(1))
    bits.unsigned()
    bits.unsigned()
    bits.read(1)
    if bits.read(1):
        for number in range(12 if chroma == 3 else 8):
            if bits.read(1):
                _skip_scaling_list(bits, 16 if number < 6 else 64)
    return has_colour_planes


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last


def _frame_num(unit: bytes, how: _Counting) -> int:
    bits = _Bits(unit[:_HEADER_BYTES])
    for _ in range(3):  # first macroblock, slice type, picture parameter set
        bits.unsigned()
    if how.has_colour_planes:
        bits.read(2)
    return bits.read(how.frame_num_bits)


def _configured_units(extradata: bytes) -> Iterator[bytes]:
    """Sequence parameter sets of an ``avcC`` record (ISO/IEC 14496-15, 5.3.3.1)."""
    position = 6
    for _ in range(extradata[5] & 31):
        size = int.from_bytes(extradata[position : position + 2], "big")
        yield extradata[position + 2 : position + 2 + size]
        position += 2 + size


def _length_units(data: bytes, length_bytes: int) -> Iterator[bytes]:
    position = 0
    while position + length_bytes < len(data):
        size = int.from_bytes(data[position : position + length_bytes], "big")
        position += length_bytes
        if size:
            yield data[position : position + size]
        position += size


def _start_code_units(data: bytes) -> Iterator[bytes]:
    position = data.find(b"\0\0\1")
    while 0 <= position < len(data) - 3:
        following = data.find(b"\0\0\1", position + 3)
        yield data[position + 3 : following if following >= 0 else len(data)]
        position = following
