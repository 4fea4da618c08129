"""One swipe of an audit from footage to files: check it, keep its faces, cut its clip."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import cv2

from calibration.sets import load_set
from calibration.zones import read_zones
from edge_agent.audit_journal import Finished
from edge_agent.counter import CheckedSwipe, CheckSettings, UsualPictures, check_swipe
from edge_agent.footage import TimeWindow
from edge_agent.people_folder import PeopleFolder
from edge_agent.recorded import RecordedTimeline
from edge_agent.recording_probe import RecordedFile
from edge_agent.references import FolderReferences
from edge_agent.tables import AgentTable
from renzheng.clock import from_seconds, to_seconds
from renzheng.contracts import FLAGGED, ClipReference, IdentityCheck, Swipe, Verdict
from renzheng.errors import BadInput
from renzheng.files import sha256_file, write_atomic
from renzheng.ids import file_stem
from vision.pack import open_pack
from vision.types import BgrImage
from vision.zones import Zones

ClipPolicy = Literal["all", "flagged", "none"]
JPEG_QUALITY = 88


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


def enrolled_portrait(psn_no: str) -> Path:
    """Where the picture of an enrolled face is kept, relative to the output folder."""
    return Path("faces", "enrolled", f"{file_stem(psn_no)}.jpg")


class AuditCounter:
    """A counter over recorded footage, opened once a worker."""

    def __init__(self, plan: CounterPlan) -> None:
        self.plan = plan
        pack = open_pack(plan.pack)
        threshold_set, digest = load_set(plan.thresholds)
        self.footage = RecordedTimeline(plan.recordings)
        self.usual = UsualPictures(self.footage)
        self.references = FolderReferences(
            pack,
            PeopleFolder(plan.gallery),
            PeopleFolder(plan.staff) if plan.staff else None,
            plan.agents,
        )
        self.settings = CheckSettings(
            pack=pack,
            thresholds=threshold_set.values(digest),
            zones=read_zones(plan.zones) if plan.zones else Zones.whole_picture(),
            before_s=plan.before_s,
            after_s=plan.after_s,
            clock_offset_s=plan.clock_offset_s,
            exhaustive=plan.exhaustive,
        )

    def check(self, swipe: Swipe) -> Finished:
        """Check one swipe and write its files. Raises :class:`StorageFull`; the check is then not finished."""
        known_refusals = len(self.references.refusals)
        references = self.references.references_for(swipe.psn_no, swipe.setl_time)
        checked = check_swipe(swipe, self.footage, self.usual, references, self.settings)
        if references.holder and references.holder.portrait_bgr is not None:
            _write_jpeg(self.plan.out / enrolled_portrait(swipe.psn_no), references.holder.portrait_bgr)
        check = self._with_still(self._with_crops(checked), checked.still_bgr)
        warnings: tuple[str, ...] = ()
        try:
            check = self._with_clip(check)
        except BadInput as error:
            warnings = (f"{swipe.setl_id}: no clip: {error}",)
        return Finished(check, tuple(self.references.refusals[known_refusals:]), warnings)

    def _with_crops(self, checked: CheckedSwipe) -> IdentityCheck:
        """Keep a picture of every sample's face."""
        samples = []
        for number, (sample, face) in enumerate(zip(checked.check.samples, checked.sample_faces, strict=True)):
            crop = Path("faces", file_stem(checked.check.swipe_id), f"{sample.track:02d}-{number:02d}.jpg")
            _write_jpeg(self.plan.out / crop, face.portrait_bgr)
            samples.append(sample.model_copy(update={"crop": crop.as_posix()}))
        return checked.check.model_copy(update={"samples": tuple(samples)})

    def _with_still(self, check: IdentityCheck, still_bgr: BgrImage | None) -> IdentityCheck:
        """Keep the picture at the swipe where no face that decided can be shown."""
        if still_bgr is None or check.verdict in (Verdict.MATCH, Verdict.PROXY_MATCH):
            return check
        still = Path("stills", f"{file_stem(check.swipe_id)}.jpg")
        _write_jpeg(self.plan.out / still, still_bgr)
        return check.model_copy(update={"still": still.as_posix()})

    def _with_clip(self, check: IdentityCheck) -> IdentityCheck:
        """Cut the window from the recordings by stream copy, where the policy asks for it and footage is there."""
        wanted = self.plan.clips == "all" or (self.plan.clips == "flagged" and check.verdict in FLAGGED)
        path = Path("clips", f"{file_stem(check.swipe_id)}.mp4")
        window = TimeWindow(to_seconds(check.window_start), to_seconds(check.window_end))
        cut = self.footage.cut(window, self.plan.out / path) if wanted else None
        if cut is None:
            return check
        clip = ClipReference(
            path=path.as_posix(),
            sha256=sha256_file(cut.path),
            start=from_seconds(cut.start_s),
            end=from_seconds(cut.end_s),
            source=cut.sources,
        )
        return check.model_copy(update={"clip": clip})


def _write_jpeg(path: Path, image_bgr: BgrImage) -> None:
    done, data = cv2.imencode(".jpg", image_bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise ValueError(f"{path}: the picture could not be encoded")
    write_atomic(path, data.tobytes())
