"""From tracks to a verdict: the one rule that the edge, the audit and the server share.

Everything here works on the numbers that a check stores (``TrackEvidence``, ``Coverage``), so that any verdict can be
worked out again from its record. Flagged verdicts need positive evidence; whatever is unclear is not assessable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from renzheng.contracts.check import Coverage, FaceSample, TrackEvidence, TrackRole
from renzheng.contracts.reasons import Reason, Verdict
from vision.track import CONFLICT_COSINE

INDEPENDENT_NEEDED = 3
FEW_SAMPLES_MARGIN = 0.10
"""Added to accept under three independent samples; insightface 2.1 adds the same."""

RUNNER_UP_MARGIN = 0.05
"""A holder must not score this much lower than a member of staff or an agent does on the same track."""

STEADY_CONCENTRATION = 0.90
"""Samples of one face within seconds agree far better than this (0.96 and more). Where noise or coding scatters them
below it, the holder's own score falls under reject too."""

ACCUSING_QUALITY = 0.2
"""Mean quality that a stranger's samples need before they accuse: more than passing the gate by a hair."""

LARGE_SHARE = 0.6
"""A face that cannot be judged and is this tall beside the stranger's stood about as near, and may be the holder's."""

FLAG_RECORDED_SHARE = 0.9
"""A verdict that accuses needs at least this share of the window recorded, looked at and undamaged."""

LONGEST_GAP_S = 1.0
"""A longer time without a sound picture, from damage or a hole in the file, and the footage accuses nobody."""

PRESENCE_LIMIT = 0.03
"""Something without a face that fills more of the counter zone than this may be a person (ADR 4)."""


@dataclass(frozen=True)
class Bands:
    """The decision bands of a threshold set; cosines."""

    accept: float
    reject: float
    few_samples_margin: float = FEW_SAMPLES_MARGIN

    def __post_init__(self) -> None:
        if not -1 <= self.reject < self.accept <= 1 or self.few_samples_margin < 0:
            raise ValueError(f"Bands: expected -1 ≤ reject < accept ≤ 1 and margin ≥ 0, got {self}")

    def needed(self, independent_samples: int) -> float:
        """The score that establishes an identity from so many independent samples."""
        return self.accept + (0.0 if independent_samples >= INDEPENDENT_NEEDED else self.few_samples_margin)


@dataclass(frozen=True)
class Decision:
    """A verdict, why, and the best holder score it saw."""

    verdict: Verdict
    reasons: tuple[Reason, ...]
    score: float | None = None


def role_of(track: TrackEvidence, bands: Bands) -> TrackRole:
    """What a track is, from its scores; the stored ``role`` is not looked at."""
    if track.holder_score is None or not track.assessable_samples:
        return TrackRole.NOT_ASSESSABLE if track.in_counter_zone else TrackRole.OUTSIDE
    if track.lowest_agreement < CONFLICT_COSINE:
        return TrackRole.CONFLICT
    needed = bands.needed(track.independent_samples)
    holder, agent, staff = (or_lowest(s) for s in (track.holder_score, track.agent_score, track.staff_score))
    if holder >= needed and holder >= max(agent, staff) - RUNNER_UP_MARGIN:
        return TrackRole.HOLDER
    if max(holder, agent, staff) >= needed:
        return TrackRole.STAFF if staff >= max(holder, agent) else TrackRole.AGENT
    if not track.in_counter_zone:
        return TrackRole.OUTSIDE
    return TrackRole.OTHER if max(holder, agent, staff) < bands.reject else TrackRole.UNCERTAIN


def or_lowest(score: float | None) -> float:
    """The score, or the lowest there is where nothing was compared."""
    return -1.0 if score is None else score


def established(tracks: Sequence[TrackEvidence], bands: Bands) -> bool:
    """Whether independent samples already prove that the holder was at the counter.

    Presence cannot be undone by what else the window shows, so a search may stop here.
    """
    return any(
        track.in_counter_zone
        and track.independent_samples >= INDEPENDENT_NEEDED
        and role_of(track, bands) is TrackRole.HOLDER
        for track in tracks
    )


