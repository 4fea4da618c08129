"""The rule for beds, case by case: what accuses, and what lies just beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from renzheng.contracts import (
    BedCheck,
    BedOccupancy,
    BedVerdict,
    Coverage,
    PackReference,
    Reason,
    RoundKind,
    ThresholdValues,
    TrackEvidence,
)
from tests.vision.builders import NOON, a_coverage, a_poor_track, a_track, samples_for
from vision.bed_verdict import CHANGED_LIMIT, LYING_SHARE, MOVING_LIMIT, BedEvidence, decide_bed, recompute_bed
from vision.verdict import Bands

BANDS = Bands(accept=0.40, reject=0.25)
LIKE_EMPTY = BedOccupancy(changed_share=0.0, moving_share=0.0, empty_picture_sha256="e" * 64)
CHANGED = BedOccupancy(changed_share=0.5, moving_share=0.1)
COVERAGE = a_coverage(frames_looked=40)


def lying(track: int = 0, **given: Any) -> TrackEvidence:
    """A stranger who lies in the bed all the time, unless told otherwise."""
    return a_track(track, **({"frames_seen": 40} | given))


def beside(track: int = 0, **given: Any) -> TrackEvidence:
    """Somebody sitting or standing there."""
    return lying(track, in_counter_zone=False, **given)


@dataclass(frozen=True)
class Case:
    """What was seen and what is to be said."""

    verdict: BedVerdict
    reasons: tuple[Reason, ...]
    tracks: tuple[TrackEvidence, ...] = ()
    occupancy: BedOccupancy = LIKE_EMPTY
    coverage: Coverage = COVERAGE
    no_reference: Reason | None = None
    poor_height_px: float = 40.0
    bands: Bands = field(default=BANDS)

    @property
    def seen(self) -> BedEvidence:
        samples = samples_for(self.tracks, poor_height_px=self.poor_height_px)
        return BedEvidence(self.tracks, samples, self.coverage, self.occupancy, self.no_reference)


PATIENT = {"holder_score": 0.7}
POOR_COVERAGE = a_coverage(frames_looked=40, picture_faults=(Reason.PICTURE_DARK,))
V, R = BedVerdict, Reason

CASES = {
    "the patient lies there": Case(V.PRESENT, (R.INDEPENDENT_SAMPLES,), (lying(**PATIENT),), CHANGED),
    "the patient sits": Case(V.PRESENT, (R.INDEPENDENT_SAMPLES,), (beside(**PATIENT),), CHANGED),
    "the patient for a moment": Case(
        V.PRESENT, (R.STRONG_SAMPLE,), (lying(holder_score=0.55, independent_samples=1),), CHANGED
    ),
    "the patient in a dark room": Case(
        V.PRESENT, (R.INDEPENDENT_SAMPLES,), (lying(**PATIENT),), CHANGED, POOR_COVERAGE
    ),
    "somebody else": Case(V.SOMEONE_ELSE, (R.EVERY_FACE_DIFFERS,), (lying(),), CHANGED),
    "somebody else, no empty picture": Case(V.SOMEONE_ELSE, (R.EVERY_FACE_DIFFERS,), (lying(),), BedOccupancy()),
    "a visitor beside the patient": Case(
        V.PRESENT, (R.INDEPENDENT_SAMPLES,), (beside(0), lying(1, **PATIENT)), CHANGED
    ),
    "a visitor on a changed bed": Case(
        V.OCCUPIED_UNSEEN, (R.BED_OCCUPIED_NO_FACE, R.FACE_NOT_LYING), (beside(),), CHANGED
    ),
    "a visitor beside an empty bed": Case(V.EMPTY, (R.BED_EMPTY, R.FACE_NOT_LYING), (beside(),)),
    "a visitor who may be the patient": Case(V.NOT_ASSESSABLE, (R.SCORE_BETWEEN,), (beside(holder_score=0.3),)),
    "a poor face beside an empty bed": Case(
        V.NOT_ASSESSABLE, (R.POOR_FACE_MAY_BE_HOLDER,), (a_poor_track(0, in_counter_zone=False),)
    ),
    "somebody who only passes": Case(
        V.NOT_ASSESSABLE, (R.TOO_FEW_SAMPLES,), (lying(frames_seen=int(40 * LYING_SHARE) - 1),), CHANGED
    ),
    "a stranger too short": Case(
        V.NOT_ASSESSABLE, (R.TOO_FEW_SAMPLES,), (lying(independent_samples=2),), CHANGED
    ),
    "a face in the linen": Case(V.NOT_ASSESSABLE, (R.FACE_ALWAYS_THERE,), (lying(always_there=True),), CHANGED),
    "between the thresholds": Case(V.NOT_ASSESSABLE, (R.SCORE_BETWEEN,), (lying(holder_score=0.3),), CHANGED),
    "staff or not": Case(
        V.NOT_ASSESSABLE, (R.STAFF_OR_CUSTOMER_UNCLEAR,), (lying(staff_score=0.3),), CHANGED
    ),
    "samples of two people": Case(
        V.NOT_ASSESSABLE, (R.SAMPLES_DISAGREE,), (lying(lowest_agreement=0.1),), CHANGED
    ),
    "a nurse over the bed": Case(
        V.OCCUPIED_UNSEEN, (R.BED_OCCUPIED_NO_FACE, R.FACE_NOT_LYING), (lying(staff_score=0.7),), CHANGED
    ),
    "a poor face": Case(
        V.OCCUPIED_UNSEEN, (R.BED_OCCUPIED_NO_FACE, R.FACE_TOO_SMALL), (a_poor_track(0),), CHANGED
    ),
    "a poor face that may be the patient's": Case(
        V.NOT_ASSESSABLE, (R.POOR_FACE_MAY_BE_HOLDER,), (a_poor_track(0, holder_score=0.3),), CHANGED
    ),
    "a stranger and a poor face as large": Case(
        V.NOT_ASSESSABLE, (R.POOR_FACE_MAY_BE_HOLDER,), (lying(0), a_poor_track(1)), CHANGED, poor_height_px=120
    ),
    "a blanket over the head": Case(V.OCCUPIED_UNSEEN, (R.BED_OCCUPIED_NO_FACE,), (), CHANGED),
    "nothing but breath": Case(
        V.OCCUPIED_UNSEEN, (R.BED_OCCUPIED_NO_FACE,), (), BedOccupancy(changed_share=0.0, moving_share=0.01)
    ),
    "empty": Case(V.EMPTY, (R.BED_EMPTY,)),
    "empty at the limits": Case(
        V.EMPTY, (R.BED_EMPTY,), (), BedOccupancy(changed_share=CHANGED_LIMIT, moving_share=MOVING_LIMIT)
    ),
    "no picture of it empty": Case(
        V.NOT_ASSESSABLE, (R.NO_EMPTY_BED_PICTURE,), (), BedOccupancy(moving_share=0.0)
    ),
    "empty in a dark picture": Case(V.NOT_ASSESSABLE, (R.PICTURE_DARK,), (), LIKE_EMPTY, POOR_COVERAGE),
    "empty, but the clock is in doubt": Case(
        V.NOT_ASSESSABLE, (R.CLOCK_UNCLEAR,), (), LIKE_EMPTY, a_coverage(picture_faults=(R.CLOCK_UNCLEAR,))
    ),
    "nothing recorded": Case(
        V.NOT_ASSESSABLE, (R.NO_FOOTAGE,), (), BedOccupancy(), a_coverage(recorded_share=0.0, frames_looked=0)
    ),
    "half recorded": Case(
        V.NOT_ASSESSABLE, (R.FOOTAGE_INCOMPLETE,), (lying(),), CHANGED, a_coverage(recorded_share=0.5)
    ),
    "no patient on paper": Case(
        V.NOT_ASSESSABLE, (R.BED_WITHOUT_PATIENT,), (lying(),), CHANGED, no_reference=R.BED_WITHOUT_PATIENT
    ),
    "an empty bed without a patient": Case(
        V.NOT_ASSESSABLE, (R.BED_WITHOUT_PATIENT,), no_reference=R.BED_WITHOUT_PATIENT
    ),
    "a patient nobody enrolled": Case(
        V.NOT_ASSESSABLE, (R.PERSON_UNKNOWN,), (lying(holder_score=None),), CHANGED, no_reference=R.PERSON_UNKNOWN
    ),
    "an empty bed of a patient nobody enrolled": Case(V.EMPTY, (R.BED_EMPTY,), no_reference=R.PERSON_UNKNOWN),
    "somebody beside the bed of a patient nobody enrolled": Case(
        V.NOT_ASSESSABLE, (R.NO_USABLE_PHOTO,), (beside(holder_score=None),), no_reference=R.NO_USABLE_PHOTO
    ),
    "templates out of reach": Case(
        V.PENDING_REFERENCE, (R.REFERENCE_UNREACHABLE,), (lying(holder_score=None),), CHANGED,
        no_reference=R.REFERENCE_UNREACHABLE,
    ),
    "templates out of reach, empty": Case(V.EMPTY, (R.BED_EMPTY,), no_reference=R.REFERENCE_UNREACHABLE),
    "templates out of reach, covered": Case(
        V.OCCUPIED_UNSEEN, (R.BED_OCCUPIED_NO_FACE,), (), CHANGED, no_reference=R.REFERENCE_UNREACHABLE
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_rule(name: str) -> None:
    case = CASES[name]
    decision = decide_bed(case.seen, case.bands)
    assert (decision.verdict, decision.reasons) == (case.verdict, case.reasons)


def test_the_table_holds_every_verdict() -> None:
    assert {case.verdict for case in CASES.values()} == set(BedVerdict)


@pytest.mark.parametrize(
    ("changed", "moving"), [(CHANGED_LIMIT + 1e-4, 0.0), (0.0, MOVING_LIMIT + 1e-4), (None, 0.0), (0.0, None)]
)
def test_a_bed_just_beside_empty_is_not_called_empty(changed: float | None, moving: float | None) -> None:
    occupancy = BedOccupancy(changed_share=changed, moving_share=moving)
    seen = BedEvidence((), (), COVERAGE, occupancy)
    assert decide_bed(seen, BANDS).verdict in (V.OCCUPIED_UNSEEN, V.NOT_ASSESSABLE)


def stored(case: Case) -> BedCheck:
    """The check that a box stores of a case."""
    decision = decide_bed(case.seen, case.bands)
    thresholds = ThresholdValues(
        name="t", digest="0" * 64, accept=0.40, reject=0.25, few_samples_margin=0.1, target_fmr=1e-4, target_fnmr=0.01
    )
    return BedCheck(
        check_id="bed-1",
        round_kind=RoundKind.FIXED,
        bed_id="301-1",
        psn_no=None if case.no_reference is R.BED_WITHOUT_PATIENT else "P1",
        fixmedins_code="H33028100001",
        camera_id="ward",
        asked_at=NOON,
        window_start=NOON,
        window_end=NOON,
        verdict=decision.verdict,
        reasons=decision.reasons,
        score=decision.score,
        tracks=case.tracks,
        samples=tuple(s.model_copy(update={"similarity": None}) for s in case.seen.samples),
        coverage=case.coverage,
        occupancy=case.occupancy,
        pack=PackReference(name="p", detector_sha256="d", embedder_sha256="e"),
        thresholds=thresholds,
        reference_photos=0 if case.no_reference else 2,
        agent_version="0",
    )


@pytest.mark.parametrize("name", CASES)
def test_a_stored_check_gives_its_verdict_again(name: str) -> None:
    check = BedCheck.model_validate_json(stored(CASES[name]).model_dump_json())
    again = recompute_bed(check)
    assert (again.verdict, again.reasons, again.score) == (check.verdict, check.reasons, check.score)


def test_a_check_that_an_error_stopped_stays_so() -> None:
    check = stored(CASES["empty"]).model_copy(
        update={"verdict": BedVerdict.NOT_ASSESSABLE, "reasons": (Reason.UNREADABLE,)}
    )
    assert recompute_bed(check).reasons == (Reason.UNREADABLE,)
