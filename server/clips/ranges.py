"""The ``Range`` of a request (RFC 9110, 14): one part of the bytes, as players ask for it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from server.errors import ServerError

_ONE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class BeyondTheEnd(ServerError):
    """The part that was asked for is not there."""

    status = 416


@dataclass(frozen=True)
class Part:
    """Bytes ``start`` to before ``end`` of ``size``."""

    start: int
    end: int
    size: int

    @property
    def length(self) -> int:
        """How many bytes."""
        return self.end - self.start

    @property
    def content_range(self) -> str:
        """For the header of that name."""
        return f"bytes {self.start}-{self.end - 1}/{self.size}"


def part_asked(header: str | None, size: int) -> Part | None:
    """The part; ``None`` for all of it, also where several parts or something else are asked for.

    Raises :class:`BeyondTheEnd`.
    """
    asked = _ONE.fullmatch((header or "").replace(" ", ""))
    if asked is None or asked.groups() == ("", ""):
        return None
    first, last = asked.groups()
    if first == "":
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
    if last and first and int(last) < int(first):
        return None  # not a range at all, so it is as if nothing was asked
    if start >= end:
        raise BeyondTheEnd(f"expected a part of {size} bytes")
    return Part(start, end, size)
