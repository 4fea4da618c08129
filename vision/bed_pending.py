"""Deciding a bed check later that a box could not, from its sealed samples and by the rule that it would have used."""

from __future__ import annotations

from dataclasses import replace

from renzheng.contracts import (
    FLAGGED_BEDS,
    BedCheck,
    BedVerdict,
    FaceSample,
    PendingSamples,
    Reason,
    TrackEvidence,
)
from renzheng.errors import BadInput
from vision.bed_verdict import BedDecision, BedEvidence, decide_bed, tracks_shown_of_bed
from vision.pending import compared
from vision.people import References
from vision.verdict import Bands, role_of


def decide_pending_bed(check: BedCheck, pending: PendingSamples, references: References) -> BedCheck:
    """The final check of a pending one, now that somebody is there to compare with; unchanged where still nobody is.

    Raises :class:`BadInput` for a payload of another check or model.
    """
    if not references.reachable or check.verdict is not BedVerdict.PENDING_REFERENCE:
        return check
    if pending.check_id != check.check_id or pending.embedder_sha256 != check.pack.embedder_sha256:
        raise BadInput(f"{check.check_id}: expected the samples of this check, made by its model")
    bands = Bands(check.thresholds.accept, check.thresholds.reject, check.thresholds.few_samples_margin)
    tracks, samples = compared(pending, replace(references, agents=()), bands)
    holder = references.holder
    no_reference = Reason.PERSON_UNKNOWN if holder is None else None
    if holder is not None and not len(holder.templates):
        no_reference = Reason.NO_USABLE_PHOTO
    full = BedEvidence(tracks, samples, check.coverage, check.occupancy, no_reference)
    seen = _without_what_is_asked_last(full)
    decision = decide_bed(seen, bands)
    if decision.verdict in FLAGGED_BEDS:  # as on the box, prints and a picture that stands still count only here
        seen, decision = full, decide_bed(full, bands)
    return _decided(check, seen, decision, bands, len(holder.templates) if holder else 0)


def _without_what_is_asked_last(seen: BedEvidence) -> BedEvidence:
    faults = tuple(fault for fault in seen.coverage.picture_faults if fault is not Reason.PICTURE_FROZEN)
    return replace(
        seen,
        tracks=tuple(track.model_copy(update={"always_there": False}) for track in seen.tracks),
        coverage=seen.coverage.model_copy(update={"picture_faults": faults}),
    )


def _decided(check: BedCheck, seen: BedEvidence, decision: BedDecision, bands: Bands, photos: int) -> BedCheck:
    tracks: tuple[TrackEvidence, ...] = tuple(
        track.model_copy(update={"role": role_of(track, bands)}) for track in seen.tracks
    )
    decided = check.model_copy(
        update={
            "verdict": decision.verdict,
            "reasons": decision.reasons,
            "score": decision.score,
            "tracks": tracks,
            "coverage": seen.coverage,
            "sealed_samples": None,
            "reference_photos": photos,
        }
    )
    shown = tracks_shown_of_bed(decided)
    crops = {(sample.captured_at, sample.box_xyxy): sample.crop for sample in check.samples}

    def with_crop(sample: FaceSample) -> FaceSample:
        crop = crops.get((sample.captured_at, sample.box_xyxy)) if sample.track in shown else None
        return sample.model_copy(update={"crop": crop})

    return decided.model_copy(update={"samples": tuple(map(with_crop, seen.samples))})
