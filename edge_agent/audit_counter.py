"""One swipe of an audit from footage to files: check it, keep its faces, cut its clip."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import cv2
from av.error import FFmpegError

from calibration.sets import load_set
from calibration.zones import read_zones
from edge_agent.audit_files import clip_of, crop_of, enrolled_portrait, remove_files_of, still_of
from edge_agent.audit_journal import Finished
from edge_agent.clip import what_a_clip_lacks
from edge_agent.counter import CheckedSwipe, CheckSettings, check_swipe, stopped_check
from edge_agent.footage import TimeWindow
from edge_agent.people_folder import PeopleFolder
from edge_agent.private_zones import PrivateZones
from edge_agent.recorded import RecordedTimeline
from edge_agent.recording_probe import RecordedFile
from edge_agent.references import FolderReferences
from edge_agent.surroundings import Surroundings
from edge_agent.tables import AgentTable
from renzheng.clock import from_seconds, to_seconds
from renzheng.contracts import FLAGGED, ClipReference, IdentityCheck, Swipe, TrackRole, Verdict
from renzheng.errors import BadInput
from renzheng.files import make_private, sha256_file, storage_errors, write_atomic
from vision.pack import open_pack
from vision.types import BgrImage
from vision.zones import Zones

ClipPolicy = Literal["all", "flagged", "none"]
JPEG_QUALITY = 88

ONE_SWIPES_ERRORS = (
    FFmpegError,  # a recording that the decoder or the clip's encoder chokes on
    cv2.error,  # a picture that OpenCV chokes on
    OSError,  # a file that vanished or cannot be read; that the disk is full is told apart
    BadInput,  # a recording or photo that was in order when the audit began
    ValueError,  # footage or a photo with numbers that nobody foresaw
    LookupError,
    ArithmeticError,
)
"""What may go wrong with one swipe and says nothing about the next."""


@dataclass(frozen=True)
class CounterPlan:
    """Everything one worker needs to check swipes; plain values, so that it can be sent to another process."""

    recordings: tuple[RecordedFile, ...]
    gallery: Path
    out: Path
    pack: str
    thresholds: str
    staff: Path | None = None
    agents: AgentTable = field(default_factory=AgentTable)
    zones: Path | None = None
    before_s: float = 6.0
    after_s: float = 4.0
    clock_offset_s: float = 0.0
    exhaustive: bool = False
    clips: ClipPolicy = "all"


def tracks_shown(check: IdentityCheck) -> frozenset[int]:
    """Tracks whose faces are kept: once holder or agent was found nobody else's, and never those outside the zone."""
    if check.verdict in (Verdict.MATCH, Verdict.PROXY_MATCH):
        return frozenset(t.track for t in check.tracks if t.role in (TrackRole.HOLDER, TrackRole.AGENT))
    return frozenset(t.track for t in check.tracks if t.role is not TrackRole.OUTSIDE)


