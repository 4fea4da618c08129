"""Cuts the end off a segment whose recorder was killed in the middle of writing a picture."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_HEADER_BYTES = 8
_LONG_HEADER_BYTES = 16


def cut_torn_end(path: Path) -> None:
    """Shorten a fragmented MP4 to its last whole fragment: a part of a picture would be decoded as a damaged one.

    Fragments are pairs of boxes, ``moof`` and ``mdat`` (ISO/IEC 14496-12, 8.8). A file that is damaged elsewhere than
    at its end is left as it is.
    """
    size = path.stat().st_size
    whole_until = 0
    with path.open("rb") as file:
        for kind, end in _boxes(file, size):
            if end <= size and kind != b"moof":  # a moof is whole with its mdat
                whole_until = end
    if 0 < whole_until < size:
        os.truncate(path, whole_until)


def _boxes(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int]]:
    """Kind and told end of each box; a header that is cut off is a box that ends after the file.

    Stops, having told of all the file, at what is no box.
    """
    start = 0
    while start < size:
        file.seek(start)
        header = file.read(_LONG_HEADER_BYTES)
        length, kind = int.from_bytes(header[:4], "big"), header[4:_HEADER_BYTES]
        if length == 1 and len(header) == _LONG_HEADER_BYTES:
            length = int.from_bytes(header[_HEADER_BYTES:], "big")
        cut_off = len(header) < _HEADER_BYTES or (length == 1 and len(header) < _LONG_HEADER_BYTES)
        if cut_off:
            length = size - start + 1
        elif length < _HEADER_BYTES or not kind.isalnum():
            yield b"", size
            return
        yield kind, start + length
        start += length
