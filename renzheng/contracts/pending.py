"""What the server needs to decide a check for which no template could be reached, sealed for it alone.

A check holds no embedding (ADR 6). These leave the box once, encrypted for the server's key, and are of no use after
its decision.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from renzheng.contracts.base import CONTRACT_VERSION, Contract
from renzheng.contracts.check import FaceSample, TrackEvidence
from renzheng.contracts.reasons import Reason


class PendingFace(Contract):
    """One sample of one face, without any score against a holder."""

    sample: FaceSample = Field(description="which track it belongs to is told by the stages alone")
    embedding: str = Field(description="unit vector of float32, little endian, base64")


class PendingTrack(Contract):
    """One face as it was known at some moment of the search."""

    facts: TrackEvidence = Field(description="scores against the staff only")
    faces: tuple[int, ...] = Field(description="its samples, as indices of the payload's faces")


class PendingSamples(Contract):
    """Everything that the verdict of one pending check is made of beside the check itself.

    ``stages`` is how the tracks looked as the search went outward from the moment asked about, the whole window last:
    a holder who is proven in the middle stays proven.
    """

    contract_version: Literal[1] = CONTRACT_VERSION
    check_id: str
    embedder_sha256: str = Field(description="digest of the model that made the embeddings")
    faces: tuple[PendingFace, ...]
    stages: tuple[tuple[PendingTrack, ...], ...] = Field(min_length=1)
    known_faults: tuple[Reason, ...] = Field((), description="doubts about the footage from before any look")