class AuditCounter:
    """A counter over recorded footage, opened once a worker."""

    def __init__(self, plan: CounterPlan) -> None:
        self.plan = plan
        pack = open_pack(plan.pack)
        threshold_set, digest = load_set(plan.thresholds)
        self.footage = RecordedTimeline(plan.recordings)
        self.surroundings = Surroundings(self.footage)
        self.references = FolderReferences(
            pack,
            PeopleFolder(plan.gallery),
            PeopleFolder(plan.staff) if plan.staff else None,
            plan.agents,
        )
        zones = read_zones(plan.zones) if plan.zones else Zones.whole_picture()
        self.private = PrivateZones(zones)
        self.settings = CheckSettings(
            pack=pack,
            thresholds=threshold_set.values(digest),
            zones=zones,
            before_s=plan.before_s,
            after_s=plan.after_s,
            clock_offset_s=plan.clock_offset_s,
            exhaustive=plan.exhaustive,
        )

    def check(self, swipe: Swipe) -> Finished:
        """Check one swipe and write its files; an error that is this swipe's alone makes it *not assessable*.

        Raises :class:`StorageFull`; the check is then not finished.
        """
        known_refusals = len(self.references.refusals)
        try:
            with storage_errors(self.plan.out):
                check, warnings = self._checked(swipe)
        except ONE_SWIPES_ERRORS as error:
            check, warnings = self._stopped(swipe, error)
        return Finished(check, tuple(self.references.refusals[known_refusals:]), warnings)

    def _checked(self, swipe: Swipe) -> tuple[IdentityCheck, tuple[str, ...]]:
        """The check with its files, and what went wrong beside it."""
        references = self.references.references_for(swipe.psn_no, swipe.setl_time)
        checked = check_swipe(swipe, self.footage, self.surroundings, references, self.settings)
        if references.holder and references.holder.portrait_bgr is not None:
            _write_jpeg(self.plan.out / enrolled_portrait(swipe.psn_no), references.holder.portrait_bgr)
        check = self._with_still(self._with_crops(checked), checked.still_bgr)
        try:
            with storage_errors(self.plan.out):
                return self._with_clip(check)
        except ONE_SWIPES_ERRORS as error:
            return check, (f"{swipe.setl_id}: no clip: {_told(error)}",)

    def _stopped(self, swipe: Swipe, error: Exception) -> tuple[IdentityCheck, tuple[str, ...]]:
        """What is left of a swipe whose check an error stopped; the recordings are opened anew for the next one."""
        self.footage.close()
        remove_files_of(self.plan.out, swipe.setl_id)
        warning = f"{swipe.setl_id}: not assessable, because an error stopped its check: {_told(error)}"
        return stopped_check(swipe, self.footage, self.settings), (warning,)

    def _with_crops(self, checked: CheckedSwipe) -> IdentityCheck:
        """Keep a picture of the face of every sample that the verdict rests on."""
        shown = tracks_shown(checked.check)
        samples = []
        for number, (sample, face) in enumerate(zip(checked.check.samples, checked.sample_faces, strict=True)):
            if sample.track in shown:
                crop = crop_of(checked.check.swipe_id, number, sample)
                _write_jpeg(self.plan.out / crop, self.private.portrait(face))
                sample = sample.model_copy(update={"crop": crop.as_posix()})
            samples.append(sample)
        return checked.check.model_copy(update={"samples": tuple(samples)})

    def _with_still(self, check: IdentityCheck, still_bgr: BgrImage | None) -> IdentityCheck:
        """Keep the picture at the swipe where no face that decided can be shown."""
        if still_bgr is None or check.verdict in (Verdict.MATCH, Verdict.PROXY_MATCH):
            return check
        still = still_of(check.swipe_id)
        _write_jpeg(self.plan.out / still, still_bgr)
        return check.model_copy(update={"still": still.as_posix()})

    def _with_clip(self, check: IdentityCheck) -> tuple[IdentityCheck, tuple[str, ...]]:
        """Cut the window from the recordings, where the policy asks for it and footage is there: by stream copy, or
        encoded again where the camera sees a private zone. Also says what of the footage the clip does not show."""
        wanted = self.plan.clips == "all" or (self.plan.clips == "flagged" and check.verdict in FLAGGED)
        path = clip_of(check.swipe_id)
        window = TimeWindow(to_seconds(check.window_start), to_seconds(check.window_end))
        if not wanted:
            return check, ()
        make_private(self.plan.out / path.parent)
        cut = self.footage.cut(window, self.plan.out / path, self.private)
        if cut is None:
            return check, ()
        clip = ClipReference(
            path=path.as_posix(),
            sha256=sha256_file(cut.path),
            start=from_seconds(cut.start_s),
            end=from_seconds(cut.end_s),
            source=cut.sources,
            masked=bool(self.private),
        )
        lack = what_a_clip_lacks(self.footage, window, cut)
        return check.model_copy(update={"clip": clip}), (f"{check.swipe_id}: {lack}",) if lack else ()


def _write_jpeg(path: Path, image_bgr: BgrImage) -> None:
    done, data = cv2.imencode(".jpg", image_bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise ValueError(f"{path}: the picture could not be encoded")
    make_private(path.parent)
    write_atomic(path, data.tobytes(), durable=False)  # many and small; a run that is taken up looks for each


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, BadInput) else f"{type(error).__name__}: {error}"
