"""What a ring's index tells: segments, keyframes, gaps and the state of the camera. Plain values, no video library."""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from renzheng.clock import from_seconds, to_seconds
from renzheng.contracts.report import CameraState

SEGMENT_SUFFIX = ".mp4"

RECORDING_BEGINS = "recording begins"
"""Why of the gap from a camera's first start to its first picture; nothing was lost in it."""
_NAME = re.compile(r"(?P<second>\d{8}T\d{6})Z-(?P<micros>\d{6})-e(?P<epoch>\d+)(?:-\d+)?\.mp4")


@dataclass(frozen=True)
class Segment:
    """One file of a ring.

    ``start_s`` and ``end_s`` are seconds since 1970 (UTC) on the box's clock, of the first picture and of the end of
    the last one that can be read. ``epoch`` counts how often the box's clock was set; times of different epochs may
    contradict each other. A picture's time is ``start_s + (pts - origin_pts) * time_base``; ``frame_s`` is the usual
    distance of two pictures, seconds.
    """

    id: int
    name: str
    epoch: int
    start_s: float
    end_s: float
    is_open: bool
    size_bytes: int
    packets: int
    codec: str
    coded_wh: tuple[int, int]
    time_base: Fraction
    origin_pts: int
    frame_s: float

    def seconds(self, pts: int) -> float:
        """Time of a presentation timestamp of the file, seconds since 1970 (UTC)."""
        return self.start_s + float((pts - self.origin_pts) * self.time_base)


@dataclass(frozen=True)
class Keyframe:
    """A picture that can be decoded by itself: the segment it lies in, its timestamp there and its time."""

    segment: Segment
    pts: int
    time_s: float


@dataclass(frozen=True)
class Gap:
    """A time in which nothing was recorded, seconds since 1970 (UTC); ``end_s`` is ``None`` while it lasts."""

    start_s: float
    end_s: float | None
    why: str


@dataclass(frozen=True)
class CameraStatus:
    """A camera as its recorder last saw it. Counts begin with the recorder's process ``pid``."""

    state: CameraState
    since_s: float
    updated_s: float
    packets: int = 0
    bytes: int = 0
    reconnects: int = 0
    dropped: int = 0
    last_packet_s: float | None = None
    last_error: str = ""
    clock_steps: int = 0
    timestamp_jumps: int = 0
    parameter_changes: int = 0
    codec: str = ""
    wh: tuple[int, int] | None = None
    disk_full: bool = False
    pid: int = 0


def status_text(status: CameraStatus) -> str:
    """A status as it is kept."""
    return json.dumps(asdict(status))


def status_of(text: str) -> CameraStatus | None:
    """The status that was kept; ``None`` when another version wrote something unreadable."""
    try:
        values: dict[str, Any] = json.loads(text)
        known = {field.name: values[field.name] for field in fields(CameraStatus) if field.name in values}
        if known.get("wh") is not None:
            known["wh"] = tuple(known["wh"])
        return CameraStatus(**(known | {"state": CameraState(known["state"])}))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def segment_name(start_s: float, epoch: int, number: int = 1) -> str:
    """The file name of a segment: its start in UTC and the epoch; ``number`` sets apart those that begin together."""
    whole_s = math.floor(start_s)
    micros = min(999_999, round((start_s - whole_s) * 1e6))
    again = f"-{number}" if number > 1 else ""
    return f"{from_seconds(whole_s):%Y%m%dT%H%M%S}Z-{micros:06d}-e{epoch}{again}{SEGMENT_SUFFIX}"


def told_by_name(name: str) -> tuple[float, int] | None:
    """Start (seconds since 1970) and epoch of a segment as its file name tells them; ``None`` for other files."""
    told = _NAME.fullmatch(name)
    if told is None:
        return None
    try:
        second = datetime.strptime(told["second"], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return to_seconds(second + timedelta(microseconds=int(told["micros"]))), int(told["epoch"])
