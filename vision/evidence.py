"""A track's faces into the numbers that a check keeps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from renzheng.clock import from_seconds
from renzheng.contracts import FaceSample, IdentityCheck, TrackEvidence, TrackRole, Verdict
from vision.gallery import WeightedMean, best_template, weighted_mean
from vision.people import Person, References
from vision.track import independent_count, sample_weights
from vision.types import Face, FaceTrack, FloatArray, Judged
from vision.zones import ZoneKind, Zones

DIGITS = 4
"""Cosines are rounded before anything is decided, so that the stored numbers give the same verdict."""


def tracks_shown(check: IdentityCheck) -> frozenset[int]:
    """Tracks whose faces are kept: once holder or agent was found nobody else's, and never those outside the zone."""
    if check.verdict in (Verdict.MATCH, Verdict.PROXY_MATCH):
        return frozenset(t.track for t in check.tracks if t.role in (TrackRole.HOLDER, TrackRole.AGENT))
    return frozenset(t.track for t in check.tracks if t.role is not TrackRole.OUTSIDE)


def _mean_of(embeddings: FloatArray, samples: Sequence[Judged]) -> WeightedMean:
    """Quality-weighted mean over the assessable samples, or over the one poor sample of a poor track."""
    chosen = [index for index, sample in enumerate(samples) if sample.assessable] or list(range(len(samples)))
    return weighted_mean(embeddings[chosen], sample_weights([samples[i] for i in chosen]))


def _lowest_agreement(track: FaceTrack) -> float:
    good = track.embeddings[track.assessable_indices]
    return float((good @ good.T).min()) if len(good) > 1 else 1.0


def _best_person(probe: FloatArray, people: Sequence[Person]) -> tuple[float | None, str | None]:
    scored = [(best.cosine, person.person_id) for person in people if (best := best_template(probe, person.templates))]
    score, person_id = max(scored, default=(None, None))
    return (None if score is None else round(score, DIGITS)), person_id


def _in_staff_zone(faces: Sequence[Face], zones: Zones) -> bool:
    """Whether the chin was in a staff zone in at least half of the sightings."""
    chins = np.array([face.chin_relative for face in faces])
    return float(np.mean(zones.holds(ZoneKind.STAFF, chins))) >= 0.5


def _at_counter(faces: Sequence[Face], zones: Zones) -> bool:
    """Whether the chin or the chest was in the counter zone in at least half of the sightings.

    A zone drawn over the bodies of customers, with their heads above it, holds them too.
    """
    chins = np.array([face.chin_relative for face in faces])
    chests = np.array([face.chest_relative for face in faces])
    held = zones.holds(ZoneKind.COUNTER, chins) | zones.holds(ZoneKind.COUNTER, chests)
    return float(np.mean(held)) >= 0.5


def evidence_of(number: int, track: FaceTrack, references: References, zones: Zones) -> TrackEvidence:
    """What the verdict is made of. The role is left to :func:`vision.verdict.role_of`."""
    good = [track.samples[index] for index in track.assessable_indices]
    in_staff_zone = _in_staff_zone(track.faces, zones)
    facts = TrackEvidence(
        track=number,
        role=TrackRole.UNCERTAIN,
        first_seen=from_seconds(track.faces[0].time_s),
        last_seen=from_seconds(track.faces[-1].time_s),
        frames_seen=len(track.faces),
        in_counter_zone=_at_counter(track.faces, zones) and not in_staff_zone,
        in_staff_zone=in_staff_zone,
        samples=len(track.samples),
        assessable_samples=len(good),
        independent_samples=independent_count([face.time_s for face in good]),
        concentration=round(_mean_of(track.embeddings, track.samples).concentration, DIGITS),
        lowest_agreement=round(_lowest_agreement(track), DIGITS),
    )
    return scored(facts, track.embeddings, track.samples, references)


def scored(
    facts: TrackEvidence, embeddings: FloatArray, samples: Sequence[Judged], references: References
) -> TrackEvidence:
    """The facts of a track with its scores against these people. ``embeddings`` are N × D unit rows of its samples."""
    probe = _mean_of(embeddings, samples).direction
    holder = best_template(probe, references.holder.templates) if references.holder else None
    agent_score, agent = _best_person(probe, references.agents)
    staff_score, staff = _best_person(probe, references.staff)
    return facts.model_copy(
        update={
            "holder_score": round(holder.cosine, DIGITS) if holder else None,
            "agent_score": agent_score,
            "agent_psn_no": agent,
            "staff_score": staff_score,
            "staff_id": staff,
        }
    )


def samples_of(
    tracks: Sequence[FaceTrack], evidence: Sequence[TrackEvidence], references: References, moment_s: float
) -> tuple[FaceSample, ...]:
    """Every kept sample with its own similarity to the template its track is nearest to."""
    samples = []
    for track, facts in zip(tracks, evidence, strict=True):
        similarities = similarities_of(track.embeddings, track.samples, references.holder)
        for face, similarity in zip(track.samples, similarities, strict=True):
            left, top, right, bottom = (round(float(side), 1) for side in face.box_xyxy)
            samples.append(
                FaceSample(
                    track=facts.track,
                    captured_at=from_seconds(face.time_s),
                    offset_s=round(face.time_s - moment_s, 3),
                    box_xyxy=(left, top, right, bottom),
                    frame_wh=face.frame_wh,
                    quality=face.quality,
                    assessable=face.assessable,
                    similarity=similarity,
                )
            )
    return tuple(samples)


def similarities_of(embeddings: FloatArray, samples: Sequence[Judged], holder: Person | None) -> list[float | None]:
    """Cosine of each sample of a track to the holder's template that the track is nearest to."""
    best = best_template(_mean_of(embeddings, samples).direction, holder.templates) if holder else None
    if holder is None or best is None:
        return [None] * len(samples)
    return [round(float(cosine), DIGITS) for cosine in embeddings @ holder.templates[best.row]]