def decide(
    tracks: Sequence[TrackEvidence],
    samples: Sequence[FaceSample],
    coverage: Coverage,
    bands: Bands,
    agents_without_photo: int = 0,
) -> Decision:
    """The verdict on one swipe whose holder has at least one template.

    ``agents_without_photo`` counts approved agents who could not be compared: a stranger may be one of them.
    """
    roles = [(track, role_of(track, bands)) for track in tracks]
    at_counter = [(track, role) for track, role in roles if track.in_counter_zone]
    score = best_score(at_counter)
    if holders := [track for track, role in at_counter if role is TrackRole.HOLDER]:
        many = any(track.independent_samples >= INDEPENDENT_NEEDED for track in holders)
        return Decision(Verdict.MATCH, (Reason.INDEPENDENT_SAMPLES if many else Reason.STRONG_SAMPLE,), score)
    if any(role is TrackRole.AGENT for _, role in at_counter):
        return Decision(Verdict.PROXY_MATCH, (Reason.APPROVED_AGENT,), score)
    doubts = footage_doubts(coverage) or _track_doubts(roles, bands)
    if doubts:
        return Decision(Verdict.NOT_ASSESSABLE, doubts, score)
    others = [track for track, role in at_counter if role is TrackRole.OTHER]
    poor = [track for track, role in at_counter if role is TrackRole.NOT_ASSESSABLE]
    if others and coverage.unexplained_presence is not None and coverage.unexplained_presence > PRESENCE_LIMIT:
        return Decision(Verdict.NOT_ASSESSABLE, (Reason.SOMEONE_WITHOUT_FACE,), score)
    if others and agents_without_photo:
        return Decision(Verdict.NOT_ASSESSABLE, (Reason.AGENT_WITHOUT_PHOTO,), score)
    if others:
        return _on_others(others, poor, samples, score)
    if poor:
        return Decision(Verdict.NOT_ASSESSABLE, (Reason.NO_ASSESSABLE_FACE, *quality_reasons(poor, samples)), score)
    staff_seen = any(role is TrackRole.STAFF or track.in_staff_zone for track, role in roles)
    return _on_nobody(staff_seen, coverage)


def asks_surroundings(first: Decision) -> bool:
    """Whether a verdict made without knowing what is usual at the place accuses somebody, or found nobody: then it is
    made again, knowing that."""
    return first.verdict is Verdict.MISMATCH or Reason.SURROUNDINGS_UNKNOWN in first.reasons


def best_score(at_counter: Sequence[tuple[TrackEvidence, TrackRole]]) -> float | None:
    """The highest holder score of the assessable tracks; ``None`` for none."""
    scores = [track.holder_score for track, _ in at_counter if track.assessable_samples]
    return max((score for score in scores if score is not None), default=None)


def footage_doubts(coverage: Coverage) -> tuple[Reason, ...]:
    """Why the footage itself does not allow a verdict that accuses; empty when it does."""
    if coverage.recorded_share <= 0:
        return (Reason.NO_FOOTAGE,)
    doubts: list[Reason] = []
    if coverage.recorded_share < FLAG_RECORDED_SHARE:
        doubts.append(Reason.FOOTAGE_INCOMPLETE)
    nothing_seen = not coverage.frames_looked
    if nothing_seen or coverage.longest_gap_s > LONGEST_GAP_S:
        doubts.append(Reason.FOOTAGE_DAMAGED if coverage.damaged_frames else Reason.FOOTAGE_INCOMPLETE)
    if nothing_seen:
        doubts.append(Reason.NO_PICTURE)
    return (*dict.fromkeys(doubts), *coverage.picture_faults)


def _track_doubts(roles: Sequence[tuple[TrackEvidence, TrackRole]], bands: Bands) -> tuple[Reason, ...]:
    """Why some face leaves it open whether the holder was there; empty when none does."""
    doubts: dict[Reason, None] = {}
    for track, role in roles:
        if not track.in_counter_zone:
            if role is TrackRole.HOLDER or _may_be_customer_sought(track, bands):
                doubts[Reason.HOLDER_OUTSIDE_ZONE] = None
            continue
        if role is TrackRole.CONFLICT:
            doubts[Reason.SAMPLES_DISAGREE] = None
        elif role is TrackRole.NOT_ASSESSABLE and or_lowest(track.holder_score) >= bands.reject:
            doubts[Reason.POOR_FACE_MAY_BE_HOLDER] = None
        elif role is TrackRole.UNCERTAIN:
            like_customer = max(or_lowest(track.holder_score), or_lowest(track.agent_score)) >= bands.reject
            doubts[Reason.SCORE_BETWEEN if like_customer else Reason.STAFF_OR_CUSTOMER_UNCLEAR] = None
    return tuple(doubts)


