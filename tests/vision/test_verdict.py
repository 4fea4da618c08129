"""Every rule from tracks to a verdict."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renzheng.contracts import (
    FLAGGED,
    Coverage,
    FaceSample,
    IdentityCheck,
    PackReference,
    Reason,
    ThresholdValues,
    TrackEvidence,
    TrackRole,
    Verdict,
)
from tests.vision.builders import NOON, a_coverage, a_poor_track, a_sample, a_track, samples_for
from vision.recompute import recompute, score_from_samples
from vision.track import CONFLICT_COSINE
from vision.verdict import (
    ACCUSING_QUALITY,
    FEW_SAMPLES_MARGIN,
    FLAG_RECORDED_SHARE,
    INDEPENDENT_NEEDED,
    LARGE_SHARE,
    LONGEST_GAP_S,
    PRESENCE_LIMIT,
    RUNNER_UP_MARGIN,
    STEADY_CONCENTRATION,
    Bands,
    Decision,
    decide,
    established,
    footage_doubts,
    role_of,
)

ACCEPT, REJECT = 0.45, 0.30
BANDS = Bands(ACCEPT, REJECT)
FEW = ACCEPT + FEW_SAMPLES_MARGIN
OUTSIDE = {"in_counter_zone": False}
STAFF = {"staff_score": 0.9, "staff_id": "clerk"}
AGENT = {"agent_score": 0.9, "agent_psn_no": "daughter"}
HOLDER = {"holder_score": 0.7}
TWO = {"samples": 2, "assessable_samples": 2, "independent_samples": 2}


def decided(*tracks: TrackEvidence, samples: tuple[FaceSample, ...] | None = None, **coverage: Any) -> Decision:
    given_samples = samples_for(tracks) if samples is None else samples
    return decide(tracks, given_samples, a_coverage(**coverage), BANDS)


# --- what a track is -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "role"),
    [
        ({"holder_score": ACCEPT}, TrackRole.HOLDER),
        ({"holder_score": ACCEPT - 0.0001}, TrackRole.UNCERTAIN),
        ({"holder_score": REJECT}, TrackRole.UNCERTAIN),
        ({"holder_score": REJECT - 0.0001}, TrackRole.OTHER),
        ({"holder_score": -1.0}, TrackRole.OTHER),
        ({"holder_score": FEW, **TWO}, TrackRole.HOLDER),
        ({"holder_score": FEW - 0.0001, **TWO}, TrackRole.UNCERTAIN),
        ({"holder_score": ACCEPT, "independent_samples": INDEPENDENT_NEEDED - 1}, TrackRole.UNCERTAIN),
        ({"holder_score": 0.9, **OUTSIDE}, TrackRole.HOLDER),
        ({"holder_score": 0.0, **OUTSIDE}, TrackRole.OUTSIDE),
        ({"holder_score": ACCEPT - 0.01, **OUTSIDE}, TrackRole.OUTSIDE),
        ({"holder_score": None}, TrackRole.NOT_ASSESSABLE),
        ({"holder_score": None, **OUTSIDE}, TrackRole.OUTSIDE),
        ({"holder_score": 0.9, "assessable_samples": 0}, TrackRole.NOT_ASSESSABLE),
        ({"holder_score": 0.9, "assessable_samples": 0, **OUTSIDE}, TrackRole.OUTSIDE),
        ({"holder_score": 0.9, "lowest_agreement": CONFLICT_COSINE - 0.01}, TrackRole.CONFLICT),
        ({"holder_score": 0.9, "lowest_agreement": CONFLICT_COSINE}, TrackRole.HOLDER),
        (AGENT, TrackRole.AGENT),
        ({"agent_score": ACCEPT}, TrackRole.AGENT),
        ({"agent_score": ACCEPT - 0.01}, TrackRole.UNCERTAIN),
        ({"agent_score": REJECT - 0.01}, TrackRole.OTHER),
        ({"agent_score": FEW - 0.01, **TWO}, TrackRole.UNCERTAIN),
        (STAFF, TrackRole.STAFF),
        ({**STAFF, **OUTSIDE}, TrackRole.STAFF),
        ({"staff_score": REJECT}, TrackRole.UNCERTAIN),
        ({"staff_score": 0.6, "agent_score": 0.6}, TrackRole.STAFF),
        ({"staff_score": 0.6, "agent_score": 0.61}, TrackRole.AGENT),
        ({"holder_score": 0.6, "staff_score": 0.6 + RUNNER_UP_MARGIN}, TrackRole.HOLDER),
        ({"holder_score": 0.6, "staff_score": 0.61 + RUNNER_UP_MARGIN}, TrackRole.STAFF),
        ({"holder_score": 0.6, "agent_score": 0.61 + RUNNER_UP_MARGIN}, TrackRole.AGENT),
        ({"holder_score": 0.4, "staff_score": ACCEPT}, TrackRole.STAFF),
    ],
)
def test_a_track_is_told_from_its_scores(facts: dict[str, Any], role: TrackRole) -> None:
    assert role_of(a_track(**facts), BANDS) is role


@pytest.mark.parametrize(
    ("facts", "is_so"),
    [
        (HOLDER, True),
        ({**HOLDER, **TWO}, False),
        ({**HOLDER, **OUTSIDE}, False),
        ({"holder_score": ACCEPT - 0.01}, False),
        ({**HOLDER, "lowest_agreement": 0.0}, False),
        (AGENT, False),
    ],
)
def test_only_the_holder_at_the_counter_with_independent_samples_ends_a_search(
    facts: dict[str, Any], is_so: bool
) -> None:
    assert established([a_track(1), a_track(0, **facts)], BANDS) is is_so


def test_nobody_establishes_nothing() -> None:
    assert not established([], BANDS)


@pytest.mark.parametrize(("accept", "reject"), [(0.3, 0.3), (0.3, 0.4), (1.1, 0.3), (0.3, -1.1)])
def test_bands_out_of_order_are_refused(accept: float, reject: float) -> None:
    with pytest.raises(ValueError, match=r"expected -1 ≤ reject < accept ≤ 1"):
        Bands(accept, reject)


# --- what a window is ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """Tracks and coverage with the verdict they must give."""

    name: str
    verdict: Verdict
    reasons: tuple[Reason, ...]
    tracks: tuple[TrackEvidence, ...] = ()
    coverage: dict[str, Any] = field(default_factory=dict)
    score: float | None = None


LIKE_HOLDER = a_poor_track(1, holder_score=REJECT)
UNLIKE_HOLDER = a_poor_track(1, holder_score=REJECT - 0.01)
STRANGER = a_track(0)
V, R = Verdict, Reason
CASES = [
    Case("the holder", V.MATCH, (R.INDEPENDENT_SAMPLES,), (a_track(**HOLDER),), score=0.7),
    Case("the holder once", V.MATCH, (R.STRONG_SAMPLE,), (a_track(**HOLDER, **TWO),), score=0.7),
    Case(
        "the holder among strangers", V.MATCH, (R.INDEPENDENT_SAMPLES,), (STRANGER, a_track(1, **HOLDER)), score=0.7
    ),
    Case(
        "the holder in half a window", V.MATCH, (R.INDEPENDENT_SAMPLES,), (a_track(**HOLDER),),
        {"recorded_share": 0.4, "damaged_frames": 40}, 0.7,
    ),
    Case("the holder and an agent", V.MATCH, (R.INDEPENDENT_SAMPLES,), (a_track(1, **AGENT), a_track(**HOLDER)),
         score=0.7),
    Case("two sightings, one strong", V.MATCH, (R.INDEPENDENT_SAMPLES,),
         (a_track(0, **HOLDER, **TWO), a_track(1, holder_score=0.6)), score=0.7),
    Case("an agent", V.PROXY_MATCH, (R.APPROVED_AGENT,), (a_track(**AGENT),), score=0.05),
    Case("an agent in half a window", V.PROXY_MATCH, (R.APPROVED_AGENT,), (a_track(**AGENT),),
         {"recorded_share": 0.4}, 0.05),
    Case("an agent outside the zone", V.NOT_ASSESSABLE, (R.HOLDER_OUTSIDE_ZONE,), (a_track(**AGENT, **OUTSIDE),)),
    Case("nothing recorded", V.NOT_ASSESSABLE, (R.NO_FOOTAGE,), coverage={"recorded_share": 0.0, "frames_looked": 0}),
    Case("nothing looked at", V.NOT_ASSESSABLE, (R.FOOTAGE_INCOMPLETE, R.NO_PICTURE), coverage={"frames_looked": 0}),
    Case("half a window", V.NOT_ASSESSABLE, (R.FOOTAGE_INCOMPLETE,), (STRANGER,), {"recorded_share": 0.5}, 0.05),
    Case("nearly a window", V.MISMATCH, (R.EVERY_FACE_DIFFERS,), (STRANGER,), {"recorded_share": FLAG_RECORDED_SHARE},
         0.05),
    Case("damaged", V.NOT_ASSESSABLE, (R.FOOTAGE_DAMAGED,), (STRANGER,),
         {"damaged_frames": 1, "longest_gap_s": 2.0}, 0.05),
    Case("hardly damaged", V.MISMATCH, (R.EVERY_FACE_DIFFERS,), (STRANGER,),
         {"damaged_frames": 1, "longest_gap_s": LONGEST_GAP_S}, 0.05),
    Case("a hole in the file", V.NOT_ASSESSABLE, (R.FOOTAGE_INCOMPLETE,), (),
         {"longest_gap_s": LONGEST_GAP_S + 0.2}),
    Case("all damaged", V.NOT_ASSESSABLE, (R.FOOTAGE_DAMAGED, R.NO_PICTURE), (),
         {"frames_looked": 0, "damaged_frames": 1}),
    Case("dark, nobody", V.NOT_ASSESSABLE, (R.PICTURE_DARK,), (), {"picture_faults": (R.PICTURE_DARK,)}),
    Case("dark, a stranger", V.NOT_ASSESSABLE, (R.PICTURE_DARK,), (STRANGER,), {"picture_faults": (R.PICTURE_DARK,)},
         0.05),
    Case("the holder outside", V.NOT_ASSESSABLE, (R.HOLDER_OUTSIDE_ZONE,), (a_track(**HOLDER, **OUTSIDE),)),
    Case("the holder outside, a stranger inside", V.NOT_ASSESSABLE, (R.HOLDER_OUTSIDE_ZONE,),
         (STRANGER, a_track(1, **HOLDER, **OUTSIDE)), score=0.05),
    Case("two people in one track", V.NOT_ASSESSABLE, (R.SAMPLES_DISAGREE,), (a_track(lowest_agreement=0.1),),
         score=0.05),
    Case("a poor face like the holder", V.NOT_ASSESSABLE, (R.POOR_FACE_MAY_BE_HOLDER,), (STRANGER, LIKE_HOLDER),
         score=0.05),
    Case("only a poor face like the holder", V.NOT_ASSESSABLE, (R.POOR_FACE_MAY_BE_HOLDER,), (LIKE_HOLDER,)),
    Case("a small poor face unlike the holder", V.MISMATCH, (R.EVERY_FACE_DIFFERS, R.OTHERS_NOT_ASSESSABLE),
         (STRANGER, UNLIKE_HOLDER), score=0.05),
    Case("only a poor face", V.NOT_ASSESSABLE, (R.NO_ASSESSABLE_FACE, R.FACE_TOO_SMALL), (UNLIKE_HOLDER,)),
    Case("a poor face like the holder outside", V.NOT_ASSESSABLE, (R.HOLDER_OUTSIDE_ZONE,),
         (STRANGER, a_poor_track(1, holder_score=0.9, **OUTSIDE)), score=0.05),
    Case("in between", V.NOT_ASSESSABLE, (R.SCORE_BETWEEN,), (a_track(holder_score=0.4),), score=0.4),
    Case("one in between among strangers", V.NOT_ASSESSABLE, (R.SCORE_BETWEEN,),
         (STRANGER, a_track(1, holder_score=REJECT)), score=REJECT),
    Case("nearly an agent", V.NOT_ASSESSABLE, (R.SCORE_BETWEEN,), (a_track(agent_score=0.4),), score=0.05),
    Case("clerk or customer", V.NOT_ASSESSABLE, (R.STAFF_OR_CUSTOMER_UNCLEAR,), (a_track(staff_score=0.4),),
         score=0.05),
    Case("several doubts", V.NOT_ASSESSABLE, (R.SCORE_BETWEEN, R.POOR_FACE_MAY_BE_HOLDER),
         (a_track(holder_score=0.4), LIKE_HOLDER), score=0.4),
    Case("a stranger", V.MISMATCH, (R.EVERY_FACE_DIFFERS,), (STRANGER,), score=0.05),
    Case("a stranger and a clerk", V.MISMATCH, (R.EVERY_FACE_DIFFERS,), (STRANGER, a_track(1, **STAFF)), score=0.05),
    Case("a stranger just under reject", V.MISMATCH, (R.EVERY_FACE_DIFFERS,), (a_track(holder_score=REJECT - 0.0001),),
         score=REJECT - 0.0001),
    Case("a stranger seen twice", V.NOT_ASSESSABLE, (R.TOO_FEW_SAMPLES,), (a_track(**TWO),), score=0.05),
    Case("one stranger enough, one passing", V.MISMATCH, (R.EVERY_FACE_DIFFERS,), (STRANGER, a_track(1, **TWO)),
         score=0.05),
    Case("a stranger whose samples scatter", V.NOT_ASSESSABLE, (R.SAMPLES_DISAGREE,),
         (a_track(concentration=STEADY_CONCENTRATION - 0.01),), score=0.05),
    Case("a stranger whose samples just agree", V.MISMATCH, (R.EVERY_FACE_DIFFERS,),
         (a_track(concentration=STEADY_CONCENTRATION),), score=0.05),
    Case("a clear stranger and one as near that scatters", V.NOT_ASSESSABLE, (R.POOR_FACE_MAY_BE_HOLDER,),
         (STRANGER, a_track(1, concentration=0.8)), score=0.05),
    Case("a poster", V.NOT_ASSESSABLE, (R.FACE_ALWAYS_THERE,), (a_track(always_there=True),), score=0.05),
    Case("a poster and a stranger", V.MISMATCH, (R.EVERY_FACE_DIFFERS,), (STRANGER, a_track(1, always_there=True)),
         score=0.05),
    Case("a stranger, and a body without a face", V.NOT_ASSESSABLE, (R.SOMEONE_WITHOUT_FACE,), (STRANGER,),
         {"unexplained_presence": PRESENCE_LIMIT + 0.001}, 0.05),
    Case("a stranger, surroundings unknown", V.MISMATCH, (R.EVERY_FACE_DIFFERS,), (STRANGER,),
         {"unexplained_presence": None}, 0.05),
    Case("a stranger outside", V.HOLDER_ABSENT, (R.NOBODY_SEEN,), (a_track(**OUTSIDE),)),
    Case("nobody", V.HOLDER_ABSENT, (R.NOBODY_SEEN,)),
    Case("nobody, but something", V.NOT_ASSESSABLE, (R.SOMEONE_WITHOUT_FACE,),
         coverage={"unexplained_presence": PRESENCE_LIMIT + 0.001}),
    Case("nobody, and nearly nothing", V.HOLDER_ABSENT, (R.NOBODY_SEEN,),
         coverage={"unexplained_presence": PRESENCE_LIMIT}),
    Case("nobody, surroundings unknown", V.NOT_ASSESSABLE, (R.SURROUNDINGS_UNKNOWN,),
         coverage={"unexplained_presence": None}),
    Case("a clerk", V.STAFF_ONLY, (R.ONLY_STAFF_SEEN,), (a_track(**STAFF),)),
    Case("a clerk outside the counter", V.STAFF_ONLY, (R.ONLY_STAFF_SEEN,), (a_track(**STAFF, **OUTSIDE),)),
    Case("somebody in the staff zone", V.STAFF_ONLY, (R.ONLY_STAFF_SEEN,), (a_track(**OUTSIDE, in_staff_zone=True),)),
    Case("a clerk, and something", V.NOT_ASSESSABLE, (R.SOMEONE_WITHOUT_FACE,), (a_track(**STAFF),),
         {"unexplained_presence": 0.2}),
    Case("a clerk, surroundings unknown", V.NOT_ASSESSABLE, (R.SURROUNDINGS_UNKNOWN,), (a_track(**STAFF),),
         {"unexplained_presence": None}),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_a_window_gives_its_verdict_and_reasons(case: Case) -> None:
    decision = decided(*case.tracks, **case.coverage)
    assert (decision.verdict, decision.reasons) == (case.verdict, case.reasons)
    if case.score is not None:
        assert decision.score == case.score


def test_the_table_holds_every_verdict_of_the_rule_and_every_reason() -> None:
    verdicts = {case.verdict for case in CASES}
    assert verdicts == set(Verdict) - {Verdict.NOT_ENROLLED, Verdict.PENDING_REFERENCE}
    reasons = {reason for case in CASES for reason in case.reasons}
    assert reasons >= set(list(Reason)[: list(Reason).index(Reason.PERSON_UNKNOWN)]) - {
        Reason.PICTURE_BRIGHT, Reason.PICTURE_BLURRED, Reason.PICTURE_FROZEN, Reason.AGENT_WITHOUT_PHOTO,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("height_px", "verdict"),
    [(120 * LARGE_SHARE, Verdict.NOT_ASSESSABLE), (120 * LARGE_SHARE - 1, Verdict.MISMATCH)],
)
def test_a_poor_face_as_near_as_the_stranger_may_be_the_holder(height_px: float, verdict: Verdict) -> None:
    tracks = STRANGER, UNLIKE_HOLDER
    decision = decided(*tracks, samples=samples_for(tracks, poor_height_px=height_px))
    assert decision.verdict is verdict


@pytest.mark.parametrize(
    ("quality_score", "verdict"), [(ACCUSING_QUALITY, Verdict.MISMATCH), (0.19, Verdict.NOT_ASSESSABLE), (0.0, None)]
)
def test_samples_that_pass_the_gate_by_a_hair_accuse_nobody(quality_score: float, verdict: Verdict | None) -> None:
    samples = tuple(a_sample(0, second, quality_score=quality_score) for second in (0.0, 1.0, 2.0))
    decision = decided(STRANGER, samples=samples)
    assert decision.verdict is (verdict or Verdict.NOT_ASSESSABLE)
    if decision.verdict is Verdict.NOT_ASSESSABLE:
        assert decision.reasons == (Reason.NO_ASSESSABLE_FACE,)


def test_a_track_without_its_samples_accuses_nobody() -> None:
    assert decided(STRANGER, samples=()).verdict is Verdict.NOT_ASSESSABLE


def test_reasons_of_poor_faces_are_told_once_and_only_of_faces_at_the_counter() -> None:
    tracks = a_poor_track(0), a_poor_track(1), a_poor_track(2, **OUTSIDE)
    samples = (
        a_sample(0, failed=(Reason.FACE_BLURRED, Reason.HEAD_TURNED)),
        a_sample(1, failed=(Reason.FACE_BLURRED,)),
        a_sample(2, failed=(Reason.FACE_CUT_OFF,)),
    )
    decision = decided(*tracks, samples=samples)
    assert decision.reasons == (Reason.NO_ASSESSABLE_FACE, Reason.FACE_BLURRED, Reason.HEAD_TURNED)


# --- what holds whatever was seen ------------------------------------------------------------------------------------

cosines = st.floats(-1, 1, width=32)
shares = st.floats(0, 1, width=32)


@st.composite
def evidence(draw: st.DrawFn, *, assessable: bool | None = None) -> TrackEvidence:
    kept = draw(st.integers(1, 5))
    usable = kept if assessable else 0 if assessable is False else draw(st.integers(0, kept))
    return a_track(
        draw(st.integers(0, 9)),
        in_counter_zone=draw(st.booleans()),
        in_staff_zone=draw(st.booleans()),
        samples=kept,
        assessable_samples=usable,
        independent_samples=draw(st.integers(min(1, usable), usable)),
        concentration=draw(shares),
        lowest_agreement=draw(cosines),
        holder_score=draw(st.none() | cosines),
        agent_score=draw(st.none() | cosines),
        staff_score=draw(st.none() | cosines),
    )


@st.composite
def coverages(draw: st.DrawFn) -> Coverage:
    return a_coverage(
        recorded_share=draw(shares),
        frames_looked=draw(st.integers(0, 60)),
        damaged_frames=draw(st.integers(0, 10)),
        longest_gap_s=draw(st.floats(0, 10)),
        picture_faults=tuple(draw(st.sets(st.sampled_from([Reason.PICTURE_DARK, Reason.PICTURE_BLURRED])))),
        unexplained_presence=draw(st.none() | shares),
    )


@given(st.lists(evidence(assessable=False), max_size=4), coverages())
def test_faces_that_cannot_be_assessed_never_make_a_mismatch(tracks: list[TrackEvidence], coverage: Coverage) -> None:
    decision = decide(tracks, samples_for(tracks), coverage, BANDS)
    assert decision.verdict is not Verdict.MISMATCH
    if any(track.in_counter_zone for track in tracks):
        assert decision.verdict is Verdict.NOT_ASSESSABLE


@given(st.lists(evidence(), max_size=4), coverages())
def test_doubtful_footage_accuses_nobody(tracks: list[TrackEvidence], coverage: Coverage) -> None:
    decision = decide(tracks, samples_for(tracks), coverage, BANDS)
    if footage_doubts(coverage):
        assert decision.verdict not in FLAGGED


@given(st.lists(evidence(), max_size=4), coverages())
def test_an_accusation_rests_on_independent_samples_below_reject(
    tracks: list[TrackEvidence], coverage: Coverage
) -> None:
    decision = decide(tracks, samples_for(tracks), coverage, BANDS)
    at_counter = [track for track in tracks if track.in_counter_zone]
    if decision.verdict is Verdict.MISMATCH:
        enough = [t for t in at_counter if t.independent_samples >= INDEPENDENT_NEEDED]
        assert any(t.holder_score is not None and t.holder_score < REJECT for t in enough)
        scores = [t.holder_score for t in at_counter if role_of(t, BANDS) is not TrackRole.STAFF]
        assert all(score is None or score < REJECT for score in scores)
    if decision.verdict in (Verdict.HOLDER_ABSENT, Verdict.STAFF_ONLY):
        assert coverage.unexplained_presence is not None
        assert coverage.unexplained_presence <= PRESENCE_LIMIT
        assert all(role_of(t, BANDS) is TrackRole.STAFF for t in at_counter)


@given(st.lists(evidence(), max_size=4), coverages(), st.integers(0, 4))
def test_a_proven_holder_is_a_match_whatever_else_was_seen(
    tracks: list[TrackEvidence], coverage: Coverage, place: int
) -> None:
    everyone = [*tracks[:place], a_track(9, **HOLDER), *tracks[place:]]
    decision = decide(everyone, samples_for(everyone), coverage, BANDS)
    assert (decision.verdict, decision.reasons) == (Verdict.MATCH, (Reason.INDEPENDENT_SAMPLES,))


@given(st.lists(evidence(), max_size=4), coverages())
def test_the_stored_role_is_not_looked_at(tracks: list[TrackEvidence], coverage: Coverage) -> None:
    samples = samples_for(tracks)
    others = [track.model_copy(update={"role": TrackRole.HOLDER}) for track in tracks]
    assert decide(tracks, samples, coverage, BANDS) == decide(others, samples, coverage, BANDS)


# --- worked out again ------------------------------------------------------------------------------------------------


def a_check(tracks: tuple[TrackEvidence, ...], coverage: Coverage) -> IdentityCheck:
    samples = _agreeing_samples(tracks)
    decision = decide(tracks, samples, coverage, BANDS)
    return IdentityCheck(
        swipe_id="S1",
        psn_no="P1",
        fixmedins_code="P33028100001",
        terminal_id="T1",
        swiped_at=NOON,
        clock_offset_s=0.0,
        window_start=NOON,
        window_end=NOON,
        verdict=decision.verdict,
        reasons=decision.reasons,
        score=decision.score,
        tracks=tracks,
        samples=samples,
        coverage=coverage,
        pack=PackReference(name="p", detector_sha256="d", embedder_sha256="e"),
        thresholds=ThresholdValues(
            name="t", digest="0", accept=ACCEPT, reject=REJECT, few_samples_margin=0.1, target_fmr=1e-4,
            target_fnmr=0.01,
        ),
        reference_photos=1,
        agent_version="0",
    )  # fmt: skip


def _agreeing_samples(tracks: tuple[TrackEvidence, ...]) -> tuple[FaceSample, ...]:
    """Samples whose own cosines give the track's score."""
    by_track = {track.track: track for track in tracks}
    samples = samples_for(tracks)
    scored = {n: (t.holder_score, t.concentration) for n, t in by_track.items()}
    return tuple(
        sample.model_copy(update={"similarity": None if score is None else score * concentration})
        for sample in samples
        for score, concentration in [scored[sample.track]]
    )


