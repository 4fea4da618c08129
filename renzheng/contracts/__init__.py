"""Everything that crosses a process: versioned, frozen, documented."""

from renzheng.contracts.base import CONTRACT_VERSION, Contract, UtcTime
from renzheng.contracts.check import (
    ClipReference,
    Coverage,
    FaceSample,
    IdentityCheck,
    PackReference,
    SampleQuality,
    ThresholdValues,
    TrackEvidence,
    TrackRole,
)
from renzheng.contracts.reasons import FLAGGED, REASON_WORDS, VERDICT_WORDS, Reason, Verdict, Words
from renzheng.contracts.swipe import Swipe

__all__ = [
    "CONTRACT_VERSION",
    "FLAGGED",
    "REASON_WORDS",
    "VERDICT_WORDS",
    "ClipReference",
    "Contract",
    "Coverage",
    "FaceSample",
    "IdentityCheck",
    "PackReference",
    "Reason",
    "SampleQuality",
    "Swipe",
    "ThresholdValues",
    "TrackEvidence",
    "TrackRole",
    "UtcTime",
    "Verdict",
    "Words",
]
