"""From what a camera saw of one bed to a verdict, by the rule that box and server share.

Works on the numbers a bed check stores. In its tracks ``in_counter_zone`` says that the face *lies in the bed*: its
crown points where a lying head's does, and it is inside the bed's zone. Nobody else's face accuses; the patient counts
wherever the camera sees the bed's surroundings, lying, sitting or standing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from renzheng.contracts.bed import BedCheck, BedOccupancy
from renzheng.contracts.check import Coverage, FaceSample, TrackEvidence, TrackRole
from renzheng.contracts.reasons import BedVerdict, Reason
from vision.recompute import rescored
from vision.verdict import (
    INDEPENDENT_NEEDED,
    Bands,
    best_score,
    footage_doubts,
    judge_strangers,
    or_lowest,
    quality_reasons,
    role_of,
)

CHANGED_LIMIT = 0.02
"""A bed that differs from its empty picture in more than this share of its area may hold somebody."""

MOVING_LIMIT = 0.005
"""So may one in which more than this share of the area moved within the window; a sleeper's breath is larger."""

LYING_SHARE = 0.5
"""Whoever is said to lie in the bed is seen there in at least this share of the looks, and not in passing."""


@dataclass(frozen=True)
class BedDecision:
    """A verdict on a bed, why, and the best score against the patient."""

    verdict: BedVerdict
    reasons: tuple[Reason, ...]
    score: float | None = None


@dataclass(frozen=True)
class BedEvidence:
    """Everything a verdict on a bed rests on.

    ``no_reference`` says why the patient cannot be compared with: nobody is admitted, the person is unknown, no photo
    passes the gate, or the templates could not be reached. ``None`` when there are templates.
    """

    tracks: tuple[TrackEvidence, ...]
    samples: tuple[FaceSample, ...]
    coverage: Coverage
    occupancy: BedOccupancy
    no_reference: Reason | None = None


_Roles = Sequence[tuple[TrackEvidence, TrackRole]]


def decide_bed(seen: BedEvidence, bands: Bands) -> BedDecision:
    """The verdict on one bed; the first rule that applies decides (docs/wards.md)."""
    if seen.no_reference is Reason.BED_WITHOUT_PATIENT:
        return BedDecision(BedVerdict.NOT_ASSESSABLE, (Reason.BED_WITHOUT_PATIENT,))
    roles = [(track, role_of(track, bands)) for track in seen.tracks]
    score = best_score(roles)
    if patient := [track for track, role in roles if role is TrackRole.HOLDER]:
        many = any(track.independent_samples >= INDEPENDENT_NEEDED for track in patient)
        return BedDecision(BedVerdict.PRESENT, (Reason.INDEPENDENT_SAMPLES if many else Reason.STRONG_SAMPLE,), score)
    if seen.no_reference is Reason.REFERENCE_UNREACHABLE and any(track.assessable_samples for track in seen.tracks):
        return BedDecision(BedVerdict.PENDING_REFERENCE, (Reason.REFERENCE_UNREACHABLE,))
    if doubts := footage_doubts(seen.coverage) or _face_doubts(roles, bands, seen.no_reference):
        return BedDecision(BedVerdict.NOT_ASSESSABLE, doubts, score)
    lying = [(track, role) for track, role in roles if track.in_counter_zone]
    others = [track for track, role in lying if role is TrackRole.OTHER]
    poor = [track for track, role in lying if role is TrackRole.NOT_ASSESSABLE]
    if others:
        return _on_others(others, poor, seen, score)
    if poor:
        return BedDecision(
            BedVerdict.OCCUPIED_UNSEEN, (Reason.BED_OCCUPIED_NO_FACE, *quality_reasons(poor, seen.samples)), score
        )
    return _on_no_face(roles, seen.occupancy, score)