@given(st.lists(evidence(), max_size=4, unique_by=lambda track: track.track), coverages())
def test_a_check_gives_its_verdict_again_after_a_round_trip(tracks: list[TrackEvidence], coverage: Coverage) -> None:
    check = a_check(tuple(tracks), coverage)
    again = IdentityCheck.model_validate_json(check.model_dump_json())
    assert again == check
    assert recompute(again) == Decision(check.verdict, check.reasons, check.score)


def test_changed_samples_change_the_recomputed_verdict() -> None:
    check = a_check((a_track(**HOLDER),), a_coverage())
    forged = check.model_copy(
        update={"samples": tuple(s.model_copy(update={"similarity": 0.0}) for s in check.samples)}
    )
    assert check.verdict is Verdict.MATCH
    assert recompute(forged).verdict is Verdict.MISMATCH


def test_who_was_not_enrolled_stays_so() -> None:
    check = a_check((), a_coverage())
    unknown = check.model_copy(update={"verdict": Verdict.NOT_ENROLLED, "reasons": (Reason.PERSON_UNKNOWN,)})
    assert recompute(unknown) == Decision(Verdict.NOT_ENROLLED, (Reason.PERSON_UNKNOWN,))


def test_a_score_is_the_weighted_mean_of_its_samples_over_its_length() -> None:
    track = a_track(concentration=0.5)
    samples = (
        a_sample(0, 0, quality_score=0.9, similarity=0.6),
        a_sample(0, 1, quality_score=0.3, similarity=0.2),
        a_sample(1, 1, similarity=1.0),
    )
    assert score_from_samples(track, samples) == pytest.approx((0.9 * 0.6 + 0.3 * 0.2) / 1.2 / 0.5)
    assert score_from_samples(track, ()) is None
    assert score_from_samples(a_track(concentration=0.0), samples) is None


def test_bands_take_the_margin_they_are_given() -> None:
    assert replace(BANDS, few_samples_margin=0.2).needed(2) == pytest.approx(ACCEPT + 0.2)
    assert BANDS.needed(INDEPENDENT_NEEDED) == ACCEPT


def test_a_stranger_who_may_be_an_agent_without_photo_is_no_mismatch() -> None:
    tracks = (STRANGER,)
    decision = decide(tracks, samples_for(tracks), a_coverage(), BANDS, agents_without_photo=1)
    assert (decision.verdict, decision.reasons) == (Verdict.NOT_ASSESSABLE, (Reason.AGENT_WITHOUT_PHOTO,))


def test_an_agent_without_photo_takes_nothing_from_a_holder_or_an_empty_counter() -> None:
    holder = (a_track(holder_score=0.9),)
    assert decide(holder, samples_for(holder), a_coverage(), BANDS, 1).verdict is Verdict.MATCH
    assert decide((), (), a_coverage(), BANDS, 1).verdict is Verdict.HOLDER_ABSENT
