"""A bed check: what the camera said about one bed at one round."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from renzheng.contracts.base import CONTRACT_VERSION, Contract, UtcTime
from renzheng.contracts.check import (
    ClipReference,
    Cosine,
    Coverage,
    FaceSample,
    PackReference,
    ThresholdValues,
    TrackEvidence,
    Unit,
)
from renzheng.contracts.reasons import BedVerdict, Reason
from renzheng.ids import CHECK_ID_MAX


class RoundKind(StrEnum):
    """Why a bed was looked at."""

    FIXED = "fixed"
    SURPRISE = "surprise"
    NIGHT = "night"
    ASKED = "asked"


class BedOccupancy(Contract):
    """What the bed looks like beside its picture when empty, and whether something moves in it."""

    changed_share: Unit | None = Field(None, description="share of the bed unlike its empty picture; null without one")
    moving_share: Unit | None = Field(None, description="share of the bed that moved within the window")
    empty_picture_sha256: str | None = None


class BedCheck(Contract):
    """What the camera said about one bed in one window."""

    contract_version: Literal[1] = CONTRACT_VERSION
    kind: Literal["bed"] = "bed"
    check_id: str = Field(min_length=1, max_length=CHECK_ID_MAX, description="round and bed; the same check has one id")
    round_kind: RoundKind
    bed_id: str = Field(description="adm_bed of the platform")
    psn_no: str | None = Field(description="who is admitted to the bed; null when nobody is")
    ipt_no: str | None = None
    fixmedins_code: str
    camera_id: str
    asked_at: UtcTime
    window_start: UtcTime
    window_end: UtcTime
    verdict: BedVerdict
    reasons: tuple[Reason, ...]
    score: Cosine | None = None
    tracks: tuple[TrackEvidence, ...] = Field(
        (), description="in_counter_zone says here that the face lies in the bed, its crown where a lying head's is"
    )
    samples: tuple[FaceSample, ...] = ()
    coverage: Coverage
    occupancy: BedOccupancy
    sealed_samples: str | None = None
    still: str | None = None
    clip: ClipReference | None = None
    pack: PackReference
    thresholds: ThresholdValues
    reference_photos: int = Field(0, ge=0)
    agent_version: str