def _face_doubts(roles: _Roles, bands: Bands, no_reference: Reason | None) -> tuple[Reason, ...]:
    """Why some face leaves it open whether the patient was there; empty when none does."""
    doubts: dict[Reason, None] = {}
    for track, role in roles:
        like_patient = or_lowest(track.holder_score) >= bands.reject
        if track.assessable_samples and no_reference:
            doubts[no_reference] = None
        elif track.in_counter_zone and role is TrackRole.CONFLICT:
            doubts[Reason.SAMPLES_DISAGREE] = None
        elif like_patient and not track.assessable_samples:
            doubts[Reason.POOR_FACE_MAY_BE_HOLDER] = None
        elif like_patient and or_lowest(track.holder_score) > or_lowest(track.staff_score):
            doubts[Reason.SCORE_BETWEEN] = None
        elif role is TrackRole.UNCERTAIN:
            doubts[Reason.STAFF_OR_CUSTOMER_UNCLEAR] = None
    return tuple(doubts)


def _on_others(
    others: Sequence[TrackEvidence], poor: Sequence[TrackEvidence], seen: BedEvidence, score: float | None
) -> BedDecision:
    """Somebody else lies in the bed: an accusation only on enough samples of one who lay there for long."""
    staying = [track for track in others if track.frames_seen >= LYING_SHARE * seen.coverage.frames_looked]
    if not staying:
        return BedDecision(BedVerdict.NOT_ASSESSABLE, (Reason.TOO_FEW_SAMPLES,), score)
    accuses, reasons = judge_strangers(staying, [*poor, *(t for t in others if t not in staying)], seen.samples)
    return BedDecision(BedVerdict.SOMEONE_ELSE if accuses else BedVerdict.NOT_ASSESSABLE, reasons, score)


def _on_no_face(roles: _Roles, occupancy: BedOccupancy, score: float | None) -> BedDecision:
    """No face lies in the bed: empty only where the bed equals its empty picture and nothing moves."""
    beside = any(track.assessable_samples for track, _ in roles)
    also = (Reason.FACE_NOT_LYING,) if beside else ()
    if occupancy.changed_share is None or occupancy.moving_share is None:
        return BedDecision(BedVerdict.NOT_ASSESSABLE, (Reason.NO_EMPTY_BED_PICTURE, *also), score)
    if occupancy.changed_share > CHANGED_LIMIT or occupancy.moving_share > MOVING_LIMIT:
        return BedDecision(BedVerdict.OCCUPIED_UNSEEN, (Reason.BED_OCCUPIED_NO_FACE, *also), score)
    if any(not track.assessable_samples for track, _ in roles):  # somebody beside the bed, perhaps the patient
        return BedDecision(BedVerdict.NOT_ASSESSABLE, (Reason.POOR_FACE_MAY_BE_HOLDER, *also), score)
    return BedDecision(BedVerdict.EMPTY, (Reason.BED_EMPTY, *also), score)


def tracks_shown_of_bed(check: BedCheck) -> frozenset[int]:
    """Tracks whose faces are kept: once the patient was found nobody else's, and else of those who lie in the bed."""
    if check.verdict is BedVerdict.PRESENT:
        return frozenset(t.track for t in check.tracks if t.role is TrackRole.HOLDER)
    return frozenset(t.track for t in check.tracks if t.in_counter_zone)


_NO_REFERENCE = (
    Reason.BED_WITHOUT_PATIENT,
    Reason.PERSON_UNKNOWN,
    Reason.NO_USABLE_PHOTO,
    Reason.REFERENCE_UNREACHABLE,
)


def recompute_bed(check: BedCheck) -> BedDecision:
    """What the rule makes of a stored check's numbers now. A check that an error stopped, or that waits for its
    reference, stays as it is: there is nothing to work out."""
    if Reason.UNREADABLE in check.reasons:
        return BedDecision(BedVerdict.NOT_ASSESSABLE, check.reasons)
    if check.verdict is BedVerdict.PENDING_REFERENCE:
        return BedDecision(BedVerdict.PENDING_REFERENCE, check.reasons)
    told = next((reason for reason in check.reasons if reason in _NO_REFERENCE), None)
    no_reference = None if check.reference_photos else told or Reason.PERSON_UNKNOWN
    tracks = tuple(rescored(track, check.samples) for track in check.tracks)
    seen = BedEvidence(tracks, check.samples, check.coverage, check.occupancy, no_reference)
    thresholds = check.thresholds
    return decide_bed(seen, Bands(thresholds.accept, thresholds.reject, thresholds.few_samples_margin))
