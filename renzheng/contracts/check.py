"""An identity check: what the camera said about one swipe, with the samples and numbers it rests on.

A check holds no template and no embedding. It holds the cosines they gave, so that ``renzheng explain`` can work
out the verdict again without a biometric template ever leaving the place where it is kept.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from renzheng.contracts.base import CONTRACT_VERSION, Contract, UtcTime
from renzheng.contracts.reasons import Reason, Verdict

Unit = Annotated[float, Field(ge=0, le=1)]
Cosine = Annotated[float, Field(ge=-1.001, le=1.001)]


class TrackRole(StrEnum):
    """What a track turned out to be."""

    HOLDER = "holder"
    AGENT = "agent"
    STAFF = "staff"
    OTHER = "other"
    UNCERTAIN = "uncertain"
    CONFLICT = "conflict"
    NOT_ASSESSABLE = "not_assessable"
    OUTSIDE = "outside"


class SampleQuality(Contract):
    """Quality of one face: each component 0 (useless) to 1 (good), the raw measures, and what failed."""

    components: dict[str, Unit] = Field(description="by OFIQ's component names")
    measures: dict[str, float] = Field(description="raw measures with their unit in the name")
    failed: tuple[Reason, ...] = ()
    score: Unit = Field(description="product of the components; weighs the sample in its track's mean")


class FaceSample(Contract):
    """One aligned face of one track."""

    track: int = Field(ge=0)
    captured_at: UtcTime
    offset_s: float = Field(description="seconds from the swipe, on the camera's timeline; negative is before")
    box_xyxy: tuple[float, float, float, float] = Field(description="pixels of the full picture")
    frame_wh: tuple[int, int] = Field(description="width and height of the full picture, pixels")
    quality: SampleQuality
    assessable: bool
    similarity: Cosine | None = Field(None, description="cosine against the holder's template its track is best at")
    crop: str | None = Field(None, description="picture of the face, path relative to the checks file")


class TrackEvidence(Contract):
    """One face over the window: the numbers the verdict was made of."""

    track: int = Field(ge=0)
    role: TrackRole
    first_seen: UtcTime
    last_seen: UtcTime
    frames_seen: int = Field(ge=1, description="looked-at frames in which the face was found")
    in_counter_zone: bool
    in_staff_zone: bool = False
    always_there: bool = Field(False, description="seen unchanged at its place before and after: a poster or a screen")
    samples: int = Field(ge=0, le=5, description="samples kept")
    assessable_samples: int = Field(ge=0, le=5)
    independent_samples: int = Field(ge=0, le=5, description="most assessable samples that lie 1 s or more apart")
    concentration: Unit = Field(description="length of the weighted mean of the unit samples; 1 is full agreement")
    lowest_agreement: Cosine = Field(description="lowest cosine between two assessable samples")
    holder_score: Cosine | None = Field(None, description="cosine of the weighted mean against the best template")
    agent_score: Cosine | None = None
    agent_psn_no: str | None = None
    staff_score: Cosine | None = None
    staff_id: str | None = None


class Coverage(Contract):
    """How much of the window was there and was looked at."""

    recorded_share: Unit = Field(description="share of the window that recordings cover")
    frames_looked: int = Field(ge=0)
    searched_share: Unit = Field(description="share of the window that was searched before the verdict was sure")
    longest_gap_s: float = Field(0.0, ge=0, description="longest time of the window without a sound picture")
    damaged_frames: int = Field(0, ge=0, description="places at which the decoder refused what it was given")
    picture_faults: tuple[Reason, ...] = Field((), description="what was wrong with the whole picture")
    unexplained_presence: Unit | None = Field(
        None,
        description="largest share of the counter zone that something without a face filled; null if not known",
    )


class ThresholdValues(Contract):
    """The threshold set a verdict was made with, as values, so that it can be recomputed."""

    name: str
    digest: str = Field(description="sha256 of the threshold set's file")
    accept: Cosine
    reject: Cosine
    few_samples_margin: float = Field(ge=0, description="added to accept under 3 independent samples")
    target_fmr: float
    target_fnmr: float


class PackReference(Contract):
    """The model pack a check was made with."""

    name: str
    detector_sha256: str
    embedder_sha256: str


class ClipReference(Contract):
    """The video that proves the check."""

    path: str = Field(description="relative to the checks file")
    sha256: str
    start: UtcTime
    end: UtcTime
    source: tuple[str, ...] = Field(description="file names of the recordings it was cut from")
    masked: bool = Field(False, description="encoded again with private zones black; otherwise an untouched copy")


class IdentityCheck(Contract):
    """What the camera said about one subject in one window."""

    contract_version: Literal[1] = CONTRACT_VERSION
    kind: Literal["swipe"] = "swipe"
    swipe_id: str = Field(description="the swipe's setl_id")
    psn_no: str
    fixmedins_code: str
    terminal_id: str
    swiped_at: UtcTime = Field(description="as the terminal said")
    clock_offset_s: float = Field(description="added to the terminal's time to reach the camera's")
    window_start: UtcTime = Field(description="on the camera's clock")
    window_end: UtcTime
    verdict: Verdict
    reasons: tuple[Reason, ...]
    score: Cosine | None = Field(description="best holder score of an assessable track; null when none")
    tracks: tuple[TrackEvidence, ...] = ()
    samples: tuple[FaceSample, ...] = ()
    coverage: Coverage
    sealed_samples: str | None = Field(
        None,
        description="embeddings for the server alone, where no template could be reached; path as for clips",
    )
    still: str | None = Field(
        None,
        description="the picture at the swipe, where no holder or agent was found; path relative to the checks file",
    )
    clip: ClipReference | None = None
    pack: PackReference
    thresholds: ThresholdValues
    agents_without_photo: int = Field(0, ge=0, description="approved agents of the day who could not be compared")
    reference_photos: int = Field(0, ge=0, description="enrolled photos that passed the gate")
    agent_version: str
    camera_id: str | None = Field(None, description="camera of a live box; null for recorded footage")
