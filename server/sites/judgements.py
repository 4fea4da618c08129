"""What a report says of its box and cameras: pure functions, and the limits they go by.

Every limit is a judgement, not a measurement, but for the one whose source is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from renzheng.clock import SHANGHAI
from renzheng.contracts.reasons import Reason
from renzheng.contracts.report import AgentReport, CameraFitness
from server.sites.words import FEW_ASSESSABLE_FACES

FACES_MIN = 20
"""Of fewer faces no share is judged."""

ASSESSABLE_SHARE_MIN = 0.2
EYE_DISTANCE_MIN_PX = 16.0
"""Where the quality gate refuses a face as too small (``vision.quality``, InterEyeDistance)."""

FITNESS_AGES_AFTER = timedelta(hours=1)
SILENT_AFTER = timedelta(minutes=5)
"""Segments last seconds, so that a camera which is recorded has one that ended just now."""

CLOCK_TOLERANCE_S = 60.0
"""Half of what settlement and swipe may be apart by default."""

ARRIVALS_JUDGED = 3
OUTBOX_OLD_S = 24 * 3600.0
"""A box may be told to send clips at night alone, so that a day passes; not more."""

EVIDENCE_LOW_SHARE = 0.9

Hours = Mapping[str, Sequence[Sequence[str]]]


def is_open(hours: Hours, moment: datetime) -> bool | None:
    """Whether an institution is open by its hours; ``None`` where they are not known for that weekday."""
    local = moment.astimezone(SHANGHAI)
    spans = hours.get(str(local.isoweekday()))
    if spans is None:
        return None
    now = f"{local:%H:%M}"
    return any(opens <= now < closes for opens, closes in spans)


def causes_of_unfitness(fitness: CameraFitness, hours: Hours) -> list[str]:
    """Why the camera cannot identify anyone, as codes; empty when nothing speaks against it.

    A dark picture while the institution is known to be closed is no fault of the camera.
    """
    causes = [fault.value for fault in fitness.faults]
    if is_open(hours, fitness.measured_at) is False:
        causes = [cause for cause in causes if cause != Reason.PICTURE_DARK]
    if fitness.faces >= FACES_MIN:
        if fitness.eye_distance_px is not None and fitness.eye_distance_px < EYE_DISTANCE_MIN_PX:
            causes.append(Reason.FACE_TOO_SMALL.value)
        if fitness.assessable_share is not None and fitness.assessable_share < ASSESSABLE_SHARE_MIN:
            causes.append(FEW_ASSESSABLE_FACES)
    return causes


def fitness_told(
    fitness: CameraFitness | None, hours: Hours, at: datetime, told_before: Mapping[str, Any] | None
) -> Mapping[str, Any] | None:
    """What to tell of a camera's fitness at ``at``, the end of a report: a notice's detail, or ``None`` for nothing.

    What was told before stays while nothing new is known: too few faces, or no look for an hour.
    """
    if fitness is None or at - fitness.measured_at > FITNESS_AGES_AFTER:
        return told_before
    causes = causes_of_unfitness(fitness, hours)
    if causes:
        return {
            "causes": causes,
            "faces": fitness.faces,
            "assessable_share": fitness.assessable_share,
            "eye_distance_px": fitness.eye_distance_px,
        }
    of_faces = {FEW_ASSESSABLE_FACES, Reason.FACE_TOO_SMALL.value}
    still = [cause for cause in (told_before or {}).get("causes", ()) if cause in of_faces]
    return {**(told_before or {}), "causes": still} if still and fitness.faces < FACES_MIN else None


def is_silent(recorded_until: datetime | None, at: datetime) -> bool:
    """Whether nothing was recorded of a camera in the minutes before ``at``, the end of a report."""
    return recorded_until is None or at - recorded_until > SILENT_AFTER


def clock_offset_s(arrivals: Sequence[tuple[datetime, datetime]]) -> float | None:
    """The box's clock minus the server's, from when reports came and the ends of their periods, newest first.

    A report cannot come before it was made: one that did shows a clock that is ahead. One that came late may have
    waited, so that a clock is never further behind than the promptest of the last few shows.
    """
    offsets_s = [(made - received).total_seconds() for received, made in arrivals]
    if not offsets_s:
        return None
    return offsets_s[0] if offsets_s[0] > 0 else max(offset for offset in offsets_s if offset <= 0)


def clock_is_off(offset_s: float, arrivals: int) -> bool:
    """Whether an offset is told. Behind needs several arrivals: one alone may have waited on its way."""
    return offset_s > CLOCK_TOLERANCE_S or (arrivals >= ARRIVALS_JUDGED and offset_s < -CLOCK_TOLERANCE_S)


def outbox_is_old(report: AgentReport) -> bool:
    """Whether something waits on the box for too long."""
    return report.outbox_oldest_s is not None and report.outbox_oldest_s > OUTBOX_OLD_S


def evidence_is_low(report: AgentReport) -> bool:
    """Whether evidence fills nearly all of its room. What is not sent is never deleted, so a full box stops keeping."""
    return report.evidence_bytes > EVIDENCE_LOW_SHARE * report.evidence_budget_bytes > 0


def local_hours_valid(spans: Sequence[tuple[str, str]]) -> bool:
    """Whether opening hours of one day are in order: each closes after it opens, and none begins before the last ended.

    Times are ``HH:MM``, so that text sorts as they do; 24:00 is the end of the day.
    """
    edges = [edge for span in spans for edge in span]
    return all(earlier < later for earlier, later in zip(edges[::2], edges[1::2], strict=True)) and edges == sorted(
        edges
    )
