"""Working a stored verdict out again from its stored numbers, without a template and without a picture."""

from __future__ import annotations

from renzheng.contracts import FaceSample, IdentityCheck, Reason, TrackEvidence, Verdict
from vision.track import LEAST_WEIGHT
from vision.verdict import Bands, Decision, decide

ROUNDING = 0.002
"""Scores made of rounded cosines differ from the stored one by less than this."""

SET_ASIDE = frozenset({Reason.UNREADABLE, Reason.SWIPE_TIME_IMPLAUSIBLE, Reason.REFERENCE_UNREACHABLE})
"""Reasons of a check that was given up without a look: after an error, for a time that cannot be right, or where no
template could be reached and no server will decide."""


def recompute(check: IdentityCheck) -> Decision:
    """What the rule makes of the check's samples now. A holder who was not enrolled stays so, and so does a check that
    waits for the server, or that was set aside without a look: there is nothing to work out."""
    if check.verdict is Verdict.PENDING_REFERENCE:
        return Decision(Verdict.PENDING_REFERENCE, check.reasons)
    if SET_ASIDE & set(check.reasons):
        return Decision(Verdict.NOT_ASSESSABLE, check.reasons)
    if check.verdict is Verdict.NOT_ENROLLED or not check.reference_photos:
        return Decision(Verdict.NOT_ENROLLED, check.reasons)
    bands = Bands(check.thresholds.accept, check.thresholds.reject, check.thresholds.few_samples_margin)
    tracks = [rescored(track, check.samples) for track in check.tracks]
    return decide(tracks, check.samples, check.coverage, bands, check.agents_without_photo)


def score_from_samples(track: TrackEvidence, samples: tuple[FaceSample, ...]) -> float | None:
    """Cosine of the track's weighted mean against its template, from the samples' own cosines.

    With unit samples e, weights w and template t it is (Σ w·cos(e, t)) / (Σ w · concentration), because the length of
    the weighted mean is the concentration.
    """
    mine = [sample for sample in samples if sample.track == track.track and sample.similarity is not None]
    chosen = [sample for sample in mine if sample.assessable] or mine
    weights = [max(sample.quality.score, LEAST_WEIGHT) for sample in chosen]
    if not chosen or not track.concentration:
        return None
    summed = sum(w * (s.similarity or 0.0) for w, s in zip(weights, chosen, strict=True))
    return summed / (sum(weights) * track.concentration)


def rescored(track: TrackEvidence, samples: tuple[FaceSample, ...]) -> TrackEvidence:
    """The track with its score from the samples, where the stored one is not what the samples give."""
    score = score_from_samples(track, samples)
    if score is None or track.holder_score is None or abs(score - track.holder_score) <= ROUNDING:
        return track
    return track.model_copy(update={"holder_score": round(score, 4)})
