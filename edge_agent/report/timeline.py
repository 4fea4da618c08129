"""The timeline of each day: recordings as bars with their gaps, swipes as marks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil, floor

from edge_agent.report.facts import RecordingFact
from edge_agent.report.geometry import Axis, anchor, lanes, merged
from renzheng.clock import SHANGHAI, from_seconds, local_text, to_seconds
from renzheng.contracts import IdentityCheck, Verdict

_STEPS_S = (10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800)
_MOST_TICKS = 13
_MOST_LANES = 6
_MARK_APART = 1.7  # per cent of a drawing about 1000 px wide: a mark of 16 px and its air
_LEAST_GAP = 8.5  # per cent; a narrower gap has no room for its label
_DAY_S = 86400


@dataclass(frozen=True)
class Bar:
    """A recorded stretch of one day."""

    x: str
    width: str
    name: str
    start: str
    end: str


@dataclass(frozen=True)
class Gap:
    """A stretch between recordings."""

    x: str
    width: str
    middle: str
    labelled: bool


@dataclass(frozen=True)
class Mark:
    """One swipe on the timeline."""

    x: str
    lane: int
    anchor: str
    time: str
    verdict: Verdict
    swipe_id: str


@dataclass(frozen=True)
class Tick:
    """A time on the axis; ``minor`` ones are left out where there is little room."""

    x: str
    text: str
    anchor: str
    minor: bool


@dataclass(frozen=True)
class Day:
    """One local day with something in it."""

    date: str
    bars: tuple[Bar, ...]
    gaps: tuple[Gap, ...]
    marks: tuple[Mark, ...]
    ticks: tuple[Tick, ...]
    lanes: int


def days(checks: Sequence[IdentityCheck], recordings: Sequence[RecordingFact], anchors: Sequence[str]) -> list[Day]:
    """One drawing for each day in Asia/Shanghai that has a swipe or footage; ``anchors`` name the checks' cards.

    Swipes stand where they lie on the camera's clock, as the recordings do.
    """
    swipes = sorted(((_camera_s(check), i) for i, check in enumerate(checks)), key=lambda pair: pair)
    dates = {_date(at) for at, _ in swipes}
    for recording in recordings:
        dates.update(_dates_of(recording))
    return [
        _day(date, checks, recordings, anchors, [s for s in swipes if _date(s[0]) == date]) for date in sorted(dates)
    ]


def _camera_s(check: IdentityCheck) -> float:
    return to_seconds(check.swiped_at) + check.clock_offset_s


def _date(seconds: float) -> str:
    return local_text(from_seconds(seconds))[:10]


def _dates_of(recording: RecordingFact) -> Iterator[str]:
    """Every local date a recording touches; its last moment does not count as the next day."""
    at = to_seconds(recording.start)
    last = max(at, to_seconds(recording.end) - 0.001)
    while at <= last:
        yield _date(at)
        at = _midnight(_date(at)) + _DAY_S


def _midnight(date: str) -> float:
    return to_seconds(datetime.fromisoformat(date).replace(tzinfo=SHANGHAI))


def _day(
    date: str,
    checks: Sequence[IdentityCheck],
    recordings: Sequence[RecordingFact],
    anchors: Sequence[str],
    swipes: list[tuple[float, int]],
) -> Day:
    start, end = _midnight(date), _midnight(date) + _DAY_S
    spans = [(max(to_seconds(r.start), start), min(to_seconds(r.end), end), r) for r in recordings]
    spans = [span for span in spans if span[0] < span[1]]
    edges = [edge for low, high, _ in spans for edge in (low, high)] + [at for at, _ in swipes]
    axis, step = _axis(min(edges), max(edges))
    in_lanes = lanes([axis.share(at) for at, _ in swipes], _MARK_APART, _MOST_LANES)
    return Day(
        date=date,
        bars=tuple(_bar(axis, low, high, recording) for low, high, recording in spans),
        gaps=tuple(_gaps(axis, merged([(low, high) for low, high, _ in spans]))),
        marks=tuple(
            _mark(axis, at, lane, checks[i], anchors[i]) for (at, i), lane in zip(swipes, in_lanes, strict=True)
        ),
        ticks=tuple(_ticks(axis, step)),
        lanes=max(in_lanes, default=0) + 1,
    )


def _axis(low: float, high: float) -> tuple[Axis, int]:
    """An axis from one round time to another with few enough ticks; counts from local midnight."""
    shift = SHANGHAI.utcoffset(None) or timedelta()
    zone = shift.total_seconds()
    for step in _STEPS_S:
        first, last = floor((low + zone) / step), ceil((high + zone) / step)
        if last - first < _MOST_TICKS:
            break
    last = max(last, first + 1)
    return Axis(first * step - zone, last * step - zone), step


def _ticks(axis: Axis, step: int) -> Iterator[Tick]:
    count = round((axis.high - axis.low) / step)
    for i in range(count + 1):
        at = axis.low + i * step
        clock = local_text(from_seconds(at))[11:]
        text = clock if step < 60 else clock[:5]
        yield Tick(
            axis.at(at), "24:00" if i == count and text == "00:00" else text, anchor(axis.share(at), 2.0), i % 2 == 1
        )


def _bar(axis: Axis, low: float, high: float, recording: RecordingFact) -> Bar:
    begin, end = local_text(recording.start)[11:], local_text(recording.end)[11:]
    return Bar(axis.at(low), axis.width(low, high, 0.15), recording.name, begin, end)


def _gaps(axis: Axis, recorded: list[tuple[float, float]]) -> Iterator[Gap]:
    edges = [axis.low, *(edge for span in recorded for edge in span), axis.high]
    for low, high in zip(edges[::2], edges[1::2], strict=True):
        wide = axis.share(high) - axis.share(low)
        if wide > 0:
            yield Gap(axis.at(low), axis.width(low, high), axis.at((low + high) / 2), wide >= _LEAST_GAP)


def _mark(axis: Axis, at: float, lane: int, check: IdentityCheck, name: str) -> Mark:
    moment = local_text(check.swiped_at.astimezone(UTC))[11:]
    return Mark(axis.at(at), lane, name, moment, check.verdict, check.swipe_id)
