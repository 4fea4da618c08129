"""When beds are looked at: fixed rounds, and rounds drawn by lot so that nobody can know them beforehand."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from edge_agent.ward.ward_file import DrawnRounds, Ward
from renzheng.clock import SHANGHAI, from_seconds, to_seconds
from renzheng.contracts import RoundKind
from renzheng.ids import BED_CHECK_PREFIX, CHECK_ID_MAX

DAY = timedelta(days=1)


class PlannedCheck(NamedTuple):
    """One bed of one round; ``due_s`` is seconds since 1970 (UTC), when its window begins."""

    check_id: str
    bed_id: str
    round_kind: RoundKind
    due_s: float


def day_of(now_s: float) -> date:
    """The day of Asia/Shanghai."""
    return from_seconds(now_s).astimezone(SHANGHAI).date()


def plan_rounds(ward: Ward, day: date, draw: random.Random, institution: str = "") -> list[PlannedCheck]:
    """Every bed check of a day, in order of time; a night that begins on the day belongs to it.

    ``draw`` decides the moments of surprise and night rounds: give ``random.SystemRandom()``, and keep what it gave,
    because it will not give it again. Ids name institution, day, round and bed, so that a plan made twice is seen;
    one that would be too long for a check ends in a digest of itself.
    """
    planned = [
        PlannedCheck(_check_id(institution, day, kind, number, bed.bed_id), bed.bed_id, kind, due_s)
        for kind, number, due_s in _moments(ward, day, draw)
        for bed in ward.beds
    ]
    return sorted(planned, key=lambda check: check.due_s)


def is_missed(due_s: float, now_s: float, ward: Ward) -> bool:
    """Whether a check that has not begun is too late to be made."""
    return now_s - due_s > ward.late_after_s


def _moments(ward: Ward, day: date, draw: random.Random) -> Iterator[tuple[RoundKind, int, float]]:
    """(kind, number from 1, seconds since 1970) of every round."""
    rounds = ward.rounds
    for number, moment in enumerate(sorted(set(rounds.fixed)), 1):
        yield RoundKind.FIXED, number, _at(day, moment)
    for kind, drawn in ((RoundKind.SURPRISE, rounds.surprise), (RoundKind.NIGHT, rounds.night)):
        if drawn is not None:
            yield from ((kind, number, due_s) for number, due_s in enumerate(_drawn(day, drawn, draw), 1))


def _drawn(day: date, drawn: DrawnRounds, draw: random.Random) -> Iterator[float]:
    """A moment in each equal part of the window, whole seconds."""
    start_s, end_s = _at(day, drawn.start), _at(day, drawn.end)
    if end_s <= start_s:
        end_s = _at(day + DAY, drawn.end)
    part_s = (end_s - start_s) / max(drawn.rounds, 1)
    for number in range(drawn.rounds):
        yield float(int(start_s + (number + draw.random()) * part_s))


def _at(day: date, moment: time) -> float:
    return to_seconds(datetime.combine(day, moment, SHANGHAI))


def _check_id(institution: str, day: date, kind: RoundKind, number: int, bed_id: str) -> str:
    parts = (institution, f"{day:%Y%m%d}", f"{kind.value}{number}", bed_id)
    check_id = BED_CHECK_PREFIX + "-".join(part for part in parts if part)
    if len(check_id) <= CHECK_ID_MAX:
        return check_id
    digest = hashlib.sha256(check_id.encode()).hexdigest()
    return f"{check_id[: CHECK_ID_MAX - len(digest) - 1]}-{digest}"