def _may_be_customer_sought(track: TrackEvidence, bands: Bands) -> bool:
    """Whether a face away from the counter comes near the holder or an agent, and nearer than to any staff."""
    sought = max(or_lowest(track.holder_score), or_lowest(track.agent_score))
    return sought >= bands.reject and sought > or_lowest(track.staff_score)


def _on_others(
    others: Sequence[TrackEvidence], poor: Sequence[TrackEvidence], samples: Sequence[FaceSample], score: float | None
) -> Decision:
    """Somebody else was there."""
    accuses, reasons = judge_strangers(others, poor, samples)
    return Decision(Verdict.MISMATCH if accuses else Verdict.NOT_ASSESSABLE, reasons, score)


def judge_strangers(
    others: Sequence[TrackEvidence], poor: Sequence[TrackEvidence], samples: Sequence[FaceSample]
) -> tuple[bool, tuple[Reason, ...]]:
    """Whether one or more strangers are there beyond doubt, and why or why not.

    That takes enough independent, good samples of one of them that agree, and nobody as near whose face stayed
    unclear. ``poor`` are the tracks beside them without an assessable sample.
    """
    doubts = {track.track: _doubts_of_other(track, samples) for track in others}
    if all(doubts.values()):
        return False, tuple(dict.fromkeys(reason for doubt in doubts.values() for reason in doubt))
    clear_px = max(_face_height_px(track, samples) for track in others if not doubts[track.track])
    unclear = [*poor, *(track for track in others if set(doubts[track.track]) - _NOT_UNCLEAR)]
    if any(_face_height_px(track, samples) >= LARGE_SHARE * clear_px for track in unclear):
        return False, (Reason.POOR_FACE_MAY_BE_HOLDER,)
    return True, (Reason.EVERY_FACE_DIFFERS, *((Reason.OTHERS_NOT_ASSESSABLE,) if unclear else ()))


_NOT_UNCLEAR = {Reason.TOO_FEW_SAMPLES, Reason.FACE_ALWAYS_THERE}
"""Doubts about a stranger that do not make it possible that the face is the holder's."""


def _doubts_of_other(track: TrackEvidence, samples: Sequence[FaceSample]) -> tuple[Reason, ...]:
    """Why a stranger's track alone accuses nobody; empty when it does."""
    scores = [s.quality.score for s in samples if s.track == track.track and s.assessable]
    doubts: list[Reason] = [Reason.FACE_ALWAYS_THERE] if track.always_there else []
    if track.concentration < STEADY_CONCENTRATION:
        doubts.append(Reason.SAMPLES_DISAGREE)
    if sum(scores) < ACCUSING_QUALITY * max(len(scores), 1):
        doubts.append(Reason.NO_ASSESSABLE_FACE)
    if track.independent_samples < INDEPENDENT_NEEDED:
        doubts.append(Reason.TOO_FEW_SAMPLES)
    return tuple(doubts)


def _face_height_px(track: TrackEvidence, samples: Sequence[FaceSample]) -> float:
    return max((s.box_xyxy[3] - s.box_xyxy[1] for s in samples if s.track == track.track), default=0.0)


def quality_reasons(poor: Sequence[TrackEvidence], samples: Sequence[FaceSample]) -> tuple[Reason, ...]:
    """What the faces of these tracks failed at the gate, each once."""
    tracks = {track.track for track in poor}
    return tuple(dict.fromkeys(reason for s in samples if s.track in tracks for reason in s.quality.failed))


def _on_nobody(staff_seen: bool, coverage: Coverage) -> Decision:
    """No customer's face: absent, unless something without a face stood at the counter, or nobody can know."""
    if coverage.unexplained_presence is None:
        return Decision(Verdict.NOT_ASSESSABLE, (Reason.SURROUNDINGS_UNKNOWN,))
    if coverage.unexplained_presence > PRESENCE_LIMIT:
        return Decision(Verdict.NOT_ASSESSABLE, (Reason.SOMEONE_WITHOUT_FACE,))
    if staff_seen:
        return Decision(Verdict.STAFF_ONLY, (Reason.ONLY_STAFF_SEEN,))
    return Decision(Verdict.HOLDER_ABSENT, (Reason.NOBODY_SEEN,))
