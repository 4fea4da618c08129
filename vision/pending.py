"""Deciding later what a box could not: the sealed samples of a pending check, and the rule that it would have used.

A box that could not reach the holder's templates looks at the whole window and asks about the surroundings wherever any
holder at all could make that matter. So the later verdict is the one it would have given at once.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

import numpy as np

from renzheng.contracts import (
    FaceSample,
    IdentityCheck,
    PendingSamples,
    PendingTrack,
    Reason,
    TrackEvidence,
    Verdict,
)
from renzheng.crypto import Tampered, open_sealed, seal_for
from renzheng.errors import BadInput
from vision.evidence import scored, similarities_of, tracks_shown
from vision.people import References
from vision.types import FloatArray
from vision.verdict import Bands, Decision, asks_surroundings, decide, established, or_lowest, role_of

_Judged = tuple[tuple[TrackEvidence, ...], tuple[FaceSample, ...]]
"""Tracks with their scores, and their samples with their similarities."""


def seal_pending(pending: PendingSamples, server_public_key: bytes) -> bytes:
    """The payload for the server's eyes alone; the check's id is sealed in, so that payloads cannot be exchanged."""
    return seal_for(server_public_key, pending.model_dump_json().encode(), _context(pending.check_id))


def open_pending(private_key: bytes, sealed: bytes, check_id: str) -> PendingSamples:
    """What :func:`seal_pending` sealed for that check. Raises :class:`renzheng.crypto.Tampered`."""
    try:
        pending = PendingSamples.model_validate_json(open_sealed(private_key, sealed, _context(check_id)))
    except ValueError as error:
        raise Tampered(f"{check_id}: what was sealed are no samples of a pending check") from error
    if pending.check_id != check_id:
        raise Tampered(f"{check_id}: the sealed samples are of another check")
    return pending


def _context(check_id: str) -> str:
    return f"pending/{check_id}"


def embedding_text(embedding: FloatArray) -> str:
    """A unit vector as the payload carries it."""
    return base64.b64encode(np.asarray(embedding, dtype="<f4").tobytes()).decode()


def decide_pending(check: IdentityCheck, pending: PendingSamples, references: References) -> IdentityCheck:
    """The final check of a pending one, now that somebody is there to compare with; unchanged where still nobody is.

    Samples keep the crops that the pending check named, as far as the verdict lets their faces be kept. Raises
    :class:`BadInput` for a payload of another check or model.
    """
    if not references.reachable or check.verdict is not Verdict.PENDING_REFERENCE:
        return check
    if pending.check_id != check.swipe_id or pending.embedder_sha256 != check.pack.embedder_sha256:
        raise BadInput(f"{check.swipe_id}: expected the samples of this check, made by its model")
    holder = references.holder
    decided = check.model_copy(
        update={
            "sealed_samples": None,
            "agents_without_photo": references.agents_without_photo,
            "reference_photos": len(holder.templates) if holder else 0,
        }
    )
    if holder is None or not len(holder.templates):
        unknown = Reason.PERSON_UNKNOWN if holder is None else Reason.NO_USABLE_PHOTO
        return _with(decided, Decision(Verdict.NOT_ENROLLED, (unknown,)), (), ())
    bands = Bands(check.thresholds.accept, check.thresholds.reject, check.thresholds.few_samples_margin)
    tracks, samples = compared(pending, references, bands)
    return _decided(decided, pending, bands, tracks, samples)


def compared(pending: PendingSamples, references: References, bands: Bands) -> _Judged:
    """The whole window, unless only an earlier stage of the search establishes the holder: what is proven stays so."""
    stages = [_scored_stage(pending, stage, references) for stage in pending.stages]
    if established(stages[-1][0], bands):
        return stages[-1]
    return next((stage for stage in stages if established(stage[0], bands)), stages[-1])


def _scored_stage(pending: PendingSamples, stage: Sequence[PendingTrack], references: References) -> _Judged:
    tracks: list[TrackEvidence] = []
    samples: list[FaceSample] = []
    for track in stage:
        faces = [pending.faces[index] for index in track.faces]
        embeddings = np.stack([_embedding(face.embedding) for face in faces])
        own = [face.sample for face in faces]
        tracks.append(_knowing_box_staff(scored(track.facts, embeddings, own, references), track.facts))
        for sample, similarity in zip(own, similarities_of(embeddings, own, references.holder), strict=True):
            samples.append(sample.model_copy(update={"track": track.facts.track, "similarity": similarity}))
    return tuple(tracks), tuple(samples)


def _knowing_box_staff(decided: TrackEvidence, on_box: TrackEvidence) -> TrackEvidence:
    """Staff may be enrolled on the box alone: whom it knew as a clerk is no stranger to a server that does not."""
    if or_lowest(on_box.staff_score) <= or_lowest(decided.staff_score):
        return decided
    return decided.model_copy(update={"staff_score": on_box.staff_score, "staff_id": on_box.staff_id})


def _embedding(text: str) -> FloatArray:
    return np.frombuffer(base64.b64decode(text), dtype="<f4").astype(np.float32)


def _decided(
    check: IdentityCheck,
    pending: PendingSamples,
    bands: Bands,
    tracks: tuple[TrackEvidence, ...],
    samples: tuple[FaceSample, ...],
) -> IdentityCheck:
    """First without what the surroundings told, as the box does; with it only where it matters."""
    unasked = {"unexplained_presence": None, "picture_faults": pending.known_faults}
    coverage = check.coverage.model_copy(update=unasked)
    bare = tuple(track.model_copy(update={"always_there": False}) for track in tracks)
    first = decide(bare, samples, coverage, bands, check.agents_without_photo)
    if asks_surroundings(first):
        final = decide(tracks, samples, check.coverage, bands, check.agents_without_photo)
        return _with(check, final, tracks, samples, bands)
    return _with(check.model_copy(update={"coverage": coverage}), first, bare, samples, bands)


def _with(
    check: IdentityCheck,
    decision: Decision,
    tracks: tuple[TrackEvidence, ...],
    samples: tuple[FaceSample, ...],
    bands: Bands | None = None,
) -> IdentityCheck:
    if bands is not None:
        tracks = tuple(track.model_copy(update={"role": role_of(track, bands)}) for track in tracks)
    decided = check.model_copy(
        update={
            "verdict": decision.verdict,
            "reasons": decision.reasons,
            "score": decision.score,
            "tracks": tracks,
            "samples": samples,
        }
    )
    shown = tracks_shown(decided)
    crops = {(sample.captured_at, sample.box_xyxy): sample.crop for sample in check.samples}
    with_crops = tuple(
        sample.model_copy(
            update={"crop": crops.get((sample.captured_at, sample.box_xyxy)) if sample.track in shown else None}
        )
        for sample in samples
    )
    return decided.model_copy(update={"samples": with_crops})
