"""A bed check: footage in, a bed check's record out.

Faces are looked for in the bed's orientation and upright. Whether the bed is empty is told from its picture when
empty. What would accuse somebody is asked twice: does the picture stand still, was that face there in the empty bed?
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np

import renzheng
from edge_agent.footage import Footage, TimeWindow
from edge_agent.pending_samples import Stage, pending_samples
from edge_agent.private_zones import PrivateZones
from edge_agent.search import CheckSettings, Search
from edge_agent.surroundings import Surroundings
from edge_agent.ward.admissions import Patient
from edge_agent.ward.bed_view import BedView
from edge_agent.ward.empty_pictures import EmptyBed, EmptyPictures
from edge_agent.ward.ward_file import Bed
from renzheng.clock import from_seconds
from renzheng.contracts import (
    FLAGGED_BEDS,
    BedCheck,
    BedOccupancy,
    BedVerdict,
    Coverage,
    FaceSample,
    PackReference,
    PendingSamples,
    Reason,
    RoundKind,
)
from vision.bed_presence import changed_share, moving_share
from vision.bed_verdict import BedDecision, BedEvidence, decide_bed
from vision.closer import overlaps
from vision.evidence import evidence_of, samples_of
from vision.people import References
from vision.presence import is_frozen, picture_faults
from vision.types import BgrImage, Face, FaceTrack, FloatArray, Frame
from vision.verdict import role_of
from vision.zones import Zones

SAME_PLACE_IOU = 0.4
STILL_SIDE_PX = 640


@dataclass(frozen=True)
class BedAsked:
    """One bed at one round. The window begins at ``asked_s``, seconds since 1970 (UTC).

    ``doubts`` are about clock or camera and known beforehand: with one, nobody is accused.
    """

    check_id: str
    round_kind: RoundKind
    bed: Bed
    patient: Patient | None
    asked_s: float
    window_s: float
    fixmedins_code: str
    doubts: tuple[Reason, ...] = ()

    @property
    def window(self) -> TimeWindow:
        """What is looked at."""
        return TimeWindow(self.asked_s, self.asked_s + self.window_s)


@dataclass(frozen=True)
class CheckedBed:
    """A check, the faces of its samples in the same order, and the bed at the time asked about.

    ``pending`` is what the server needs to decide it, where the patient's templates could not be reached.
    """

    check: BedCheck
    sample_faces: tuple[Face, ...] = ()
    still_bgr: BgrImage | None = None
    pending: PendingSamples | None = None


class UprightFaces(PrivateZones):
    """Private zones where faces are shown upright that lie: they were cut from a picture that was black there."""

    def portrait(self, face: Face) -> BgrImage:
        """The face's portrait as it is."""
        return face.portrait_bgr


@dataclass
class BedSearch(Search):
    """A search whose view is one bed. In its evidence ``in_counter_zone`` says that the face lies in the bed."""

    bed_view: BedView = field(init=False)
    bed: Bed | None = None

    def __post_init__(self) -> None:
        if self.bed is None:
            raise ValueError("BedSearch: expected a bed")
        self.private = PrivateZones(self.settings.zones)
        self.view = self.bed_view = BedView(self.settings.pack, self.bed, self.private)

    def _take(self, frame: Frame) -> None:
        """Look, and keep of the picture only the bed: other patients lie in the same room."""
        super()._take(frame)
        if self.still is not None and self.still[1] is frame.reduced_bgr and self.bed_view.geometry:
            still_bgr = self.bed_view.geometry.upright.cut(self.private.blackened(frame.full_bgr))
            self.still = self.still[0], _reduced(still_bgr)

    def evaluate(self) -> None:
        """Tracks and their evidence from everything seen so far. Approved agents have no part in whose bed it is."""
        self.tracks = self.view.tracks()
        references = replace(self.references, agents=())
        self.evidence = tuple(
            evidence_of(number, track, references, Zones.whole_picture()).model_copy(
                update={"in_counter_zone": self.bed_view.lies(track.faces)}
            )
            for number, track in enumerate(self.tracks)
        )

    def tell_prints(self, empty: EmptyPictures) -> None:
        """Mark faces that the empty bed shows at the same place: prints and posters."""
        geometry = self.bed_view.geometry
        if geometry is None or not self.tracks:
            return
        prints_xyxy = empty.faces_in(geometry, self.settings.pack)
        self.evidence = tuple(
            facts.model_copy(update={"always_there": _at_one_of(track, prints_xyxy)})
            for track, facts in zip(self.tracks, self.evidence, strict=True)
        )


def check_bed(
    asked: BedAsked,
    footage: Footage,
    surroundings: Surroundings,
    references: References,
    settings: CheckSettings,
    empty: EmptyPictures,
) -> CheckedBed:
    """Check one bed. Of the settings, pack, thresholds and the camera's private zones count.

    Raises nothing for poor footage: that is *not assessable* with its reasons.
    """
    search = BedSearch(footage, asked.window, asked.asked_s, references, settings, asked.doubts, bed=asked.bed)
    no_reference = _no_reference(asked.patient, references)
    if asked.patient is None:
        return CheckedBed(_judged(asked, search, no_reference, (), BedOccupancy(), asked.doubts)[1])
    search.run()
    samples = samples_of(search.tracks, search.evidence, references, asked.asked_s)
    occupancy, like = _occupancy(search.bed_view, empty)
    faults = (*asked.doubts, *_faults(search, like))
    decision, check = _judged(asked, search, no_reference, samples, occupancy, faults)
    is_pending = decision.verdict is BedVerdict.PENDING_REFERENCE
    if is_pending or decision.verdict in FLAGGED_BEDS:
        search.tell_prints(empty)
        if is_frozen(sorted(search.looks.items()), surroundings.greys(asked.window)):
            faults = (*faults, Reason.PICTURE_FROZEN)
        _, check = _judged(asked, search, no_reference, samples, occupancy, faults)
    faces = tuple(face for track in search.tracks for face in track.samples)
    still_bgr = search.still[1] if search.still else None
    return CheckedBed(check, faces, still_bgr, _pending(asked, search) if is_pending else None)


