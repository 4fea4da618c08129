"""What a pending check must know so that it can be decided later: every stage of the search, with its embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from renzheng.contracts import PendingFace, PendingSamples, PendingTrack, Reason, TrackEvidence
from vision.evidence import samples_of
from vision.pack import VisionPack
from vision.pending import embedding_text
from vision.people import References
from vision.types import Face, FaceTrack


@dataclass(frozen=True)
class Stage:
    """The tracks at one moment of a search, and what they say so far."""

    tracks: tuple[FaceTrack, ...]
    evidence: tuple[TrackEvidence, ...]


def pending_samples(
    check_id: str, stages: Sequence[Stage], moment_s: float, pack: VisionPack, known_faults: tuple[Reason, ...]
) -> PendingSamples:
    """The payload of a check, from the stages of its search, the whole window last. Each face is in it once."""
    faces: dict[tuple[float, bytes], int] = {}
    kept: list[PendingFace] = []
    told: list[tuple[PendingTrack, ...]] = []
    for stage in stages:
        samples = iter(samples_of(stage.tracks, stage.evidence, References(None), moment_s))
        tracks = []
        for track, facts in zip(stage.tracks, stage.evidence, strict=True):
            for face, embedding in zip(track.samples, track.embeddings, strict=True):
                sample = next(samples)
                if faces.setdefault(_key(face), len(kept)) == len(kept):
                    kept.append(PendingFace(sample=sample, embedding=embedding_text(embedding)))
            tracks.append(PendingTrack(facts=facts, faces=tuple(faces[_key(face)] for face in track.samples)))
        told.append(tuple(tracks))
    return PendingSamples(
        check_id=check_id,
        embedder_sha256=pack.embedder_sha256,
        faces=tuple(kept),
        stages=tuple(told),
        known_faults=known_faults,
    )


def _key(face: Face) -> tuple[float, bytes]:
    return face.time_s, face.box_xyxy.tobytes()
