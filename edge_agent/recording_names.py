"""When a recording begins, as its file name tells it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from renzheng.clock import SHANGHAI
from renzheng.errors import BadInput

_TIME = re.compile(
    r"(?<!\d)(?P<year>20\d\d)[-_.]?(?P<month>\d\d)[-_.]?(?P<day>\d\d)(?P<between>[-_. T]?)"
    r"(?P<hour>\d\d)[-_.:]?(?P<minute>\d\d)[-_.:]?(?P<second>\d\d)(?!\d)"
)
_PARTS = ("year", "month", "day", "hour", "minute", "second")
_UTC = re.compile(r"Z(?![A-Za-z0-9])")
_OFFSET = re.compile(r"(?P<sign>[+-])(?P<hours>\d\d):?(?P<minutes>\d\d)(?!\d)")
_LEAST_OFFSET, _NEAREST_WEST, _GREATEST_OFFSET = timedelta(hours=-12), timedelta(hours=-1), timedelta(hours=14)
_QUARTER = timedelta(minutes=15)
_SHANGHAI_OFFSET = timedelta(hours=8)

_LENGTH_SHARE = 0.1
_LENGTH_SLACK_S = 5.0
"""A name's end less its start is the recording's length within a tenth of it or five seconds."""


@dataclass(frozen=True)
class NamedTime:
    """A time in a file name: as it is written there, the moment (aware), and a remark where it can be read two ways."""

    text: str
    moment: datetime
    remark: str = ""


def start_in_name(path: Path, lengths_s: Sequence[float]) -> NamedTime | None:
    """The start that a recording's name tells; ``None`` when it tells no time.

    Two times are start and end when they lie as far apart as the recording is long; ``lengths_s`` are the seconds it
    may be said to be long, those that are there and those that were announced. Raises :class:`BadInput` for a name
    with several times of which nobody can say which one is the start.
    """
    times = times_in_name(path.name)
    if len(times) < 2:
        return times[0] if times else None
    if len(times) == 2 and any(_is_span(times[0].moment, times[1].moment, length_s) for length_s in lengths_s):
        return times[0]
    raise BadInput(
        f"{path}: which time in its name is its beginning, {' or '.join(time.text for time in times)}? They are not the"
        f" start and the end of {lengths_s[0]:.0f} s of footage. Say so with --recording-start (for the first file), or"
        " leave only the beginning in the name"
    )


def times_in_name(name: str) -> tuple[NamedTime, ...]:
    """The different times in a file's name, in the order in which they stand there.

    A zone is ``Z``, or a UTC offset right after a time written with ``T`` (ISO 8601); whatever else follows a time is
    a number or something else, and the time is one of Asia/Shanghai.
    """
    found: dict[datetime, NamedTime] = {}
    for match in _TIME.finditer(name):
        time = _read(match, name)
        if time is not None:
            found.setdefault(time.moment, time)
    return tuple(found.values())


def _read(match: re.Match[str], name: str) -> NamedTime | None:
    year, month, day, hour, minute, second = (int(match[part]) for part in _PARTS)
    try:
        local = datetime(year, month, day, hour, minute, second)
        if utc := _UTC.match(name, match.end()):
            return NamedTime(match[0] + utc[0], local.replace(tzinfo=UTC))
        written = _OFFSET.match(name, match.end())
        offset = _real_offset(written) if written else None
        if written is None or offset is None:
            return NamedTime(match[0], local.replace(tzinfo=SHANGHAI))
        if match["between"] != "T":
            remark = f"{written[0]} in its name was taken for a number, not for a zone"
            doubtful = offset != _SHANGHAI_OFFSET
            return NamedTime(match[0], local.replace(tzinfo=SHANGHAI), remark if doubtful else "")
        remark = f"{written[0]} in its name was taken for a zone, not for a number or an end"
        aware = local.replace(tzinfo=timezone(offset))
        return NamedTime(match[0] + written[0], aware, remark if written["sign"] == "-" else "")
    except (ValueError, OverflowError):
        return None


def _real_offset(written: re.Match[str]) -> timedelta | None:
    """The offset if there can be such a zone: no place is less than an hour behind UTC, and -00:00 is not allowed."""
    size = timedelta(hours=int(written["hours"]), minutes=int(written["minutes"]))
    offset = -size if written["sign"] == "-" else size
    if int(written["minutes"]) >= 60 or size % _QUARTER:
        return None
    if written["sign"] == "-":
        return offset if _LEAST_OFFSET <= offset <= _NEAREST_WEST else None
    return offset if offset <= _GREATEST_OFFSET else None


def _is_span(start: datetime, end: datetime, length_s: float) -> bool:
    span_s = (end - start).total_seconds()
    return span_s > 0 and abs(span_s - length_s) <= max(_LENGTH_SLACK_S, _LENGTH_SHARE * length_s)