def _pending(asked: BedAsked, search: Search) -> PendingSamples:
    stages = [*search.stages, Stage(tuple(search.tracks), search.evidence)]
    return pending_samples(asked.check_id, stages, asked.asked_s, search.settings.pack, asked.doubts)


def stopped_bed_check(
    asked: BedAsked, footage: Footage, settings: CheckSettings, why: Reason = Reason.UNREADABLE
) -> BedCheck:
    """The check of a bed that an error stopped: not assessable, and nothing it saw counts."""
    search = BedSearch(footage, asked.window, asked.asked_s, References(None), settings, bed=asked.bed)
    decision = BedDecision(BedVerdict.NOT_ASSESSABLE, (why,))
    return _as_check(asked, search, decision, search.coverage(), (), BedOccupancy())


def _no_reference(patient: Patient | None, references: References) -> Reason | None:
    """Why there is nobody to compare with."""
    if patient is None:
        return Reason.BED_WITHOUT_PATIENT
    if not references.reachable:
        return Reason.REFERENCE_UNREACHABLE
    if references.holder is None:
        return Reason.PERSON_UNKNOWN
    return None if len(references.holder.templates) else Reason.NO_USABLE_PHOTO


def _occupancy(view: BedView, empty: EmptyPictures) -> tuple[BedOccupancy, EmptyBed | None]:
    """What the bed looks like beside its most similar empty picture, and which that is."""
    greys = [grey for _, grey in sorted(view.greys.items())]
    if view.geometry is None or not greys:
        return BedOccupancy(), None
    moving = moving_share(greys, view.geometry.mask)
    compared = [(changed_share(greys, p.bed_grey, view.geometry.mask), p) for p in empty.of(view.geometry)]
    alike = min(((share, p) for share, p in compared if share is not None), key=lambda pair: pair[0], default=None)
    rounded = None if moving is None else round(moving, 4)
    if alike is None:
        return BedOccupancy(moving_share=rounded), None
    share, picture = alike
    return (
        BedOccupancy(changed_share=round(share, 4), moving_share=rounded, empty_picture_sha256=picture.sha256),
        picture,
    )


def _faults(search: Search, like: EmptyBed | None) -> tuple[Reason, ...]:
    """What is wrong with the whole picture; its usual sharpness is that of the empty picture."""
    looks = [grey for _, grey in sorted(search.looks.items())]
    return picture_faults(looks, like.whole_grey if like else None)


def _judged(
    asked: BedAsked,
    search: Search,
    no_reference: Reason | None,
    samples: tuple[FaceSample, ...],
    occupancy: BedOccupancy,
    faults: tuple[Reason, ...],
) -> tuple[BedDecision, BedCheck]:
    coverage = search.coverage(picture_faults=tuple(dict.fromkeys(faults)))
    seen = BedEvidence(search.evidence, samples, coverage, occupancy, no_reference)
    decision = decide_bed(seen, search.settings.bands)
    return decision, _as_check(asked, search, decision, coverage, samples, occupancy)


def _as_check(
    asked: BedAsked,
    search: Search,
    decision: BedDecision,
    coverage: Coverage,
    samples: tuple[FaceSample, ...],
    occupancy: BedOccupancy,
) -> BedCheck:
    settings, holder = search.settings, search.references.holder
    return BedCheck(
        check_id=asked.check_id,
        round_kind=asked.round_kind,
        bed_id=asked.bed.bed_id,
        psn_no=asked.patient.psn_no if asked.patient else None,
        ipt_no=asked.patient.ipt_no if asked.patient else None,
        fixmedins_code=asked.fixmedins_code,
        camera_id=asked.bed.camera_id,
        asked_at=from_seconds(asked.asked_s),
        window_start=from_seconds(asked.window.start_s),
        window_end=from_seconds(asked.window.end_s),
        verdict=decision.verdict,
        reasons=decision.reasons,
        score=decision.score,
        tracks=tuple(t.model_copy(update={"role": role_of(t, settings.bands)}) for t in search.evidence),
        samples=samples,
        coverage=coverage,
        occupancy=occupancy,
        pack=PackReference(
            name=settings.pack.name,
            detector_sha256=settings.pack.detector_sha256,
            embedder_sha256=settings.pack.embedder_sha256,
        ),
        thresholds=settings.thresholds,
        reference_photos=len(holder.templates) if holder else 0,
        agent_version=renzheng.__version__,
    )


def _at_one_of(track: FaceTrack, boxes_xyxy: FloatArray) -> bool:
    face = track.samples[len(track.samples) // 2]
    return bool(overlaps(face.box_xyxy[None], boxes_xyxy).max(initial=0.0) >= SAME_PLACE_IOU)


def _reduced(image_bgr: BgrImage) -> BgrImage:
    shrink = STILL_SIDE_PX / max(image_bgr.shape[:2])
    if shrink >= 1:
        return image_bgr
    return np.asarray(cv2.resize(image_bgr, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA), np.uint8)
