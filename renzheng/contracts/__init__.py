"""Everything that crosses a process: versioned, frozen, documented."""

from renzheng.contracts.base import CONTRACT_VERSION, Contract, UtcTime
from renzheng.contracts.bed import BedCheck, BedOccupancy, RoundKind
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
from renzheng.contracts.clip import ClipManifest, ManifestSegment, SignedManifest
from renzheng.contracts.delivery import CheckDelivery, DeliveryAnswer, DeliveryBatch, EvidencePiece, RefusedDelivery
from renzheng.contracts.device import EnrolmentAnswer, EnrolmentRequest
from renzheng.contracts.pending import PendingFace, PendingSamples, PendingTrack
from renzheng.contracts.reasons import (
    BED_VERDICT_WORDS,
    FLAGGED,
    FLAGGED_BEDS,
    REASON_WORDS,
    VERDICT_WORDS,
    BedVerdict,
    Reason,
    Verdict,
    Words,
)
from renzheng.contracts.report import (
    AgentEvent,
    AgentReport,
    CameraFitness,
    CameraReport,
    CameraState,
    HourlyFootfall,
    RecordingGap,
)
from renzheng.contracts.swipe import Swipe
from renzheng.contracts.templates import AgentOfHolder, PersonTemplates, StaffAnswer, TemplateAnswer, TemplateQuestion

__all__ = [
    "BED_VERDICT_WORDS",
    "CONTRACT_VERSION",
    "FLAGGED",
    "FLAGGED_BEDS",
    "REASON_WORDS",
    "VERDICT_WORDS",
    "AgentEvent",
    "AgentOfHolder",
    "AgentReport",
    "BedCheck",
    "BedOccupancy",
    "BedVerdict",
    "CameraFitness",
    "CameraReport",
    "CameraState",
    "CheckDelivery",
    "ClipManifest",
    "ClipReference",
    "Contract",
    "Coverage",
    "DeliveryAnswer",
    "DeliveryBatch",
    "EnrolmentAnswer",
    "EnrolmentRequest",
    "EvidencePiece",
    "FaceSample",
    "HourlyFootfall",
    "IdentityCheck",
    "ManifestSegment",
    "PackReference",
    "PendingFace",
    "PendingSamples",
    "PendingTrack",
    "PersonTemplates",
    "Reason",
    "RecordingGap",
    "RefusedDelivery",
    "RoundKind",
    "SampleQuality",
    "SignedManifest",
    "StaffAnswer",
    "Swipe",
    "TemplateAnswer",
    "TemplateQuestion",
    "ThresholdValues",
    "TrackEvidence",
    "TrackRole",
    "UtcTime",
    "Verdict",
    "Words",
]
