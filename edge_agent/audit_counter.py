"""One swipe of an audit from footage to files: check it, keep its faces, cut its clip."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from calibration.sets import load_set
from calibration.zones import read_zones
from edge_agent.audit_files import enrolled_portrait, kept_files, remove_files_of
from edge_agent.audit_journal import Finished
from edge_agent.counter import CheckedSwipe, check_swipe, stopped_check
from edge_agent.footage import USUAL_MINUTES
from edge_agent.kept_files import ONE_CHECKS_ERRORS, KeptFiles, told, write_jpeg
from edge_agent.people_folder import PeopleFolder
from edge_agent.private_zones import PrivateZones
from edge_agent.recorded import RecordedTimeline
from edge_agent.recording_probe import RecordedFile
from edge_agent.references import FolderReferences
from edge_agent.search import CheckSettings
from edge_agent.surroundings import Surroundings
from edge_agent.tables import AgentTable
from renzheng.contracts import FLAGGED, IdentityCheck, Swipe, Verdict
from renzheng.files import storage_errors
from vision.evidence import tracks_shown
from vision.pack import open_pack
from vision.zones import Zones

ClipPolicy = Literal["all", "flagged", "none"]


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
    usual_minutes: float = USUAL_MINUTES
    exhaustive: bool = False
    clips: ClipPolicy = "all"


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
            usual_span_s=plan.usual_minutes * 60,
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
        except ONE_CHECKS_ERRORS as error:
            check, warnings = self._stopped(swipe, error)
        return Finished(check, tuple(self.references.refusals[known_refusals:]), warnings)

    def _checked(self, swipe: Swipe) -> tuple[IdentityCheck, tuple[str, ...]]:
        """The check with its files, and what went wrong beside it."""
        references = self.references.references_for(swipe.psn_no, swipe.setl_time)
        checked = check_swipe(swipe, self.footage, self.surroundings, references, self.settings)
        if references.holder and references.holder.portrait_bgr is not None:
            write_jpeg(self.plan.out / enrolled_portrait(swipe.psn_no), references.holder.portrait_bgr)
        files = kept_files(self.plan.out, swipe.setl_id)
        check = self._with_pictures(checked, files)
        try:
            with storage_errors(self.plan.out):
                return self._with_clip(check, files)
        except ONE_CHECKS_ERRORS as error:
            return check, (f"{swipe.setl_id}: no clip: {told(error)}",)

    def _stopped(self, swipe: Swipe, error: Exception) -> tuple[IdentityCheck, tuple[str, ...]]:
        """What is left of a swipe whose check an error stopped; the recordings are opened anew for the next one."""
        self.footage.close()
        remove_files_of(self.plan.out, swipe.setl_id)
        warning = f"{swipe.setl_id}: not assessable, because an error stopped its check: {told(error)}"
        return stopped_check(swipe, self.footage, self.settings), (warning,)

    def _with_pictures(self, checked: CheckedSwipe, files: KeptFiles) -> IdentityCheck:
        """Keep the faces that the verdict rests on, and the picture at the swipe where none of them can be shown."""
        check = files.keep_crops(checked.check, checked.sample_faces, tracks_shown(checked.check), self.private)
        if checked.still_bgr is None or check.verdict in (Verdict.MATCH, Verdict.PROXY_MATCH):
            return check
        return files.keep_still(check, checked.still_bgr)

    def _with_clip(self, check: IdentityCheck, files: KeptFiles) -> tuple[IdentityCheck, tuple[str, ...]]:
        """The clip, where the policy asks for it and footage is there."""
        wanted = self.plan.clips == "all" or (self.plan.clips == "flagged" and check.verdict in FLAGGED)
        if not wanted:
            return check, ()
        check, _, lack = files.keep_clip(check, self.footage, self.private)
        return check, (f"{check.swipe_id}: {lack}",) if lack else ()
